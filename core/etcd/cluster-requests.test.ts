import { describe, expect, test } from "vitest";
import { arePeerUrls } from "./cluster-requests.js";
import type { ClientReply, ClientRequest } from "./events.js";
import {
  call,
  crash,
  leaderOf,
  peerUrl,
  runFor,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
} from "./testing/cluster.js";

const THREE = ["a", "b", "c"];
const SECOND = 1_000_000;
const NOT_FOUND = { code: "NotFound", message: "etcdserver: member not found" };

function clusterOf(version: string, names: readonly string[] = THREE): TestCluster {
  const cluster = startCluster({ names, config: { version } });
  settleCluster(cluster);
  return cluster;
}

/** A cluster whose members have been connected long enough to change. */
function healthy(version: string, names?: readonly string[]): TestCluster {
  const cluster = clusterOf(version, names);
  runFor(cluster, 6 * SECOND);
  return cluster;
}

function added(reply: ClientReply | null): string {
  if (reply?.ok !== true || !("result" in reply) || reply.result.op !== "member-add") {
    throw new Error(`not added: ${JSON.stringify(reply)}`);
  }
  return reply.result.member?.id ?? "";
}

const add = (name: string, learner = true): ClientRequest => ({
  op: "member-add",
  peerUrls: [peerUrl(name)],
  learner,
});

describe.each(["3.4.23", "3.6.16"])("etcd %s", (version) => {
  test("refuses changes of membership with etcd's codes and texts", () => {
    const cluster = healthy(version);
    const leader = leaderOf(cluster) ?? "";
    const member = added(call(cluster, leader, add("d")));
    runFor(cluster, 2 * SECOND);
    const table: readonly (readonly [ClientRequest, object])[] = [
      [{ op: "member-remove", member: "00000000000000aa" }, NOT_FOUND],
      [{ op: "member-update", member: "00000000000000aa", peerUrls: [] }, NOT_FOUND],
      [{ op: "member-promote", member: "00000000000000aa" }, NOT_FOUND],
      [add("a"), { code: "FailedPrecondition", message: "etcdserver: Peer URLs already exists" }],
      [
        { op: "member-update", member, peerUrls: [peerUrl("a")] },
        { code: "FailedPrecondition", message: "etcdserver: Peer URLs already exists" },
      ],
      [
        add("e"),
        {
          code: "FailedPrecondition",
          message: "etcdserver: too many learner members in cluster",
        },
      ],
      [
        { op: "member-promote", member: stateOf(cluster, leader).run?.memberId ?? "" },
        { code: "FailedPrecondition", message: "etcdserver: can only promote a learner member" },
      ],
      [
        { op: "member-add", peerUrls: ["http://d"] },
        { code: "InvalidArgument", message: "etcdserver: given member URLs are invalid" },
      ],
    ];
    for (const [request, refusal] of table) {
      expect(call(cluster, leader, request)).toMatchObject({ ok: false, ...refusal });
    }
  });

  test("the same member twice within a second is refused by its id, later by its URLs", () => {
    const cluster = healthy(version, ["a"]);
    // Just after a second has begun, so that the second request falls into it too.
    runFor(cluster, SECOND - (cluster.now % SECOND) + 10_000);
    added(call(cluster, "a", add("d")));
    expect(call(cluster, "a", add("d"))).toMatchObject({
      message: "etcdserver: member ID already exist",
    });
    runFor(cluster, SECOND);
    expect(call(cluster, "a", add("d"))).toMatchObject({
      message: "etcdserver: Peer URLs already exists",
    });
  });

  test("the last member cannot be removed, with the code that gRPC gives a client's error", () => {
    const cluster = healthy(version, ["a"]);
    const member = stateOf(cluster, "a").run?.memberId ?? "";
    expect(call(cluster, "a", { op: "member-remove", member })).toEqual({
      ok: false,
      code: "Unknown",
      message: "etcdserver: re-configuration failed due to not enough started members",
    });
  });

  test("members answer without a revision, and a follower may change them as well", () => {
    const cluster = healthy(version);
    const follower = THREE.find((name) => name !== leaderOf(cluster)) ?? "";
    const reply = call(cluster, follower, add("d"));
    added(reply);
    expect(reply).toMatchObject({ header: { revision: 0 } });
  });

  test("a cluster that has not been connected for five seconds does not change", () => {
    const cluster = clusterOf(version);
    runFor(cluster, SECOND);
    expect(call(cluster, leaderOf(cluster) ?? "", add("d"))).toMatchObject({
      code: "Unavailable",
      message: "etcdserver: unhealthy cluster",
    });
  });

  test("the lead goes only to a voter, and only its holder can give it", () => {
    const cluster = healthy(version);
    const leader = leaderOf(cluster) ?? "";
    const follower = THREE.find((name) => name !== leader) ?? "";
    const to = stateOf(cluster, follower).run?.memberId ?? "";
    expect(call(cluster, follower, { op: "move-leader", to })).toMatchObject({
      code: "FailedPrecondition",
      message: "etcdserver: not leader",
    });
    expect(call(cluster, leader, { op: "move-leader", to: "00000000000000aa" })).toMatchObject({
      code: "FailedPrecondition",
      message: "etcdserver: bad leader transferee",
    });
  });
});

