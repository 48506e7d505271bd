import {
  ableToRun,
  anyGlobMatches,
  conflict,
  hasMetadata,
  matchesMachine,
  type NamedUnit,
  replaceReason,
  replacesOneWay,
} from "./able-to-run.js";
import { FLEET_FIXES, type FleetFixes } from "./config.js";
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
import { isTemplate } from "./unit-name.js";

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

const BALANCE_REASON = "another Machine has two units fewer";

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
export function reconcilePass(
  cluster: ClusterState,
  order: PassOrder,
  fixes: FleetFixes = FLEET_FIXES.faithful,
): EngineTask[] {
  const pass = new Pass(cluster, order, fixes);
  for (const job of order.unscheduling) pass.check(job);
  for (const job of secondVisit(order)) pass.place(job);
  if (fixes.rebalances && pass.tasks.length === 0) pass.rebalance();
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
  readonly #fixes: FleetFixes;
  #decisions = 0;
  #draws = 0;

  constructor(cluster: ClusterState, order: PassOrder, fixes: FleetFixes) {
    this.#fixes = fixes;
    this.#cluster = cluster;
    this.#order = order;
    this.#placement = new Placement(cluster, order.globals);
  }

  /** Every decision looks at the cluster afresh, and so walks the globals from a new start. */
  #decide(): void {
    if (this.#fixes.visitsByName) return;
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
    const fits = this.#fits(job, index, machine);
    if (fits && this.#fixes.replacedMoves) {
      this.#makeRoom(job, machine);
      return;
    }
    if (fits && !this.#replaces(job, machine)) return;
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

  /** `replacedMoves`: what the job replaces leaves its machine, if it can run on another. */
  #makeRoom(job: EngineJob, machine: number): void {
    const placement = this.#placement;
    if (job.requirements.replaces.length === 0) return;
    const id = placement.machine(machine).id;
    for (const index of placement.unitsOn(machine)) {
      const other = this.#cluster.jobs[index];
      if (other === undefined || !this.#takesPlaceOf(job, other)) continue;
      // What the job itself has to be with cannot leave it.
      if (job.requirements.peers.includes(other.name)) continue;
      const to = placement.leastLoaded(
        (candidate) =>
          candidate !== machine &&
          this.#fits(other, index, candidate) &&
          !this.#isReplacedOn(other, candidate),
      );
      if (to === null) continue;
      const reason = unableReason(id, replaceReason(job.name));
      this.#transfer(index, other, id, placement.machine(to).id, reason);
    }
  }

  #takesPlaceOf(job: NamedUnit, other: NamedUnit): boolean {
    return replacesOneWay(job, other) && anyGlobMatches(job.requirements.replaces, other.name);
  }

  #isReplacedOn(job: NamedUnit, machine: number): boolean {
    const placement = this.#placement;
    if (!placement.anyReplaces(machine)) return false;
    return placement.unitsOn(machine).some((unit) => this.#takesPlaceOf(placement.unit(unit), job));
  }

  #transfer(index: number, job: EngineJob, from: string, to: string, reason: string): void {
    this.tasks.push({ type: "UnscheduleUnit", unit: job.name, machine: from, reason });
    this.tasks.push({ type: "AttemptScheduleUnit", unit: job.name, machine: to, reason });
    this.#placement.move(index, to);
  }

  /**
   * `rebalances`: one job goes from the machine with the most units to the one with the fewest, if
   * that has at least two fewer. Each such step makes the loads more equal, so it comes to an end.
   * A job that is bound to others, or others to it, stays.
   */
  rebalance(): void {
    const placement = this.#placement;
    const to = placement.leastLoaded(() => true);
    if (to === null) return;
    let from = to;
    for (let machine = 0; machine < this.#cluster.machines.length; machine++) {
      if (placement.unitsOn(machine).length > placement.unitsOn(from).length) from = machine;
    }
    if (placement.unitsOn(from).length - placement.unitsOn(to).length < 2) return;
    const bound = new Set(this.#cluster.jobs.flatMap(({ requirements }) => requirements.peers));
    for (const index of placement.unitsOn(from).sort((left, right) => left - right)) {
      const job = this.#cluster.jobs[index];
      if (job === undefined || job.requirements.peers.length > 0 || bound.has(job.name)) continue;
      if (!this.#fits(job, index, to) || this.#isReplacedOn(job, to)) continue;
      const ids = [from, to].map((machine) => placement.machine(machine).id);
      this.#transfer(index, job, ids[0] ?? "", ids[1] ?? "", BALANCE_REASON);
      return;
    }
  }

  /** Second visit: finds a machine for a job that has none. */
  place(index: number): void {
    const job = this.#cluster.jobs[index];
    if (job === undefined || job.targetState === "inactive") return;
    if (this.#fixes.statesAreKnown && job.targetState === "") return;
    if (this.#fixes.tasksGoOn && isTemplate(job.name)) return;
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
    const fits = (machine: number): boolean => this.#fits(job, index, machine);
    if (!this.#fixes.replacedMoves) return this.#placement.leastLoaded(fits);
    // Where it would have to leave again only if there is no other place.
    const lasting = (machine: number): boolean =>
      fits(machine) && !this.#isReplacedOn(job, machine);
    return this.#placement.leastLoaded(lasting) ?? this.#placement.leastLoaded(fits);
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
