import {
  type ClusterState,
  type EngineJob,
  type EngineTask,
  FLEET_FIXES,
  listedOrder,
  reconcilePass,
} from "../core/fleet/index.js";
import { figure, print, secondsOf } from "./report.js";

/** Machines that share a value of metadata. */
const PER_RACK = 20;
const UNITS_PER_MACHINE = 10;
/** Jobs that are new in each pass of the curve, beside the machine that is lost. */
const NEW_JOBS = 10;

/** The engine at size, and what fleet's own polling would ask of etcd there. */
export function benchFleet(): void {
  console.log("fleet: one pass of the engine, each unit bound to a rack by metadata");
  const cold = clusterOf(1_000);
  print("1,000 machines, 10,000 new units", milliseconds(passSeconds(5, cold)));
  const settled = settle(cold);
  const lost = { ...settled, machines: settled.machines.slice(1) };
  const moved = reconcilePass(lost, listedOrder(lost)).length / 2;
  print(`the same, a machine lost, ${moved} units moved`, milliseconds(passSeconds(5, lost)));

  console.log(`fleet: a pass with a machine lost and ${NEW_JOBS} units new, as the fleet grows`);
  for (const machines of [100, 1_000, 10_000]) {
    const changed = change(settle(clusterOf(machines)));
    for (const profile of ["faithful", "fixed"] as const) {
      const seconds = passSeconds(3, changed, FLEET_FIXES[profile]);
      const units = machines * UNITS_PER_MACHINE;
      print(
        `${figure(machines)} machines, ${figure(units)} units, ${profile}`,
        milliseconds(seconds),
      );
    }
  }

  console.log(
    "fleet: requests a second at etcd that fleet 1.0 makes with nothing to do (reckoned)",
  );
  for (const machines of [100, 1_000, 10_000]) {
    const { reads, writes, nodes } = idleLoad(machines, machines * UNITS_PER_MACHINE);
    const text = `${figure(reads)} reads (${figure(nodes)} nodes), ${figure(writes)} writes`;
    print(`${figure(machines)} machines, ${figure(machines * UNITS_PER_MACHINE)} units`, text);
  }
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
  return applied(cluster, reconcilePass(cluster, listedOrder(cluster)));
}

function applied(cluster: ClusterState, tasks: readonly EngineTask[]): ClusterState {
  const targets = new Map(tasks.map(({ unit, machine }) => [unit, machine]));
  const jobs = cluster.jobs.map((job) => ({
    ...job,
    machine: targets.get(job.name) ?? job.machine,
  }));
  return { ...cluster, jobs };
}

/** The first machine is gone, and some jobs are not scheduled yet. */
function change(cluster: ClusterState): ClusterState {
  const first = cluster.jobs.length - NEW_JOBS;
  const jobs = cluster.jobs.map((job, i) => (i < first ? job : { ...job, machine: null }));
  return { ...cluster, jobs, machines: cluster.machines.slice(1) };
}

function passSeconds(runs: number, cluster: ClusterState, fixes = FLEET_FIXES.faithful): number {
  const order = listedOrder(cluster);
  return secondsOf(runs, () => {
    reconcilePass(cluster, order, fixes);
  });
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1_000).toFixed(1)} ms`;
}

/**
 * What all fleetds together ask of etcd each second by their timers, as fleet 1.0 sets them: an
 * agent reads jobs, unit files, schedule and its machine every 5 s; an engine reads version and lease
 * every 2 s, and the one that leads renews and reads everything; presence is written every 15 s,
 * heartbeats and both unit states of each unit every 24 s. `nodes` are the keys that the reads of
 * directories return: four of each job, twice, and one of each unit file.
 */
function idleLoad(machines: number, units: number) {
  const agents = (machines * 4) / 5;
  const engines = (machines * 2) / 2 + 4 / 2;
  const nodes = (machines / 5 + 1 / 2) * (2 * 4 * units + units) + machines / 2;
  const writes = machines / 15 + (3 * units) / 24 + 1 / 2;
  return { reads: agents + engines, nodes, writes };
}
