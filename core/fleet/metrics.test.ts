import { expect, test } from "vitest";
import { FLEET_FIXES } from "./config.js";
import { countJobs, listedOrder, reconcilePass } from "./engine.js";
import type { ClusterState, EngineJob } from "./engine-task.js";
import { metricsText, noCounts, passFailures } from "./metrics.js";
import type { Requirements } from "./requirements.js";
import { NOTHING } from "./testing/requirements.js";
import { FleetWorld } from "./testing/world.js";

const job = (
  name: string,
  machine: string | null,
  changes: Partial<EngineJob> = {},
): EngineJob => ({
  name,
  machine,
  targetState: "launched",
  requirements: NOTHING,
  ...changes,
});

const cluster = (machines: readonly string[], ...jobs: EngineJob[]): ClusterState => ({
  jobs,
  globals: [],
  machines: machines.map((id) => ({ id, metadata: {} })),
});

/** What fleet counts of one pass over a cluster: machine away, unable to run, not scheduled. */
function failures(state: ClusterState, profile: "faithful" | "fixed" = "faithful"): number[] {
  const tasks = reconcilePass(state, listedOrder(state), FLEET_FIXES[profile]);
  const { machineAway, unableToRun, notScheduled } = passFailures(
    countJobs(state),
    tasks,
    profile === "faithful",
  );
  return [machineAway, unableToRun, notScheduled];
}

const needs = (requirements: Partial<Requirements>): Partial<EngineJob> => ({
  requirements: { ...NOTHING, ...requirements },
});

test("fleet counts every unit that stays on its machine as one that was not scheduled", () => {
  const state = cluster(["A"], job("a", "A"), job("b", "A"));
  expect(failures(state)).toEqual([0, 0, 2]);
  expect(failures(state, "fixed")).toEqual([0, 0, 0]);
});

test("a unit for which there is no machine is a failure of every pass", () => {
  const state = cluster(["A"], job("a", null, needs({ requiredTarget: "B" })));
  expect(failures(state)).toEqual([0, 0, 1]);
  expect(failures(state, "fixed")).toEqual([0, 0, 1]);
});

test("a unit of a machine that went away is moved, and is counted only where it cannot be", () => {
  expect(failures(cluster(["A"], job("a", "gone")))).toEqual([1, 0, 0]);
  expect(failures(cluster([], job("a", "gone")))).toEqual([1, 0, 1]);
});

test("a unit that its machine cannot run is counted, and again where there is no other", () => {
  const pinned = job("a", "A", needs({ requiredTarget: "B" }));
  expect(failures(cluster(["A", "B"], pinned))).toEqual([0, 1, 0]);
  expect(failures(cluster(["A"], pinned))).toEqual([0, 1, 1]);
});

test("a unit that is not wanted any more is no failure", () => {
  expect(failures(cluster(["A"], job("a", "A", { targetState: "inactive" })))).toEqual([0, 0, 0]);
  expect(failures(cluster(["A"], job("a", null, { targetState: "inactive" })))).toEqual([0, 0, 0]);
});

test("a unit that replaces another counts twice while the other has nowhere to go", () => {
  const units = [job("new", "A", needs({ replaces: ["old"] })), job("old", "A")];
  expect(failures(cluster(["A", "B"], ...units))).toEqual([0, 1, 1]);
  // new: no room for old, and itself not scheduled; old: the same, as the pass has it still there.
  const [away, unable, not] = failures(cluster(["A"], ...units));
  expect([away, unable]).toEqual([0, 2]);
  expect(not).toBe(4);
});

test("metrics have the names, texts and numbers of Prometheus' Go client", () => {
  expect(metricsText(noCounts())).toBe(`\
# HELP fleet_engine_leader_start_time Start time of becoming an engine leader since epoch in seconds.
# TYPE fleet_engine_leader_start_time gauge
fleet_engine_leader_start_time 0
# HELP fleet_engine_reconcile_count_total Counter of reconcile rounds.
# TYPE fleet_engine_reconcile_count_total counter
fleet_engine_reconcile_count_total 0
`);
  const counts = {
    ...noCounts(),
    leaderStart: 1_488_326_410,
    scheduleTasks: 1_000_000,
    unscheduleTasks: 999_999,
    notScheduled: 3,
  };
  expect(metricsText(counts).split("\n")).toEqual(
    expect.arrayContaining([
      "fleet_engine_leader_start_time 1.48832641e+09",
      'fleet_engine_reconcile_failure_count_total{type="schedule"} 3',
      'fleet_engine_task_count_total{type="attemptscheduleunit"} 1e+06',
      'fleet_engine_task_count_total{type="unscheduleunit"} 999999',
    ]),
  );
});

/** The engine's counts of the host that leads. */
function counts(world: FleetWorld) {
  return world.hosts.map(({ state }) => state.engine.counts);
}

test("the engine that leads counts its passes and tasks, twice each pass in fleet 1.0", () => {
  for (const [profile, times] of [
    ["faithful", 2],
    ["fixed", 1],
  ] as const) {
    const world = new FleetWorld([{ profile }]);
    world.startAll();
    world.fleetctl("start", "a.service");
    world.run(11);
    const [{ passes = 0, scheduleTasks = 0 } = {}] = counts(world);
    expect(scheduleTasks).toBe(1);
    expect(passes).toBeGreaterThanOrEqual(5 * times);
    expect(passes % times).toBe(0);
  }
});

test("only who takes the lead notes when; a follower's metrics stay at nothing", () => {
  const world = new FleetWorld([{}, {}]);
  world.run(60);
  world.startAll();
  world.run(5);
  const leading = world.told("fleet.engine-leader").map(({ host }) => host);
  for (const [index, { leaderStart, passes }] of counts(world).entries()) {
    const leads = leading.includes(world.host(index).id);
    expect({ leads, time: leaderStart > 0, passes: passes > 0 }).toEqual({
      leads,
      time: leads,
      passes: leads,
    });
  }
});
