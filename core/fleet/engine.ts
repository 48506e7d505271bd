import { areContested } from "./able-to-run.js";
import { FLEET_FIXES, type FleetFixes } from "./config.js";
import { Pass, type PassDraws } from "./engine-pass.js";
import type { ClusterState, EngineTask } from "./engine-task.js";
import { FreshPlacement } from "./placement.js";

/**
 * The orders in which Go happens to walk its maps during one pass. Every field is a permutation of
 * 0 … count-1; see `orderCounts` for the counts.
 */
export interface PassOrder {
  /** Jobs, in the order in which scheduled ones are checked. */
  readonly unscheduling: readonly number[];
  /**
   * Jobs, in the order in which unscheduled ones are placed. Both visits walk one Go map: up to
   * eight entries they are rotations of one order, so only the first item counts then.
   */
  readonly scheduling: readonly number[];
  readonly globals: readonly number[];
  /** Where each decision in turn begins in `globals`. */
  readonly globalStarts: readonly number[];
  /** Drawn from, in turn, wherever one of several units is named or moved. */
  readonly picks: readonly number[];
}

const ONE_GROUP = 8;

/** How many items each permutation of a `PassOrder` has, in the order of its fields. */
export function orderCounts(cluster: ClusterState): number[] {
  const jobs = cluster.jobs.length;
  const globals = cluster.globals.length;
  return [jobs, jobs, globals, globals, jobs + globals];
}

/** A `PassOrder` from permutations with the counts of `orderCounts`. */
export function passOrder(orders: readonly (readonly number[])[]): PassOrder {
  const [unscheduling = [], scheduling = [], globals = [], globalStarts = [], picks = []] = orders;
  return { unscheduling, scheduling, globals, globalStarts, picks };
}

/** The order in which everything comes as it is listed. */
export function listedOrder(cluster: ClusterState): PassOrder {
  return passOrder(orderCounts(cluster).map(upTo));
}

function upTo(count: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(i);
  return numbers;
}

/**
 * One pass of fleet's engine (engine/reconciler.go) under one order: takes scheduled jobs off
 * machines that cannot run them, then places what is not scheduled. The tasks come in the order in
 * which the engine emits them. It begins from nothing but the cluster and looks at all of it, near
 * linear in jobs and machines. outcomes.ts is its plain twin, engine-incremental.ts the one that
 * looks only at what has changed.
 */
export function reconcilePass(
  cluster: ClusterState,
  order: PassOrder,
  fixes: FleetFixes = FLEET_FIXES.faithful,
): EngineTask[] {
  const pass = new Pass(new FreshPlacement(cluster, order.globals), passDraws(order), fixes);
  for (const job of order.unscheduling) pass.check(job);
  for (const job of secondVisit(order)) pass.place(job);
  if (fixes.rebalances && pass.tasks.length === 0) pass.rebalance();
  return pass.tasks;
}

/** What a pass draws from its order. */
export function passDraws({ globalStarts, picks }: PassOrder): PassDraws {
  return {
    globalStart: (nth) => globalStarts[nth % globalStarts.length] ?? 0,
    pick: (nth) => picks[nth % picks.length] ?? 0,
  };
}

/** The jobs in the order in which unscheduled ones are placed. */
export function secondVisit({ unscheduling, scheduling }: PassOrder): readonly number[] {
  if (unscheduling.length > ONE_GROUP) return scheduling;
  const start = scheduling[0] ?? 0;
  return [...unscheduling.slice(start), ...unscheduling.slice(0, start)];
}

/** The decisions of one pass over one registry, by whatever means. */
export interface Engine {
  /** As the function of that name. */
  orderCounts(): number[];
  /** As the function of that name. */
  orderMatters(listed: readonly EngineTask[]): boolean;
  jobCounts(): JobCounts;
  /** As `reconcilePass`; null: the order in which everything is listed. */
  decide(order: PassOrder | null): EngineTask[];
}

/** How many jobs have a machine, and how many have none and are not inactive. */
export interface JobCounts {
  readonly scheduled: number;
  readonly waiting: number;
}

/** An engine that begins from nothing but the cluster. */
export function wholeEngine(cluster: ClusterState, fixes: FleetFixes): Engine {
  return {
    orderCounts: () => orderCounts(cluster),
    orderMatters: (listed) => orderMatters(cluster, listed),
    jobCounts: () => countJobs(cluster),
    decide: (order) => reconcilePass(cluster, order ?? listedOrder(cluster), fixes),
  };
}

/** Counts the jobs of a cluster as its registry has them. */
export function countJobs({ jobs }: ClusterState): JobCounts {
  let [scheduled, waiting] = [0, 0];
  for (const { machine, targetState } of jobs) {
    if (machine !== null) scheduled++;
    else if (targetState !== "inactive") waiting++;
  }
  return { scheduled, waiting };
}

/**
 * Whether Go's map order can make a difference to a pass. Errs on the side of yes, and says no for
 * a cluster in which there is nothing to do, whatever the order.
 *
 * @param listed - the tasks of the pass under `listedOrder`
 */
export function orderMatters(cluster: ClusterState, listed: readonly EngineTask[]): boolean {
  const { jobs, globals } = cluster;
  if (listed.length > 0) return jobs.length > 1 || globals.length > 1;
  // With nothing to do, only which of two conflicting globals holds a machine can change that.
  return jobs.length > 0 && areContested(globals);
}
