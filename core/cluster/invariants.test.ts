import { expect, test } from "vitest";
import { createHost, type HostFact, type HostState } from "../host/index.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "../host/testing/cluster.js";
import { type Micros, type NodeIndex, SECOND } from "../kernel/index.js";
import { InvariantMonitor, type InvariantName } from "./index.js";

const UNIT = "web.service";

/** A monitor over hosts that run nothing; facts come by hand. */
function watched(hosts: readonly HostState[] = [0, 1, 2].map((i) => createHost(hostConfigOf(i)))) {
  const monitor = new InvariantMonitor(hosts);
  let seq = 0;
  return {
    monitor,
    hosts,
    names: () => monitor.violations.map((violation) => violation.invariant),
    hears(node: NodeIndex, fact: HostFact, at: Micros = 0) {
      monitor.observe(node, fact, at, seq++);
    },
    step: (node: NodeIndex, at: Micros) => monitor.afterStep(node, at, seq++),
  };
}

const unit = (active: "active" | "deactivating" | "inactive", name = UNIT): HostFact => ({
  kind: "systemd.unit",
  unit: name,
  load: "loaded",
  active,
  sub: active === "active" ? "running" : "dead",
  result: "success",
});

const scheduled: HostFact = { kind: "fleet.scheduled", unit: UNIT, machine: "a", reason: "" };

const semaphore = (max: number, ...holders: string[]): HostFact => ({
  kind: "lock.semaphore",
  semaphore: 1,
  max,
  holders,
});

/** Members that have a leader; the states of a real cluster, to be bent. */
function members(count: number): TestCluster {
  const list = initialCluster([...Array(count).keys()]);
  const configs = Array.from({ length: count }, (_, i) =>
    hostConfigOf(i, { cloudConfig: etcdConfig({ name: `h${i}`, "initial-cluster": list }) }),
  );
  return new TestCluster(configs).powerOn().run(15);
}

const role = (term: number): HostFact => ({ kind: "etcd.role", role: "leader", term, lead: "h" });

/** A running member's part, to read or to bend. */
function runOf(host: HostState | undefined) {
  const run = host?.member?.run;
  if (run === undefined || run === null) throw new Error("the member does not run");
  return run;
}

test("more holders than the reboot lock has places is a breach, told once", () => {
  const { hears, names, monitor } = watched();
  hears(0, semaphore(1, "a"));
  expect(names()).toEqual([]);
  hears(0, semaphore(1, "a", "b"));
  hears(0, semaphore(1, "a", "b"));
  expect(names()).toEqual(["reboot-lock-bound"]);
  expect(monitor.hasNews).toBe(true);
  expect(monitor.news()).toHaveLength(1);
  expect([monitor.hasNews, monitor.news()]).toEqual([false, []]);
});

test("a lock with two places may have two holders", () => {
  const { hears, names } = watched();
  hears(0, semaphore(2, "a", "b"));
  expect(names()).toEqual([]);
});

test("slots of which none boots are a breach, as is a loader that found none", () => {
  const { hears, names, hosts } = watched();
  const slots: HostFact = { kind: "update.slots", running: "USR-A", slots: [] };
  hears(0, slots);
  expect(names()).toEqual([]);
  const slot = hosts[0]?.slots["USR-A"];
  if (slot !== undefined) slot.successful = false;
  hears(0, slots);
  expect(names()).toEqual(["update-bootable-slot"]);
  hears(1, { kind: "host.down", reason: "power-loss" });
  hears(1, { kind: "host.down", reason: "panic" });
  expect(names()).toHaveLength(1);
  hears(1, { kind: "host.down", reason: "no-bootable-slot" });
  hears(2, { kind: "host.down", reason: "broken-image" });
  expect(names()).toHaveLength(3);
});

test("a running slot that is written is a breach", () => {
  const { hears, names, hosts } = watched();
  const host = hosts[0];
  if (host === undefined) return;
  host.running = "USR-B";
  hears(0, { kind: "update.slots", running: "USR-B", slots: [] });
  expect(names()).toEqual(["update-running-slot"]);
});

test("two copies of a unit may overlap while one is taken down, and no longer", () => {
  const { hears, step, names } = watched();
  hears(0, scheduled);
  hears(0, unit("active"), 0);
  hears(1, unit("active"), SECOND);
  step(0, 20 * SECOND);
  expect(names()).toEqual([]);
  step(0, 22 * SECOND);
  step(0, 60 * SECOND);
  expect(names()).toEqual(["fleet-single-copy"]);
});

test("a copy that stops in time, dies with its host, or was never placed by an engine is none", () => {
  const { hears, step, names } = watched();
  hears(0, unit("active", "global.service"));
  hears(1, unit("active", "global.service"));
  hears(0, scheduled);
  hears(0, unit("active"));
  hears(1, unit("active"));
  hears(1, unit("deactivating"), 5 * SECOND);
  hears(1, unit("inactive"), 10 * SECOND);
  hears(2, unit("active"), 12 * SECOND);
  hears(2, { kind: "host.down", reason: "power-loss" }, 20 * SECOND);
  step(0, 200 * SECOND);
  expect(names()).toEqual([]);
});

