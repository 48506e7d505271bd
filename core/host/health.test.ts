import { expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import type { HostStep, Inner } from "./context.js";
import { askQuorum, concludeProbe, isHealthy, isProven, probeAnswered } from "./health.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "./testing/cluster.js";
import { mayMarkGood } from "./updater.js";

/** A cluster of members under this safeguard that has found its leader. */
function members(count: number, gate: "quorumGate" | "markGoodGate"): TestCluster {
  const list = initialCluster([...Array(count).keys()]);
  const configs = Array.from({ length: count }, (_, i) =>
    hostConfigOf(i, {
      cloudConfig: etcdConfig({ name: `h${i}`, "initial-cluster": list }),
      safeguards: { rebootHealthGate: false, quorumGate: false, markGoodGate: false, [gate]: true },
    }),
  );
  return new TestCluster(configs).powerOn().run(15);
}

/** A step of a cluster's host 0, and what the quorum check told locksmithd within it. */
function probing(cluster: TestCluster) {
  const inbox: Inner[] = [];
  const step: HostStep = {
    host: cluster.host(0),
    now: cluster.at,
    out: { facts: [], effects: [] },
    inbox,
    called: [],
  };
  const verdicts = () =>
    inbox.flatMap((inner) =>
      inner.to === "locksmith" && inner.stimulus.kind === "quorum-checked"
        ? [inner.stimulus.ok]
        : [],
    );
  return { step, verdicts, call: () => cluster.host(0).probe?.call ?? -1 };
}

test("a member is healthy while it knows a leader, and a host without etcd always", () => {
  const cluster = members(3, "quorumGate");
  expect(cluster.hosts.map(isHealthy)).toEqual([true, true, true]);
  cluster.powerOff(1).powerOff(2).run(20);
  expect(isHealthy(cluster.host(0))).toBe(false);
  expect(isHealthy(cluster.host(1))).toBe(false);
  expect(isHealthy(new TestCluster([hostConfigOf(0)]).powerOn().run(10).host(0))).toBe(true);
});

test("a quorum that would remain lets the host go as soon as enough have answered", () => {
  const { step, verdicts, call } = probing(members(3, "quorumGate"));
  askQuorum(step);
  const id = call();
  probeAnswered(step, 1, id, true);
  expect(verdicts()).toEqual([]);
  probeAnswered(step, 2, id, true);
  expect(verdicts()).toEqual([true]);
  concludeProbe(step);
  expect(verdicts()).toEqual([true]);
});

test("an answer that comes twice counts once (a network that duplicates let the quorum go)", () => {
  const { step, verdicts, call } = probing(members(3, "quorumGate"));
  askQuorum(step);
  probeAnswered(step, 1, call(), true);
  probeAnswered(step, 1, call(), true);
  expect(verdicts()).toEqual([]);
  concludeProbe(step);
  expect(verdicts()).toEqual([false]);
});

test("sick members and answers to an earlier question do not count", () => {
  const { step, verdicts, call } = probing(members(3, "quorumGate"));
  askQuorum(step);
  const earlier = call();
  askQuorum(step);
  probeAnswered(step, 1, earlier, true);
  probeAnswered(step, 2, call(), false);
  probeAnswered(step, 1, call(), true);
  concludeProbe(step);
  expect(verdicts()).toEqual([false]);
});

test("a host whose etcd does not run has no quorum to endanger", () => {
  const cluster = members(1, "quorumGate").tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  const { step, verdicts } = probing(cluster);
  askQuorum(step);
  expect(verdicts()).toEqual([true]);
});

test("an etcd that systemd had to restart has not proved its release", () => {
  const cluster = members(1, "markGoodGate");
  expect(isProven(cluster.host(0))).toBe(true);
  cluster.tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  cluster.tell(0, { kind: "release-unit", unit: "etcd2.service" }).run(20);
  expect(isHealthy(cluster.host(0))).toBe(true);
  expect(isProven(cluster.host(0))).toBe(false);
});

test("the mark-good gate holds back an unproven slot only, and only where it is on", () => {
  const cluster = members(1, "markGoodGate");
  const host = cluster.host(0);
  cluster.tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  expect(mayMarkGood(host)).toBe(true);
  host.slots["USR-A"].successful = false;
  expect(mayMarkGood(host)).toBe(false);
  const ungated = members(1, "quorumGate").tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  ungated.host(0).slots["USR-A"].successful = false;
  expect(mayMarkGood(ungated.host(0))).toBe(true);
});

test("a release under which etcd does not stay up is not marked good: the host goes back by itself", () => {
  const crash = {
    kind: "crash",
    target: "etcd2",
    after: [5 * SECOND, 5 * SECOND],
    code: 2,
  } as const;
  const run = (markGoodGate: boolean) => {
    const cluster = new TestCluster([
      hostConfigOf(0, {
        cloudConfig: etcdConfig({ name: "h0" }),
        safeguards: { rebootHealthGate: false, quorumGate: false, markGoodGate },
        defects: { "2.0.0": [crash] },
      }),
    ]);
    const fresh = { version: "2.0.0", priority: 2, tries: 1, successful: false, complete: true };
    cluster.host(0).slots["USR-B"] = fresh;
    cluster.powerOn().run(120);
    return cluster.factsOf("host.up").map((fact) => fact.version);
  };
  expect(run(true)).toEqual(["2.0.0", "1.0.0"]);
  expect(run(false)).toEqual(["2.0.0"]);
});
