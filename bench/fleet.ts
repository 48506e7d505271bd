import {
  type ClusterState,
  type EngineChange,
  type EngineJob,
  type EngineTask,
  FLEET_FIXES,
  type FleetProfile,
  IncrementalEngine,
  listedOrder,
  passOrder,
  reconcilePass,
} from "../core/fleet/index.js";
import { benchFleetPass } from "./fleet-pass.js";
import { figure, print, secondsOf } from "./report.js";

/** Machines that share a value of metadata. */
const PER_RACK = 20;
const UNITS_PER_MACHINE = 10;
/** Jobs that are new in each pass of the curve, beside the machine that is lost. */
const NEW_JOBS = 10;
const SIZES = [100, 1_000, 10_000];

/** The engine at size, and what fleet's own polling would ask of etcd there. */
export function benchFleet(): void {
  console.log("fleet: the engine with 1,000 machines, each of 10,000 units bound to a rack");
  const cold = clusterOf(1_000);
  print("cold: all units new", milliseconds(secondsOf(8, () => engineOf(cold).decide(null))));
  const settled = applied(cold, engineOf(cold).decide(null));
  const one = engineOf(settled);
  const loss: EngineChange = { kind: "drop-machine", id: settled.machines[0]?.id ?? "" };
  const back: EngineChange = { kind: "put-machine", machine: cold.machines[0] ?? NO_MACHINE };
  let moved = 0;
  const seconds = changeSeconds(one, [loss], [back], () => {
    moved = one.decide(null).length / 2;
  });
  print(`a machine lost, ${moved} units moved`, milliseconds(seconds));
  const crowd = crowded(settled);
  const crowdedEngine = engineOf(crowd);
  const stuck = crowdedEngine.jobCounts().waiting;
  const rest = secondsOf(20, () => crowdedEngine.decide(null));
  print(`nothing changed, ${stuck} units without a place`, milliseconds(rest));

  console.log(
    `fleet: a pass with a machine lost and ${NEW_JOBS} units new, as the fleet grows: told what changed, ` +
      "then also under an order of Go's, and from the whole cluster",
  );
  for (const machines of SIZES) {
    const settledAt = settle(clusterOf(machines));
    for (const profile of ["faithful", "fixed"] as const) curvePoint(settledAt, profile);
  }

  benchFleetPass(SIZES);

  console.log(
    "fleet: requests a second at etcd that fleet 1.0 makes with nothing to do (reckoned)",
  );
  for (const machines of SIZES) {
    const { reads, writes, nodes } = idleLoad(machines, machines * UNITS_PER_MACHINE);
    const text = `${figure(reads)} reads (${figure(nodes)} nodes), ${figure(writes)} writes`;
    print(`${figure(machines)} machines, ${figure(machines * UNITS_PER_MACHINE)} units`, text);
  }
}

const NO_MACHINE = { id: "", metadata: {} };

/** One line of the curve. */
function curvePoint(settled: ClusterState, profile: FleetProfile): void {
  const fixes = FLEET_FIXES[profile];
  const engine = engineOf(settled, profile);
  const machines = settled.machines.length;
  const added = newJobs(settled);
  const [machine = NO_MACHINE] = settled.machines;
  const changes: EngineChange[] = [
    { kind: "drop-machine", id: machine.id },
    ...added.map((unit): EngineChange => ({ kind: "put-unit", unit })),
  ];
  const back: EngineChange[] = [
    { kind: "put-machine", machine },
    ...added.map(({ name }): EngineChange => ({ kind: "drop-unit", name })),
  ];
  const told = changeSeconds(engine, changes, back, () => engine.decide(null));
  const counts = [settled.jobs.length + added.length, 0];
  const [jobs = [], none = []] = counts.map((count) =>
    Array.from({ length: count }, (_, i) => count - 1 - i),
  );
  const order = passOrder([jobs, jobs, none, none, jobs]);
  const ordered = changeSeconds(engine, changes, back, () => {
    engine.decide(null);
    engine.decide(order);
  });
  const changed = {
    ...settled,
    jobs: [...settled.jobs, ...added],
    machines: settled.machines.slice(1),
  };
  const listed = listedOrder(changed);
  const whole = secondsOf(3, () => {
    reconcilePass(changed, listed, fixes);
  });
  print(
    `${figure(machines)} machines, ${figure(machines * UNITS_PER_MACHINE)} units, ${profile}`,
    [told, ordered, whole].map(milliseconds).join(", "),
  );
}

