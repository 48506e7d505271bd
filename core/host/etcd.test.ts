import { expect, test } from "vitest";
import type { HostConfig } from "./index.js";
import {
  addressOf,
  DISCOVERY,
  DISCOVERY_URL,
  etcdConfig,
  hostConfigOf,
  initialCluster,
  TestCluster,
} from "./testing/cluster.js";

/** Hosts whose etcd is set up so, not switched on yet. */
function hosts(
  count: number,
  settings: Readonly<Record<string, string>>,
  changes: Partial<HostConfig> = {},
): TestCluster {
  const cloudConfig = etcdConfig(settings);
  const configs = Array.from({ length: count }, (_, i) =>
    hostConfigOf(i, { cloudConfig: cloudConfig.replaceAll("NAME", `h${i}`), ...changes }),
  );
  return new TestCluster(configs);
}

const byList = (count: number) =>
  hosts(count, { name: "NAME", "initial-cluster": initialCluster([...Array(count).keys()]) });

const byToken = (count: number, size: number, settings: Readonly<Record<string, string>> = {}) => {
  const cluster = hosts(
    count,
    { name: "NAME", discovery: DISCOVERY_URL, ...settings },
    { discoveryNode: DISCOVERY },
  );
  cluster.openToken(size);
  return cluster;
};

const appliedOf = (cluster: TestCluster, node: number) =>
  cluster.host(node).member?.run?.stores.applied.index ?? -1;

test("members that list each other elect one leader, and systemd hears that each is ready", () => {
  const cluster = byList(3).powerOn().run(15);
  const roles = cluster.hosts.map((host) => host.member?.run?.node.role).sort();
  expect(roles).toEqual(["follower", "follower", "leader"]);
  for (const node of [0, 1, 2]) expect(cluster.isActive(node, "etcd2.service")).toBe(true);
});

test("an etcd without any settings is a cluster of its own", () => {
  const cluster = hosts(2, { name: "NAME" }).powerOn().run(10);
  const ids = cluster.hosts.map((host) => host.member?.run?.clusterId);
  expect(new Set(ids).size).toBe(2);
  expect(cluster.hosts.map((host) => host.member?.run?.node.role)).toEqual(["leader", "leader"]);
});

test("hosts with a discovery token find each other, each once it is there", () => {
  const cluster = byToken(3, 3).powerOn(0, 1).run(10);
  expect(cluster.hosts.map((host) => host.member)).toEqual([null, null, null]);
  cluster.powerOn(2).run(15);
  expect(cluster.leader()).not.toBeNull();
  const ids = new Set(cluster.hosts.map((host) => host.member?.run?.clusterId));
  expect(ids.size).toBe(1);
});

test("who comes too late for a token serves as a proxy of the members", () => {
  const cluster = byToken(4, 3).powerOn(0, 1, 2).run(15).powerOn(3).run(10);
  const late = cluster.host(3);
  expect(late.member).toBeNull();
  expect([...(late.etcd?.proxyFor ?? [])].sort()).toEqual([0, 1, 2]);
  expect(cluster.isActive(3, "etcd2.service")).toBe(true);
});

test("who comes too late and may not fall back to a proxy ends, again and again", () => {
  const cluster = byToken(2, 1, { "discovery-fallback": "exit" }).powerOn(0).run(10);
  cluster.powerOn(1).run(30);
  expect(cluster.host(1).systemd.units.get("etcd2.service")?.service?.restarts).toBeGreaterThan(0);
  expect(cluster.host(1).etcd?.proxyFor ?? null).toBeNull();
});

test("a token that nobody made is fatal to etcd", () => {
  const cluster = hosts(1, { discovery: DISCOVERY_URL }, { discoveryNode: DISCOVERY });
  cluster.powerOn().run(20);
  expect(cluster.host(0).member).toBeNull();
  expect(cluster.host(0).systemd.units.get("etcd2.service")?.service?.restarts).toBeGreaterThan(0);
});

test("a proxy by its own wish forwards to whom its list names", () => {
  const cluster = new TestCluster([
    hostConfigOf(0, { cloudConfig: etcdConfig({ name: "h0" }) }),
    hostConfigOf(1, {
      cloudConfig: etcdConfig({ proxy: "on", "initial-cluster": initialCluster([0]) }),
    }),
  ]);
  cluster.powerOn().run(10);
  expect(cluster.host(1).etcd?.proxyFor).toEqual([0]);
  expect(cluster.host(1).member).toBeNull();
});

