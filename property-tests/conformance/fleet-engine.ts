import {
  type ClusterState,
  type EngineTask,
  FLEET_FIXES,
  IncrementalEngine,
  listedOrder,
  type MachineState,
  passOutcomes,
  reachableSchedules,
  reconcilePass,
} from "../../core/fleet/index.js";
import { asSet, canonical, compareRows, namedUnit, type WitnessUnit } from "./fleet-witness.js";
import type { Suite } from "./suite.js";

/** One pass of fleet's engine as a set of task lists, and what repeated passes lead to. */
export const fleetEngine: Suite = {
  name: "fleet-engine",
  about: "all outcomes of an engine pass, fixed points and cycles, against coreos/fleet 45224983",
  run(dataDir, report) {
    compareRows<EngineCase>(dataDir, "fleet-engine/engine.jsonl", report, engineCase);
  },
};

type Task = readonly [type: string, unit: string, machine: string, reason: string];
type Schedule = Readonly<Record<string, string>>;

interface EngineCase {
  readonly id: string;
  readonly machines: readonly MachineState[];
  readonly units: readonly WitnessUnit[];
  readonly schedule: Schedule;
  readonly tasks: readonly Task[];
  readonly outcomes: readonly (readonly number[])[];
  /** False when the sampled outcomes are a lower bound. */
  readonly complete: boolean;
  readonly reach?: {
    readonly truncated?: boolean;
    readonly complete?: boolean;
    readonly states: number;
    readonly fixed: readonly Schedule[];
    readonly cycles: readonly (readonly Schedule[])[];
  };
}

/** The witness gives up on a cluster with more schedules than this. */
const SCHEDULE_LIMIT = 40;

function engineCase(row: EngineCase): { readonly expected: unknown; readonly actual: unknown } {
  const cluster = clusterOf(row);
  const sampled = asSet(row.outcomes.map((outcome) => outcome.map((index) => row.tasks[index])));
  const all = asSet(
    passOutcomes(cluster).map((tasks) =>
      tasks.map(({ type, unit, machine, reason }): Task => [type, unit, machine, reason]),
    ),
  );
  const outcomes = row.complete ? all : all.filter((outcome) => sampled.includes(outcome));
  // So do the two engines that follow one order: the one from the whole cluster, and fleetd's.
  const isOutcome = (tasks: readonly EngineTask[]): boolean =>
    all.includes(
      canonical(tasks.map(({ type, unit, machine, reason }) => [type, unit, machine, reason])),
    );
  const fast =
    isOutcome(reconcilePass(cluster, listedOrder(cluster))) &&
    isOutcome(engineOf(cluster).decide(null));
  const expected = { outcomes: sampled, fast: true, reach: expectedReach(row) };
  return {
    expected,
    actual: { outcomes, fast, reach: actualReach(row, cluster) },
  };
}

function clusterOf(row: EngineCase): ClusterState {
  const units = row.units.map((unit) => ({
    ...namedUnit(unit),
    targetState: unit.target,
    machine: row.schedule[unit.name] ?? null,
  }));
  return {
    machines: row.machines,
    jobs: units.filter(({ requirements }) => !requirements.global),
    globals: units.filter(({ requirements }) => requirements.global),
  };
}

/** fleetd's own engine, told of the cluster as of changes. */
function engineOf({ jobs, globals, machines }: ClusterState): IncrementalEngine {
  const engine = new IncrementalEngine(FLEET_FIXES.faithful);
  for (const machine of machines) engine.change({ kind: "put-machine", machine });
  for (const unit of jobs) engine.change({ kind: "put-unit", unit });
  for (const global of globals) {
    engine.change({
      kind: "put-unit",
      unit: { ...global, targetState: "launched", machine: null },
    });
  }
  return engine;
}

function hasReach(row: EngineCase): boolean {
  return row.reach !== undefined && row.reach.truncated !== true && row.reach.complete !== false;
}

function expectedReach(row: EngineCase): unknown {
  if (row.reach === undefined || !hasReach(row)) return null;
  const { states, fixed, cycles } = row.reach;
  return { states, fixed: asSet(fixed), cycles: asSet(cycles.map(asSet)) };
}

function actualReach(row: EngineCase, cluster: ClusterState): unknown {
  if (!hasReach(row)) return null;
  const reach = reachableSchedules(cluster, row.schedule, SCHEDULE_LIMIT);
  if (reach === null) return `more than ${SCHEDULE_LIMIT} schedules`;
  return {
    states: reach.states,
    fixed: asSet(reach.fixed),
    cycles: asSet(reach.cycles.map(asSet)),
  };
}
