import {
  ableToRun,
  conflict,
  hasMetadata,
  matchesMachine,
  type NamedUnit,
  replacesOneWay,
} from "./able-to-run.js";
import {
  type ClusterState,
  type EngineJob,
  type EngineTask,
  goneReason,
  INACTIVE_REASON,
  unableReason,
  unscheduledReason,
} from "./engine-task.js";
import { Placement } from "./placement.js";

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
 * which the engine emits them. Near linear in jobs and machines; outcomes.ts is its plain twin.
 */
export function reconcilePass(cluster: ClusterState, order: PassOrder): EngineTask[] {
  const pass = new Pass(cluster, order);
  for (const job of order.unscheduling) pass.check(job);
  for (const job of secondVisit(order)) pass.place(job);
  return pass.tasks;
}

function secondVisit({ unscheduling, scheduling }: PassOrder): readonly number[] {
  if (unscheduling.length > ONE_GROUP) return scheduling;
  const start = scheduling[0] ?? 0;
  return [...unscheduling.slice(start), ...unscheduling.slice(0, start)];
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
  return jobs.length > 0 && globals.some((left) => globals.some((right) => conflict(left, right)));
}

class Pass {
  readonly tasks: EngineTask[] = [];
  readonly #cluster: ClusterState;
  readonly #order: PassOrder;
  readonly #placement: Placement;
  #decisions = 0;
  #draws = 0;

  constructor(cluster: ClusterState, order: PassOrder) {
    this.#cluster = cluster;
    this.#order = order;
    this.#placement = new Placement(cluster, order.globals);
  }

  /** Every decision looks at the cluster afresh, and so walks the globals from a new start. */
  #decide(): void {
    const starts = this.#order.globalStarts;
    this.#placement.startGlobalsAt(
      starts.length === 0 ? 0 : (starts[this.#decisions++ % starts.length] ?? 0),
    );
  }

  #pick<T>(items: readonly T[]): T | undefined {
    if (items.length < 2) return items[0];
    const { picks } = this.#order;
    return items[(picks[this.#draws++ % picks.length] ?? 0) % items.length];
  }

  /** First visit: is a scheduled job still where it can be? */
  check(index: number): void {
    const job = this.#cluster.jobs[index];
    const id = job === undefined ? null : this.#placement.targetOf(index);
    if (job === undefined || id === null) return;
    if (job.targetState === "inactive") {
      this.#unschedule(index, job, id, INACTIVE_REASON);
      return;
    }
    const machine = this.#placement.machineIndex(id);
    if (machine === undefined) {
      this.#unschedule(index, job, id, goneReason(id));
      return;
    }
    this.#decide();
    if (this.#fits(job, index, machine) && !this.#replaces(job, machine)) return;
    const placed = this.#placement.unitsOn(machine).map((unit) => this.#placement.unit(unit));
    const verdict = ableToRun(job, this.#placement.machine(machine), placed);
    if (verdict.action === "schedule") return;
    const reason = unableReason(id, this.#pick(verdict.reasons) ?? "");
    if (verdict.action === "unschedule") this.#unschedule(index, job, id, reason);
    else this.#moveAway(this.#pick(verdict.replaced) ?? "", machine, reason);
  }

  #unschedule(index: number, job: EngineJob, machine: string, reason: string): void {
    this.tasks.push({ type: "UnscheduleUnit", unit: job.name, machine, reason });
    this.#placement.move(index, null);
  }

  /**
   * Makes room by moving another unit to the least loaded other machine, whatever that unit
   * demands. It has left before it is known whether there is one.
   */
  #moveAway(unit: string, from: number, reason: string): void {
    const { id } = this.#placement.machine(from);
    this.tasks.push({ type: "UnscheduleUnit", unit, machine: id, reason });
    this.#decide();
    const to = this.#placement.leastLoaded((machine) => machine !== from);
    if (to === null) return;
    const target = this.#placement.machine(to).id;
    this.tasks.push({ type: "AttemptScheduleUnit", unit, machine: target, reason });
    const index = this.#placement.unitIndex(unit);
    if (index !== undefined && index < this.#cluster.jobs.length)
      this.#placement.move(index, target);
  }

  /** Second visit: finds a machine for a job that has none. */
  place(index: number): void {
    const job = this.#cluster.jobs[index];
    if (job === undefined || job.targetState === "inactive") return;
    if (this.#placement.targetOf(index) !== null) return;
    this.#decide();
    const machine = this.#machineFor(job, index);
    if (machine === null) return;
    const { id } = this.#placement.machine(machine);
    const reason = unscheduledReason(job.targetState);
    this.tasks.push({ type: "AttemptScheduleUnit", unit: job.name, machine: id, reason });
    this.#placement.move(index, id);
  }

  #machineFor(job: EngineJob, index: number): number | null {
    const { requiredTarget, peers } = job.requirements;
    // Where a peer that is a job is, or nowhere.
    for (const peer of peers) {
      const unit = this.#placement.unitIndex(peer);
      if (unit === undefined) return null;
      if (unit >= this.#cluster.jobs.length) continue;
      const machine = this.#placement.presentOn(unit);
      return machine !== null && this.#fits(job, index, machine) ? machine : null;
    }
    if (requiredTarget !== null) {
      const pinned = this.#placement.machinesMatching(requiredTarget);
      const able = new Set(pinned.filter((machine) => this.#fits(job, index, machine)));
      return able.size === 0 ? null : this.#placement.leastLoaded((machine) => able.has(machine));
    }
    return this.#placement.leastLoaded((machine) => this.#fits(job, index, machine));
  }

  /** AbleToRun without replaces, and without saying why. */
  #fits(job: EngineJob, index: number, machine: number): boolean {
    const { requiredTarget, metadata, peers, conflicts } = job.requirements;
    const placement = this.#placement;
    const state = placement.machine(machine);
    if (requiredTarget !== null && !matchesMachine(state.id, requiredTarget)) return false;
    if (metadata.length > 0 && !hasMetadata(state, metadata)) return false;
    for (const peer of peers) {
      const unit = placement.unitIndex(peer);
      if (unit === undefined || !placement.isOn(unit, machine)) return false;
    }
    if (conflicts.length > 0 && placement.repelsOn(index, machine)) return false;
    return !placement.anyRepels(machine) || !placement.isRepelledOn(index, machine);
  }

  #replaces(job: NamedUnit, machine: number): boolean {
    const placement = this.#placement;
    if (job.requirements.replaces.length === 0 && !placement.anyReplaces(machine)) return false;
    return placement.unitsOn(machine).some((unit) => replacesOneWay(job, placement.unit(unit)));
  }
}