test("a member that joins starts when the cluster has added it, and not before", () => {
  const joining = etcdConfig({
    name: "h1",
    "initial-cluster": initialCluster([0, 1]),
    "initial-cluster-state": "existing",
  });
  const cluster = new TestCluster([
    hostConfigOf(0, { cloudConfig: etcdConfig({ name: "h0" }) }),
    hostConfigOf(1, { cloudConfig: joining }),
  ]);
  cluster.powerOn().run(15);
  expect(cluster.host(1).member).toBeNull();
  expect(cluster.host(1).etcd?.joining).toBe(true);
  const peerUrls = [`http://${addressOf(1)}:2380`];
  const packet = {
    kind: "etcd-request",
    call: 1,
    request: { op: "member-add", peerUrls },
  } as const;
  cluster.tell(0, { kind: "packet", from: 7, packet }).run(15);
  const [first, second] = cluster.hosts;
  expect(second?.member?.run?.clusterId).toBe(first?.member?.run?.clusterId);
  expect(first?.member?.run?.node.tracker.config.incoming).toHaveLength(2);
  expect(appliedOf(cluster, 1)).toBe(appliedOf(cluster, 0));
});

test("after a power loss members come back with what was on their disks", () => {
  const cluster = byList(3).powerOn().run(15);
  const write = { op: "put", key: "/k", value: "kept" } as const;
  cluster.tell(cluster.leader() ?? 0, {
    kind: "packet",
    from: 7,
    packet: { kind: "etcd-request", call: 1, request: write },
  });
  cluster.run(1);
  const before = appliedOf(cluster, 0);
  const id = cluster.host(0).member?.run?.clusterId;
  for (const node of [0, 1, 2]) cluster.powerOff(node);
  cluster.run(1).powerOn().run(20);
  expect(cluster.host(0).member?.run?.clusterId).toBe(id);
  expect(appliedOf(cluster, 0)).toBeGreaterThan(before);
  const read = { op: "get", key: "/k", quorum: true } as const;
  cluster.tell(0, {
    kind: "packet",
    from: 7,
    packet: { kind: "etcd-request", call: 2, request: read },
  });
  cluster.run(1);
  const answers = cluster.sent.filter(
    ({ packet, to }) => to === 7 && packet.kind === "etcd-response" && packet.call === 2,
  );
  expect(answers.map(({ packet }) => packet)).toMatchObject([
    { reply: { ok: true, node: { value: "kept" } } },
  ]);
});

test("a member whose disk was lost has forgotten its cluster's term and log", () => {
  const cluster = byList(3).powerOn().run(15).powerOff(2, 0, true);
  expect(cluster.host(2).member).toBeNull();
  cluster.run(1);
  expect(cluster.host(2).slots["USR-A"].complete).toBe(true);
});

test("a process that is killed loses nothing it wrote; its host's loss of power does", () => {
  const cluster = byList(1).powerOn().run(15);
  const put = (call: number, value: string) =>
    cluster.tell(0, {
      kind: "packet",
      from: 7,
      packet: { kind: "etcd-request", call, request: { op: "put", key: "/k", value } },
    });
  const last = () => cluster.host(0).member?.disk.durable.entries.at(-1)?.index ?? 0;
  const before = last();
  put(1, "killed");
  cluster.tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  expect(last()).toBe(before + 1);
  cluster.tell(0, { kind: "release-unit", unit: "etcd2.service" }).run(20);
  const restarted = last();
  put(2, "unplugged");
  cluster.powerOff(0, 0);
  expect(last()).toBe(restarted);
});

test("the clients of an etcd that stops are told that their connections are closed", () => {
  const cluster = byList(1).powerOn().run(15);
  const watch = { op: "watch", key: "/k" } as const;
  cluster.tell(0, {
    kind: "packet",
    from: 7,
    packet: { kind: "etcd-request", call: 5, request: watch },
  });
  cluster.tell(0, { kind: "operator", action: "reboot" });
  const answers = cluster.sent.filter(({ to }) => to === 7).map(({ packet }) => packet);
  expect(answers).toEqual([
    { kind: "etcd-response", call: 5, reply: { ok: false, unreachable: "closed" } },
  ]);
});

test("a host without etcd refuses its callers", () => {
  const cluster = new TestCluster([hostConfigOf(0)]).powerOn().run(10);
  const request = { op: "get", key: "/" } as const;
  cluster.tell(0, { kind: "packet", from: 7, packet: { kind: "etcd-request", call: 5, request } });
  expect(cluster.sent.at(-1)?.packet).toEqual({
    kind: "etcd-response",
    call: 5,
    reply: { ok: false, unreachable: "refused" },
  });
});

test("a call that its caller takes back is answered to nobody", () => {
  const cluster = byList(1).powerOn().run(15);
  const watch = { op: "watch", key: "/k" } as const;
  const put = { op: "put", key: "/k", value: "v" } as const;
  const from = 7;
  cluster
    .tell(0, { kind: "packet", from, packet: { kind: "etcd-request", call: 5, request: watch } })
    .tell(0, { kind: "packet", from, packet: { kind: "etcd-cancel", call: 5 } })
    .tell(0, { kind: "packet", from, packet: { kind: "etcd-request", call: 6, request: put } })
    .run(1);
  const answered = cluster.sent.flatMap(({ packet }) =>
    packet.kind === "etcd-response" ? [packet.call] : [],
  );
  expect(answered).toEqual([6]);
});
