import {
  ableToRun,
  anyGlobMatches,
  hasMetadata,
  matchesMachine,
  type NamedUnit,
  replaceReason,
  replacesOneWay,
} from "./able-to-run.js";
import type { FleetFixes } from "./config.js";
import {
  type EngineJob,
  type EngineTask,
  goneReason,
  INACTIVE_REASON,
  unableReason,
  unscheduledReason,
} from "./engine-task.js";
import type { Placement } from "./placement.js";
import { isTemplate } from "./unit-name.js";

const BALANCE_REASON = "another Machine has two units fewer";

/** Where a pass takes from what Go's map order decides. Both are asked with 0, 1, 2 … in turn. */
export interface PassDraws {
  /** Where the nth decision begins among the globals. */
  globalStart(nth: number): number;
  /** Any number from 0, from which the nth choice among several units follows. */
  pick(nth: number): number;
}

/**
 * What fleet's engine decides about one unit after the other (engine/reconciler.go). Which units are
 * looked at, and in which order, is up to the caller: all of them (engine.ts), or those for which
 * something can have changed (engine-incremental.ts).
 */
export class Pass {
  readonly tasks: EngineTask[] = [];
  readonly #placement: Placement;
  readonly #draws: PassDraws;
  readonly #fixes: FleetFixes;
  #decisions = 0;
  #picks = 0;

  constructor(placement: Placement, draws: PassDraws, fixes: FleetFixes) {
    this.#placement = placement;
    this.#draws = draws;
    this.#fixes = fixes;
  }

  /** Every decision looks at the cluster afresh, and so walks the globals from a new start. */
  #decide(): void {
    if (this.#fixes.visitsByName) return;
    this.#placement.startGlobalsAt(this.#draws.globalStart(this.#decisions++));
  }

  #pick<T>(items: readonly T[]): T | undefined {
    if (items.length < 2) return items[0];
    return items[this.#draws.pick(this.#picks++) % items.length];
  }

  /**
   * First visit: is a scheduled job still where it can be? Returns whether the answer stays a plain
   * yes for as long as its machine and the units there stay as they are.
   */
  check(unit: number): boolean {
    const placement = this.#placement;
    const job = placement.job(unit);
    const id = job === undefined ? null : placement.targetOf(unit);
    if (job === undefined || id === null) return true;
    if (job.targetState === "inactive") {
      this.#unschedule(unit, job, id, INACTIVE_REASON);
      return false;
    }
    const machine = placement.machineIndex(id);
    if (machine === undefined) {
      this.#unschedule(unit, job, id, goneReason(id));
      return false;
    }
    this.#decide();
    const fits = this.#fits(job, unit, machine);
    if (fits && this.#fixes.replacedMoves) return !this.#makeRoom(job, machine);
    if (fits && !this.#replaces(job, machine)) return true;
    const placed = placement.unitsOn(machine).map((other) => placement.unit(other));
    const verdict = ableToRun(job, placement.machine(machine), placed);
    if (verdict.action === "schedule") return false;
    const reason = unableReason(id, this.#pick(verdict.reasons) ?? "");
    if (verdict.action === "unschedule") this.#unschedule(unit, job, id, reason);
    else this.#moveAway(this.#pick(verdict.replaced) ?? "", machine, reason);
    return false;
  }

  #unschedule(unit: number, job: EngineJob, machine: string, reason: string): void {
    this.tasks.push({ type: "UnscheduleUnit", unit: job.name, machine, reason });
    this.#placement.move(unit, null);
  }

  /**
   * Makes room by moving another unit to the least loaded other machine, whatever that unit
   * demands. It has left before it is known whether there is one.
   */
  #moveAway(name: string, from: number, reason: string): void {
    const placement = this.#placement;
    const { id } = placement.machine(from);
    this.tasks.push({ type: "UnscheduleUnit", unit: name, machine: id, reason });
    this.#decide();
    const to = placement.leastLoaded((machine) => machine !== from);
    if (to === null) return;
    const target = placement.machine(to).id;
    this.tasks.push({ type: "AttemptScheduleUnit", unit: name, machine: target, reason });
    const unit = placement.unitIndex(name);
    if (unit !== undefined && placement.job(unit) !== undefined) placement.move(unit, target);
  }

  /**
   * `replacedMoves`: what the job replaces leaves its machine, if it can run on another. Returns
   * whether there is anything of the kind, moved or not.
   */
  #makeRoom(job: EngineJob, machine: number): boolean {
    const placement = this.#placement;
    if (job.requirements.replaces.length === 0) return false;
    const { id } = placement.machine(machine);
    let found = false;
    for (const unit of placement.unitsOn(machine)) {
      const other = placement.job(unit);
      if (other === undefined || !takesPlaceOf(job, other)) continue;
      // What the job itself has to be with cannot leave it.
      if (job.requirements.peers.includes(other.name)) continue;
      found = true;
      const to = placement.leastLoadedFor(
        unit,
        (candidate) =>
          candidate !== machine &&
          this.#fits(other, unit, candidate) &&
          !this.#isReplacedOn(other, candidate),
      );
      if (to === null) continue;
      const reason = unableReason(id, replaceReason(job.name));
      this.#transfer(unit, other, id, placement.machine(to).id, reason);
    }
    return found;
  }