test("a copy that is only stopping still counts", () => {
  const { hears, step, names } = watched();
  hears(0, scheduled);
  hears(0, unit("active"));
  hears(1, unit("active"));
  hears(1, unit("deactivating"), SECOND);
  step(0, 30 * SECOND);
  expect(names()).toEqual(["fleet-single-copy"]);
});

test("a host that was cut off is excused while it is and for a minute after", () => {
  const { hears, step, names, monitor } = watched();
  monitor.beginExcuse(1);
  hears(0, scheduled);
  hears(0, unit("active"));
  hears(1, unit("active"));
  for (let s = 0; s <= 100; s += 10) step(0, s * SECOND);
  monitor.endExcuse(1, 100 * SECOND);
  for (let s = 100; s <= 170; s += 10) step(0, s * SECOND);
  expect(names()).toEqual([]);
  step(0, 190 * SECOND);
  expect(names()).toEqual(["fleet-single-copy"]);
});

test("excuses that overlap last until the last one ends", () => {
  const { hears, step, names, monitor } = watched();
  monitor.beginExcuse(1);
  monitor.beginExcuse(1);
  monitor.endExcuse(1, 0);
  hears(0, scheduled);
  hears(0, unit("active"));
  hears(1, unit("active"));
  for (let s = 0; s <= 200; s += 10) step(0, s * SECOND);
  expect(names()).toEqual([]);
});

test("one leader per term may say so again; a second one is a breach", () => {
  const cluster = members(3);
  const { hears, names, monitor } = watched(cluster.hosts);
  const leader = cluster.leader() ?? 0;
  const { term } = runOf(cluster.hosts[leader]).node;
  hears(leader, role(term));
  hears(leader, role(term));
  hears((leader + 1) % 3, role(term + 1));
  expect(names()).toEqual([]);
  hears((leader + 2) % 3, role(term));
  expect(monitor.violations).toMatchObject([
    { invariant: "raft-election-safety", hosts: [leader, (leader + 2) % 3] },
  ]);
});

test("two clusters may each have a leader in a term", () => {
  const one = members(1);
  const other = members(2);
  const { hears, names } = watched([...one.hosts, ...other.hosts]);
  hears(0, role(9));
  hears(1, role(9));
  expect(names()).toEqual([]);
});

test("members that applied different entries at an index break the state machines, clusters apart do not", () => {
  const cluster = members(2);
  const { step, names } = watched(cluster.hosts);
  step(0, 0);
  step(1, 0);
  expect(names()).toEqual([]);
  const bent = structuredClone(cluster.hosts);
  const run = runOf(bent[1]);
  run.stores.applied.hashX++;
  const same = watched(bent);
  same.step(0, 0);
  same.step(1, 0);
  same.step(1, 1);
  expect(same.names()).toEqual(["raft-state-machine-safety"]);
  const apart = structuredClone(bent);
  Object.assign(runOf(apart[1]), { clusterId: "another" });
  const others = watched(apart);
  others.step(0, 0);
  others.step(1, 0);
  expect(others.names()).toEqual([]);
});

test("a leader without what was committed before its term is a breach; one of an older term, elected late, is not", () => {
  const cluster = members(3);
  const leader = cluster.leader() ?? 0;
  const behind = (leader + 1) % 3;
  const stale = structuredClone(cluster.hosts);
  const put = { op: "put", key: "/k", value: "v" } as const;
  const packet = { kind: "etcd-request", call: 1, request: put } as const;
  cluster.isolated.add(behind);
  cluster.tell(leader, { kind: "packet", from: 7, packet }).run(0.5);
  const { term } = runOf(cluster.hosts[leader]).node;
  const mixed = cluster.hosts.map((host, node) =>
    node === behind ? (stale[node] as HostState) : host,
  );
  const claim = (at: number): InvariantName[] => {
    const { step, hears, names } = watched(mixed);
    step(leader, 0);
    hears(behind, role(at));
    return names();
  };
  expect(claim(term + 1)).toEqual(["raft-leader-completeness"]);
  expect(claim(term - 1)).toEqual([]);
});

test("logs that agree at an entry and differ below it are a breach", () => {
  const cluster = members(2);
  const leader = cluster.leader() ?? 0;
  const bent = structuredClone(cluster.hosts);
  const { log } = runOf(bent[1 - leader]).node;
  const { entries } = log.storage;
  const early = entries.at(1);
  if (early === undefined) throw new Error("a log of one entry");
  entries[1] = { ...early, term: early.term + 7 };
  const { term } = runOf(bent[leader]).node;
  const { hears, names } = watched(bent);
  hears(leader, role(term));
  expect(names()).toEqual(["raft-log-matching"]);
  const sound = watched(cluster.hosts);
  sound.hears(leader, role(term));
  expect(sound.names()).toEqual([]);
});

test("what a member applied anew after a restart is compared again", () => {
  const cluster = members(2);
  const { step, hears, names, hosts } = watched(cluster.hosts);
  step(0, 0);
  step(1, 0);
  hears(1, { kind: "etcd.restored", index: 1, from: "disk" });
  runOf(hosts[1]).stores.applied.hashY++;
  step(1, 1);
  expect(names()).toEqual(["raft-state-machine-safety"]);
});