/** Real seconds that the changes and the work after them take, best of many; the changes are undone each time. */
function changeSeconds(
  engine: IncrementalEngine,
  changes: readonly EngineChange[],
  back: readonly EngineChange[],
  work: () => void,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 40; i++) {
    const seconds = secondsOf(1, () => {
      for (const change of changes) engine.change(change);
      work();
    });
    best = Math.min(best, seconds);
    for (const change of back) engine.change(change);
    engine.decide(null);
  }
  return best;
}

/** An engine that has been told of a whole cluster. */
function engineOf(cluster: ClusterState, profile: FleetProfile = "faithful"): IncrementalEngine {
  const engine = new IncrementalEngine(FLEET_FIXES[profile]);
  for (const machine of cluster.machines) engine.change({ kind: "put-machine", machine });
  for (const unit of cluster.jobs) engine.change({ kind: "put-unit", unit });
  return engine;
}

/** Machines in racks, and ten times as many units, none of them scheduled. */
function clusterOf(machines: number): ClusterState {
  const racks = Math.max(1, Math.floor(machines / PER_RACK));
  return {
    machines: Array.from({ length: machines }, (_, i) => ({
      id: i.toString(16).padStart(32, "0"),
      metadata: { rack: `r${i % racks}` },
    })),
    jobs: Array.from({ length: machines * UNITS_PER_MACHINE }, (_, i) => jobOf(i, racks)),
    globals: [],
  };
}

function jobOf(index: number, racks: number): EngineJob {
  return {
    name: `unit-${String(index).padStart(7, "0")}.service`,
    targetState: "launched",
    machine: null,
    requirements: {
      requiredTarget: null,
      metadata: [{ key: "rack", values: [`r${index % racks}`] }],
      peers: [],
      conflicts: [],
      replaces: [],
      global: false,
    },
  };
}

function settle(cluster: ClusterState): ClusterState {
  return applied(cluster, engineOf(cluster).decide(null));
}

function applied(cluster: ClusterState, tasks: readonly EngineTask[]): ClusterState {
  const targets = new Map(tasks.map(({ unit, machine }) => [unit, machine]));
  const jobs = cluster.jobs.map((job) => ({
    ...job,
    machine: targets.get(job.name) ?? job.machine,
  }));
  return { ...cluster, jobs };
}

/** Jobs that are not there yet; they come last by name. */
function newJobs({ jobs, machines }: ClusterState): EngineJob[] {
  const racks = Math.max(1, Math.floor(machines.length / PER_RACK));
  return Array.from({ length: NEW_JOBS }, (_, i) => jobOf(jobs.length + i, racks));
}

/** With a kind of unit of which there is one more than one on each machine, for every ten machines. */
function crowded({ jobs, machines, globals }: ClusterState): ClusterState {
  const count = Math.floor(machines.length * 1.1);
  const apart = Array.from({ length: count }, (_, i): EngineJob => {
    const { requirements } = jobOf(0, 1);
    return {
      name: `web@${String(i).padStart(7, "0")}.service`,
      targetState: "launched",
      machine: machines[i]?.id ?? null,
      requirements: { ...requirements, metadata: [], conflicts: ["web@*"] },
    };
  });
  return { jobs: [...jobs, ...apart], machines, globals };
}

function milliseconds(seconds: number): string {
  if (seconds < 0.001) return `${(seconds * 1_000_000).toFixed(0)} µs`;
  return `${(seconds * 1_000).toFixed(1)} ms`;
}

/**
 * What all fleetds together ask of etcd each second by their timers, as fleet 1.0 sets them: an
 * agent reads jobs, unit files, schedule, unit states and its machine every 5 s; an engine reads version
 * and lease every 2 s, and the one that leads renews and reads everything; presence is written every
 * 15 s, heartbeats and both unit states of each unit every 24 s. `nodes` are the keys that the reads of
 * directories return: four of each job, twice, one of each unit file and one of each state.
 */
function idleLoad(machines: number, units: number) {
  const agents = (machines * 5) / 5;
  const engines = (machines * 2) / 2 + 5 / 2;
  const nodes = (machines / 5 + 1 / 2) * (2 * 4 * units + 2 * units) + machines / 2;
  const writes = machines / 15 + (3 * units) / 24 + 1 / 2;
  return { reads: agents + engines, nodes, writes };
}