  #isReplacedOn(job: NamedUnit, machine: number): boolean {
    const placement = this.#placement;
    if (!placement.anyReplaces(machine)) return false;
    return placement.unitsOn(machine).some((unit) => takesPlaceOf(placement.unit(unit), job));
  }

  #transfer(unit: number, job: EngineJob, from: string, to: string, reason: string): void {
    this.tasks.push({ type: "UnscheduleUnit", unit: job.name, machine: from, reason });
    this.tasks.push({ type: "AttemptScheduleUnit", unit: job.name, machine: to, reason });
    this.#placement.move(unit, to);
  }

  /**
   * `rebalances`: one job goes from the machine with the most units to the one with the fewest, if
   * that has at least two fewer. Each such step makes the loads more equal, so it comes to an end.
   * A job that is bound to others, or others to it, stays. Only for a pass without tasks so far.
   */
  rebalance(): void {
    const placement = this.#placement;
    const to = placement.leastLoaded(() => true);
    const from = placement.mostLoaded();
    if (to === null || from === null) return;
    const units = placement.unitsOn(from);
    if (units.length - placement.unitsOn(to).length < 2) return;
    for (const unit of units) {
      const job = placement.job(unit);
      if (job === undefined || job.requirements.peers.length > 0) continue;
      if (placement.isPeer(job.name) || !this.#fits(job, unit, to) || this.#isReplacedOn(job, to))
        continue;
      const [source, target] = [placement.machine(from).id, placement.machine(to).id];
      this.#transfer(unit, job, source, target, BALANCE_REASON);
      return;
    }
  }

  /** Second visit: finds a machine for a job that has none. */
  place(unit: number): void {
    const placement = this.#placement;
    const job = placement.job(unit);
    if (job === undefined || job.targetState === "inactive") return;
    if (this.#fixes.statesAreKnown && job.targetState === "") return;
    if (this.#fixes.tasksGoOn && isTemplate(job.name)) return;
    if (placement.targetOf(unit) !== null) return;
    this.#decide();
    const machine = this.#machineFor(job, unit);
    if (machine === null) return;
    const { id } = placement.machine(machine);
    const reason = unscheduledReason(job.targetState);
    this.tasks.push({ type: "AttemptScheduleUnit", unit: job.name, machine: id, reason });
    placement.move(unit, id);
  }

  #machineFor(job: EngineJob, unit: number): number | null {
    const placement = this.#placement;
    const fits = (machine: number): boolean => this.#fits(job, unit, machine);
    // Where a peer that is a job is, or nowhere.
    for (const name of job.requirements.peers) {
      const peer = placement.unitIndex(name);
      if (peer === undefined) return null;
      if (placement.job(peer) === undefined) continue;
      const machine = placement.presentOn(peer);
      return machine !== null && fits(machine) ? machine : null;
    }
    let found: number | null = null;
    // Where it would have to leave again only if there is no other place.
    if (this.#fixes.replacedMoves && job.requirements.requiredTarget === null) {
      found = placement.leastLoadedFor(
        unit,
        (machine) => fits(machine) && !this.#isReplacedOn(job, machine),
      );
    }
    found ??= placement.leastLoadedFor(unit, fits);
    if (found === null) placement.fitsNowhere(unit);
    return found;
  }

  /** AbleToRun without replaces, and without saying why. */
  #fits(job: EngineJob, unit: number, machine: number): boolean {
    const { requiredTarget, metadata, peers, conflicts } = job.requirements;
    const placement = this.#placement;
    const state = placement.machine(machine);
    if (requiredTarget !== null && !matchesMachine(state.id, requiredTarget)) return false;
    if (metadata.length > 0 && !hasMetadata(state, metadata)) return false;
    for (const name of peers) {
      const peer = placement.unitIndex(name);
      if (peer === undefined || !placement.isOn(peer, machine)) return false;
    }
    if (conflicts.length > 0 && placement.repelsOn(unit, machine)) return false;
    return !placement.anyRepels(machine) || !placement.isRepelledOn(unit, machine);
  }

  #replaces(job: NamedUnit, machine: number): boolean {
    const placement = this.#placement;
    if (job.requirements.replaces.length === 0 && !placement.anyReplaces(machine)) return false;
    return placement.unitsOn(machine).some((unit) => replacesOneWay(job, placement.unit(unit)));
  }
}

function takesPlaceOf(job: NamedUnit, other: NamedUnit): boolean {
  return replacesOneWay(job, other) && anyGlobMatches(job.requirements.replaces, other.name);
}