test("3.4 adds a member only while all voters are connected, 3.6 while a quorum will be", () => {
  for (const [version, outcome] of [
    ["3.4.23", { ok: false, message: "etcdserver: unhealthy cluster" }],
    ["3.6.16", { ok: true }],
  ] as const) {
    const cluster = healthy(version, ["a", "b", "c", "d", "e"]);
    const leader = leaderOf(cluster) ?? "";
    crash(cluster, ["a", "b", "c", "d", "e"].find((name) => name !== leader) ?? "");
    runFor(cluster, 6 * SECOND);
    expect(call(cluster, leader, add("f"))).toMatchObject(outcome);
  }
});

test("in 3.4 giving a learner other URLs makes it a voter for everyone but raft (#21736)", () => {
  for (const [version, learner] of [
    ["3.4.23", false],
    ["3.6.16", true],
  ] as const) {
    const cluster = healthy(version, ["a"]);
    const member = added(call(cluster, "a", add("d")));
    call(cluster, "a", { op: "member-update", member, peerUrls: [peerUrl("e")] });
    const run = stateOf(cluster, "a").run;
    expect(run?.stores.membership.members.get(member)?.learner).toBe(learner);
    expect(run?.node.tracker.progress.find(({ isLearner }) => isLearner)).toBeDefined();
  }
});

test("a list of members as new as the question is there since 3.6; before, it comes from the member's own store", () => {
  for (const [version, ok] of [
    ["3.4.23", true],
    ["3.6.16", false],
  ] as const) {
    const cluster = healthy(version);
    const [alone = "", ...rest] = THREE;
    for (const name of rest) crash(cluster, name);
    runFor(cluster, 6 * SECOND);
    const reply = call(cluster, alone, { op: "member-list", linearizable: true });
    expect(reply?.ok).toBe(ok);
  }
});

test("a downgrade is checked, begun once, lowers the cluster's version and can be taken back", () => {
  const cluster = healthy("3.6.16", ["a"]);
  const ask = (action: "validate" | "enable" | "cancel", version = ""): ClientReply | null =>
    call(cluster, "a", { op: "downgrade", action, version });
  expect(ask("validate", "x")).toMatchObject({
    code: "InvalidArgument",
    message: "etcdserver: wrong downgrade target version format",
  });
  expect(ask("validate", "3.4")).toMatchObject({
    code: "InvalidArgument",
    message: "etcdserver: invalid downgrade target version",
  });
  expect(ask("validate", "3.5")).toMatchObject({ result: { version: "3.6" } });
  expect(ask("enable", "3.5.0")).toMatchObject({ ok: true });
  expect(ask("enable", "3.5.0")).toMatchObject({
    message: "etcdserver: cluster has a downgrade job in progress",
  });
  runFor(cluster, 5 * SECOND);
  const versions = (): string => stateOf(cluster, "a").run?.stores.clusterVersion ?? "";
  expect(versions()).toBe("3.5.0");
  expect(ask("cancel")).toMatchObject({ ok: true });
  runFor(cluster, 5 * SECOND);
  expect(versions()).toBe("3.6.0");
  const before = clusterOf("3.4.23", ["a"]);
  expect(call(before, "a", { op: "downgrade", action: "cancel", version: "" })).toEqual({
    ok: false,
    code: "Unimplemented",
    message: "unknown method Downgrade for service etcdserverpb.Maintenance",
  });
});

test("peer URLs have a scheme, a host and a port, and no path", () => {
  for (const url of ["http://h:1", "https://1.2.3.4:2380", " http://[::1]:2 ", "unix://a:1"]) {
    expect(arePeerUrls([url])).toBe(true);
  }
  for (const url of [
    "h:1",
    "http://h",
    "http://h:1/path",
    "http://h:1/",
    "ftp://h:1",
    "http://a:b:1",
  ]) {
    expect(arePeerUrls([url])).toBe(false);
  }
  expect(arePeerUrls([])).toBe(false);
});
