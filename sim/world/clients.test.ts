import { expect, test } from "vitest";
import { type LogRecord, SECOND } from "../../core/kernel/index.js";
import { judge } from "../campaign/run.js";
import { drawFaultPlan, type Fault, faultPlan } from "../faults/index.js";
import { type BugName, loadScenario, type Scenario } from "../scenario/index.js";
import { Simulation } from "./simulation.js";

/** A run takes a fraction of a second, unless much else runs. */
const PATIENCE_MS = 60_000;

function load(name: string, bugs: readonly BugName[] = []): Scenario {
  const loaded = loadScenario(`scenarios/${name}.yaml`);
  if (!loaded.ok) throw new Error(loaded.diagnostics.map((d) => d.found).join("; "));
  return { ...loaded.value, bugs };
}

function run(scenario: Scenario, faults: readonly Fault[], seed = 1) {
  const records: LogRecord[] = [];
  const simulation = new Simulation({
    scenario,
    seed,
    plan: faultPlan(faults),
    observer: { record: (record) => records.push(record) },
  });
  simulation.advance(scenario.duration);
  return { simulation, summary: simulation.finish(), records };
}

// In these runs raft's own answer to a snapshot is lost: the leader waits for it, and the learner is never in sync.
test.each([
  ["etcd-histories", 2515],
  ["etcd-histories-5", 1853],
  ["etcd-histories-5", 5178],
] as const)("%s, seed %i: a snapshot's delivery is known without raft's answer", (name, seed) => {
  expect(judge({ scenario: load(name), seed })).toMatchObject({ failed: false, broken: [] });
});

// etcd-4 loses the removal of etcd-5 in a crash, and tells it the old id when it joins again.
test("a member that joins under the id of the one that was removed is emptied and joins again", () => {
  const verdict = judge({ scenario: load("etcd-histories-5"), seed: 21138 });
  expect(verdict).toMatchObject({ failed: false, broken: [] });
});

test.each(["etcd-histories", "etcd-histories-5", "etcd-histories-1"])(
  "%s holds: what clients saw is what etcd promises, and the members end equal",
  (name) => {
    const scenario = load(name);
    const verdict = judge({ scenario, seed: 1 }, true);
    expect(verdict).toMatchObject({ failed: false, broken: [], undecided: false, crash: null });
    expect(judge({ scenario, seed: 1 }, true).hash).toBe(verdict.hash);
  },
  PATIENCE_MS,
);

/** The first seed whose run breaks the invariant; null if none of so many does. */
function firstToBreak(scenario: Scenario, invariant: string, seeds: number): number | null {
  for (let seed = 1; seed <= seeds; seed++) {
    if (judge({ scenario, seed }).broken.includes(invariant)) return seed;
  }
  return null;
}

const CAUGHT: readonly [BugName, string, string][] = [
  ["etcd-14370", "etcd-histories-1", "etcd-linearizability"],
  ["etcd-stale-read", "etcd-histories", "etcd-linearizability"],
  ["etcd-watch-lost-event", "etcd-histories", "watch-reliable"],
];

test.each(CAUGHT)(
  "%s is caught in %s within ten seeds, as %s",
  (bug, name, invariant) => {
    expect(firstToBreak(load(name, [bug]), invariant, 10)).not.toBeNull();
  },
  PATIENCE_MS,
);

test(
  "requests come once and watches in order over links that double, lose and delay packets",
  () => {
    const scenario = load("etcd-histories");
    const clients = scenario.clients.map(({ node }) => node);
    const worse = {
      id: 1,
      at: 3 * SECOND,
      duration: 6 * SECOND,
      kind: "link",
      from: [0, 1, 2],
      to: clients,
      oneWay: false,
      lossPpm: 50_000,
      duplicatePpm: 900_000,
      delay: { low: 0, high: 80_000 },
    } as const;
    const { summary, records } = run(scenario, [worse]);
    expect(summary.violations).toEqual([]);
    const checked = records.find((record) => record.kind === "history.checked");
    expect(checked?.data).toMatchObject({ linearizable: "linearizable" });
    const broken = records.filter(({ kind }) => kind === "client.watch-ended");
    expect(broken.length).toBeGreaterThan(0);
  },
  PATIENCE_MS,
);

test.each([false, true])(
  "a member that is removed comes back empty and under another id (as a learner first: %s)",
  (learner) => {
    const scenario = load("etcd-histories");
    const change: Fault = {
      id: 1,
      at: 4 * SECOND,
      duration: SECOND,
      kind: "member-change",
      host: 1,
      learner,
    };
    const { simulation, summary, records } = run(scenario, [change]);
    expect(summary.verdict).toBe("held");
    const ids = records.flatMap(({ kind, host, data }) =>
      kind === "etcd.started" && host === "etcd-2" ? [(data as { member: string }).member] : [],
    );
    expect(new Set(ids).size).toBe(2);
    const promoted = records.some(({ kind }) => kind === "etcd.member-promoted");
    expect(promoted).toBe(learner);
    const members = simulation.hosts[1]?.member?.run?.stores.membership.members;
    expect([...(members?.values() ?? [])].map((member) => member.learner)).toEqual([
      false,
      false,
      false,
    ]);
  },
  PATIENCE_MS,
);

test("the plans of the histories hold every fault there is a promise against", () => {
  const scenario = load("etcd-histories-5");
  const faults = Array.from({ length: 60 }, (_, i) => drawFaultPlan(scenario, i + 1).faults).flat();
  expect([...new Set(faults.map(({ kind }) => kind))].sort()).toEqual([
    "clock-drift",
    "clock-step",
    "crash",
    "kill-process",
    "link",
    "member-change",
    "partition",
    "pause",
    "slow-disk",
  ]);
  const cuts = faults.filter((fault) => fault.kind === "partition");
  expect(new Set(cuts.map(({ oneWay }) => oneWay)).size).toBe(2);
  const clients = new Set(scenario.clients.map(({ node }) => node));
  const some = (fault: { readonly from: readonly number[]; readonly to: readonly number[] }) =>
    [...fault.from, ...fault.to].some((node) => clients.has(node));
  expect(new Set(cuts.map(some)).size).toBe(2);
  expect(faults.some((f) => f.kind === "link" && f.duplicatePpm > 100_000)).toBe(true);
  expect(faults.some((f) => f.kind === "link" && f.delay.high > f.delay.low)).toBe(true);
  expect(faults.some((f) => f.kind === "crash" && f.loseUnsyncedPpm > 900_000)).toBe(true);
});
