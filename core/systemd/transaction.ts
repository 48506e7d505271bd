import type { JobMode } from "./client.js";
import {
  activeState,
  affected,
  type Dispatch,
  edges,
  isActiveOrActivating,
  isInactiveOrFailed,
  jobOf,
  linked,
} from "./context.js";
import type { Effect } from "./dependency.js";
import { loadUnit } from "./graph.js";
import { hashOrder } from "./hash-order.js";
import {
  collapseType,
  compareJobs,
  conflicting,
  finishJob,
  installJob,
  isRedundant,
  mergeTypes,
  type RequestedJobType,
} from "./job.js";
import type { Unit } from "./state.js";
import type { JobType } from "./types.js";
import { canReload } from "./unit-actions.js";

/** A job of a transaction: planned, not installed. */
interface Planned {
  readonly id: number;
  readonly unit: string;
  type: JobType;
  ignoreOrder: boolean;
  /** Ids of the jobs this one pulled in, and whether it fails without them. */
  readonly needs: Map<number, { readonly matters: boolean; readonly conflicts: boolean }>;
  /** Ids of the jobs that pulled this one in. */
  readonly neededBy: Set<number>;
  matters: boolean;
}

const ERROR = "org.freedesktop.systemd1";

/** Why a transaction cannot be applied: a D-Bus error name and its text. */
export class Refused extends Error {
  readonly error: string;
  /** The job type does not apply to the unit: whoever pulled it in goes on without it. */
  readonly soft: boolean;
  constructor(error: string, message: string, soft = false) {
    super(message);
    this.error = error;
    this.soft = soft;
  }
}

/** A change to the job queue: the plan of one call, made consistent before any of it is applied. */
export class Transaction {
  readonly #dispatch: Dispatch;
  readonly #planned = new Map<number, Planned>();
  readonly #byUnit = new Map<string, Set<number>>();
  #next = 1;
  anchor = 0;

  constructor(dispatch: Dispatch) {
    this.#dispatch = dispatch;
  }

  /** transaction_add_job_and_dependencies */
  add(
    type: JobType,
    unit: Unit,
    by: Planned | null,
    link: { readonly matters: boolean; readonly conflicts: boolean },
    flags: Flags,
  ): void {
    if (type !== "stop") this.#checkLoaded(unit);
    checkApplicable(unit, type);
    const { job, isNew } = this.#plan(type, unit.name);
    job.ignoreOrder ||= flags.ignoreOrder;
    if (by === null) this.anchor = job.id;
    else {
      const before = by.needs.get(job.id);
      by.needs.set(job.id, {
        matters: link.matters || before?.matters === true,
        conflicts: link.conflicts || before?.conflicts === true,
      });
      job.neededBy.add(by.id);
    }
    if (isNew && !flags.ignoreRequirements && type !== "nop") {
      this.#addDependencies(job, unit, { ...flags, ignoreRequirements: false });
    }
  }

  /** A unit whose file was not there when it was first named may have one by now. */
  #checkLoaded(unit: Unit): void {
    if (unit.load === "not-found") loadUnit(this.#dispatch, unit.name);
    checkLoaded(unit);
  }

  #addDependencies(job: Planned, unit: Unit, flags: Flags): void {
    const { type } = job;
    if (type === "start" || type === "restart") {
      this.#pull(job, unit, "pullInStart", "start", { matters: true, conflicts: false }, flags);
      this.#pull(job, unit, "pullInStartIgnored", "start", IGNORED, flags);
      this.#pull(
        job,
        unit,
        "pullInVerify",
        "verify-active",
        { matters: true, conflicts: false },
        flags,
      );
      this.#pull(job, unit, "pullInStop", "stop", { matters: true, conflicts: true }, flags);
      this.#pull(job, unit, "pullInStopIgnored", "stop", IGNORED, flags);
    }
    if (type === "stop") {
      this.#pull(job, unit, "propagateStop", "stop", { matters: true, conflicts: false }, flags);
    } else if (type === "restart") {
      const link = { matters: true, conflicts: false };
      this.#pull(job, unit, "propagateRestart", "try-restart", link, flags);
    } else if (type === "reload") this.#propagateReload(job, unit, flags);
  }

  #pull(
    job: Planned,
    unit: Unit,
    effect: Effect,
    type: RequestedJobType,
    link: { readonly matters: boolean; readonly conflicts: boolean },
    flags: Flags,
  ): void {
    for (const other of affected(this.#dispatch.state, unit, effect)) {
      const plain = collapseType(type, activeState(other));
      if (type === "try-restart" && plain === "nop") continue;
      this.#tryAdd(plain, other, job, link, flags);
    }
  }

  /** transaction_add_propagate_reload_jobs */
  #propagateReload(job: Planned, unit: Unit, flags: Flags): void {
    for (const other of linked(this.#dispatch.state, unit, "propagatesReloadTo")) {
      if (collapseType("try-reload", activeState(other)) === "nop") continue;
      this.#tryAdd("reload", other, job, IGNORED, flags);
    }
  }

  /** What cannot be done at all is left out; what is needed and fails, fails the transaction. */
  #tryAdd(
    type: JobType,
    unit: Unit,
    by: Planned,
    link: { readonly matters: boolean; readonly conflicts: boolean },
    flags: Flags,
  ): void {
    try {
      this.add(type, unit, by, link, flags);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (link.matters && !error.soft) throw error;
    }
  }

  #plan(type: JobType, unit: string): { job: Planned; isNew: boolean } {
    const ids = this.#byUnit.get(unit) ?? new Set<number>();
    for (const id of ids) {
      const job = this.#planned.get(id);
      if (job?.type === type) return { job, isNew: false };
    }
    const job: Planned = {
      id: this.#next++,
      unit,
      type,
      ignoreOrder: false,
      needs: new Map(),
      neededBy: new Set(),
      matters: false,
    };
    this.#planned.set(job.id, job);
    // The newest comes first, and stands for the unit where one job has to.
    this.#byUnit.set(unit, new Set([job.id, ...ids]));
    return { job, isNew: true };
  }

  /** Stops everything that is not part of the transaction (transaction_add_isolate_jobs). */
  addIsolation(): void {
    const anchor = this.#planned.get(this.anchor);
    if (anchor === undefined) return;
    const { state } = this.#dispatch;
    for (const name of [...hashOrder(state, state.units.keys())]) {
      const unit = state.units.get(name);
      if (unit === undefined || !this.#isToStop(unit)) continue;
      // What a timer or a socket that stays may start, may stay.
      if (linked(state, unit, "triggeredBy").some((other) => !this.#stopsOnIsolate(other)))
        continue;
      this.#tryAdd("stop", unit, anchor, { matters: true, conflicts: false }, NO_FLAGS);
    }
  }

  /** Stops what might start the unit again (transaction_add_triggering_jobs). */
  addTriggering(unit: Unit): void {
    const anchor = this.#planned.get(this.anchor);
    if (anchor === undefined) return;
    for (const trigger of linked(this.#dispatch.state, unit, "triggeredBy")) {
      if (isInactiveOrFailed(activeState(trigger)) && trigger.job === 0) continue;
      if (this.#byUnit.has(trigger.name)) continue;
      this.#tryAdd("stop", trigger, anchor, { matters: true, conflicts: false }, NO_FLAGS);
    }
  }

  #isToStop(unit: Unit): boolean {
    if (isInactiveOrFailed(activeState(unit)) && unit.job === 0) return false;
    return this.#stopsOnIsolate(unit);
  }

  #stopsOnIsolate(unit: Unit): boolean {
    return !unit.config.ignoreOnIsolate && !this.#byUnit.has(unit.name);
  }

  /** A transaction about nothing but the reloads of others. */
  addReloads(unit: Unit): void {
    const flags = { ignoreRequirements: true, ignoreOrder: true };
    this.add("nop", unit, null, { matters: false, conflicts: false }, flags);
    const anchor = this.#planned.get(this.anchor);
    if (anchor === undefined) return;
    this.#propagateReload(anchor, unit, NO_FLAGS);
    this.activate("fail", false);
  }

  /** transaction_activate; the id of the anchor's job. */
  activate(mode: JobMode, irreversible: boolean): number {
    this.#markWhatMatters(this.anchor);
    if (mode === "fail") this.#minimizeImpact();
    this.#dropRedundant();
    do {
      if (mode !== "isolate") this.#collectGarbage();
    } while (this.#breakOneCycle());
    while (!this.#merge()) {
      if (mode !== "isolate") this.#collectGarbage();
    }
    this.#dropRedundant();
    this.#checkDestructive(mode);
    return this.#apply(mode, irreversible);
  }

  #markWhatMatters(id: number): void {
    const job = this.#planned.get(id);
    if (job === undefined || job.matters) return;
    job.matters = true;
    for (const [needed, link] of job.needs) if (link.matters) this.#markWhatMatters(needed);
  }

  #unitsInOrder(): string[] {
    return [...hashOrder(this.#dispatch.state, this.#byUnit.keys())];
  }

  /** Ids of the jobs of each unit. */
  #inOrder(): Iterable<number>[] {
    return this.#unitsInOrder().map((unit) => [...(this.#byUnit.get(unit) ?? [])]);
  }

  #jobsInOrder(): Planned[] {
    // Without a key, as they were planned.
    if (this.#dispatch.state.hashKey === undefined) return [...this.#planned.values()];
    return this.#inOrder().flatMap((ids) => this.#jobs(ids));
  }

  #unit(job: Planned): Unit | undefined {
    return this.#dispatch.state.units.get(job.unit);
  }

  /** Mode `fail`: what does not matter neither stops what runs nor changes a queued job. */
  #minimizeImpact(): void {
    for (const job of this.#jobsInOrder()) {
      const unit = this.#unit(job);
      // One that was deleted takes along those that need it.
      if (job.matters || unit === undefined || !this.#planned.has(job.id)) continue;
      const stops = job.type === "stop" && isActiveOrActivating(activeState(unit));
      const queued = jobOf(this.#dispatch, job.unit);
      if (stops || (queued !== null && conflicting(job.type, queued.type))) {
        this.#delete(job, true);
      }
    }
  }

  #dropRedundant(): void {
    for (const ids of this.#inOrder()) {
      const jobs = this.#jobs(ids);
      if (jobs.length === 0 || jobs.some((job) => !this.#isDroppable(job))) continue;
      for (const job of jobs) this.#delete(job, false);
    }
  }

  #isDroppable(job: Planned): boolean {
    const unit = this.#unit(job);
    if (job.id === this.anchor || unit === undefined) return false;
    if (!isRedundant(job.type, activeState(unit))) return false;
    const queued = jobOf(this.#dispatch, job.unit);
    return queued === null || !conflicting(job.type, queued.type);
  }

  /**
   * Drops what no other job needs any more. Of each unit systemd looks at the newest job alone: an older one
   * behind it stays, though nothing needs it, and may yet be what the transaction fails by.
   */
  #collectGarbage(): void {
    for (let again = true; again; ) {
      again = false;
      for (const ids of this.#inOrder()) {
        const [newest] = this.#jobs(ids);
        if (newest === undefined || newest.id === this.anchor) continue;
        if (newest.neededBy.size > 0) continue;
        this.#delete(newest, true);
        again = true;
      }
    }
  }

  #jobs(ids: Iterable<number>): Planned[] {
    const jobs: Planned[] = [];
    for (const id of ids) {
      const job = this.#planned.get(id);
      if (job !== undefined) jobs.push(job);
    }
    return jobs;
  }

  /** Takes a job out, and with `dependents` every job that fails without it. */
  #delete(job: Planned, dependents: boolean): void {
    if (!this.#planned.delete(job.id)) return;
    this.#byUnit.get(job.unit)?.delete(job.id);
    if (this.#byUnit.get(job.unit)?.size === 0) this.#byUnit.delete(job.unit);
    for (const needed of this.#jobs(job.needs.keys())) needed.neededBy.delete(job.id);
    for (const dependent of this.#jobs(job.neededBy)) {
      const matters = dependent.needs.get(job.id)?.matters === true;
      dependent.needs.delete(job.id);
      if (matters && dependents) this.#delete(dependent, true);
    }
  }

  /** Looks for an ordering cycle and drops a unit on it that does not matter; false when there is none. */
  #breakOneCycle(): boolean {
    const cleared = new Set<string>();
    for (const unit of this.#unitsInOrder()) {
      const cycle = this.#findCycle(unit, [], new Set(), cleared);
      if (cycle === null) continue;
      const victim = cycle.findLast((name) => this.#canLose(name));
      if (victim === undefined) {
        const message = "Transaction order is cyclic. See system logs for details.";
        throw new Refused(`${ERROR}.TransactionOrderIsCyclic`, message);
      }
      const { facts } = this.#dispatch.out;
      facts.push({ kind: "systemd.cycle-broken", unit: victim, cycle });
      for (const job of this.#jobs([...(this.#byUnit.get(victim) ?? [])])) this.#delete(job, true);
      return true;
    }
    return false;
  }

  #canLose(unit: string): boolean {
    const jobs = this.#jobs(this.#byUnit.get(unit) ?? []);
    return jobs.length > 0 && jobs.every((job) => !job.matters);
  }

  /** Depth first along "has to go before"; the units of a cycle in that order. */
  #findCycle(
    unit: string,
    path: string[],
    onPath: Set<string>,
    cleared: Set<string>,
  ): string[] | null {
    if (cleared.has(unit)) return null;
    if (onPath.has(unit)) return path.slice(path.indexOf(unit));
    path.push(unit);
    onPath.add(unit);
    for (const next of this.#mustFollow(unit)) {
      const cycle = this.#findCycle(next, path, onPath, cleared);
      if (cycle !== null) return cycle;
    }
    path.pop();
    onPath.delete(unit);
    cleared.add(unit);
    return null;
  }

  /** Units with a job, planned or queued, that has to wait for this unit's. */
  *#mustFollow(name: string): Iterable<string> {
    const unit = this.#dispatch.state.units.get(name);
    const job = this.#firstJob(name);
    if (unit === undefined || job === null) return;
    for (const kind of ["before", "after"] as const) {
      for (const other of hashOrder(this.#dispatch.state, edges(unit, kind))) {
        const theirs = this.#firstJob(other);
        if (theirs !== null && compareJobs(job, theirs, kind) < 0) yield other;
      }
    }
  }

  #firstJob(unit: string): { type: JobType; ignoreOrder: boolean } | null {
    return this.#jobs(this.#byUnit.get(unit) ?? [])[0] ?? jobOf(this.#dispatch, unit);
  }

  /** Merges the jobs of each unit into one. False when one had to be dropped: garbage is left behind. */
  #merge(): boolean {
    for (const ids of this.#inOrder()) {
      const jobs = this.#jobs(ids);
      if (jobs.length < 2 || this.#mergedType(jobs) !== null) continue;
      this.#dropUnmergeable(jobs);
      return false;
    }
    for (const ids of this.#inOrder()) this.#mergeInto(this.#jobs(ids));
    return true;
  }

  #mergedType(jobs: readonly Planned[]): JobType | null {
    const first = jobs[0];
    const unit = first === undefined ? undefined : this.#unit(first);
    if (first === undefined || unit === undefined) return null;
    const state = activeState(unit);
    return jobs.reduce<JobType | null>(
      (type, job) => (type === null ? null : mergeTypes(type, job.type, state)),
      first.type,
    );
  }

  /** delete_one_unmergeable_job: rather a stop than a start, unless a conflict asks for the stop. */
  #dropUnmergeable(jobs: readonly Planned[]): void {
    for (const [index, a] of jobs.entries()) {
      for (const b of jobs.slice(index + 1)) {
        if (a.type === "nop" || b.type === "nop" || !conflicting(a.type, b.type)) continue;
        const victim = this.#weaker(a, b);
        if (victim === null) {
          throw new Refused(
            `${ERROR}.TransactionJobsConflicting`,
            `Transaction contains conflicting jobs '${a.type}' and '${b.type}' for ${a.unit}. Probably contradicting requirement dependencies configured.`,
          );
        }
        this.#delete(victim, true);
        return;
      }
    }
  }

  #weaker(a: Planned, b: Planned): Planned | null {
    if (a.matters && b.matters) return null;
    if (a.matters) return b;
    if (b.matters) return a;
    const stop = a.type === "stop" ? a : b;
    const other = stop === a ? b : a;
    return this.#jobs(stop.neededBy).some((job) => job.needs.get(stop.id)?.conflicts === true)
      ? other
      : stop;
  }

  #mergeInto(jobs: readonly Planned[]): void {
    const type = this.#mergedType(jobs);
    const kept = jobs.find((job) => job.id === this.anchor) ?? jobs[0];
    if (kept === undefined || type === null) return;
    kept.type = type;
    for (const job of jobs) {
      if (job === kept) continue;
      kept.ignoreOrder ||= job.ignoreOrder;
      kept.matters ||= job.matters;
      for (const dependent of this.#jobs(job.neededBy)) {
        const link = dependent.needs.get(job.id);
        if (link !== undefined) dependent.needs.set(kept.id, link);
        kept.neededBy.add(dependent.id);
      }
      this.#delete(job, false);
    }
  }

  #checkDestructive(mode: JobMode): void {
    for (const job of this.#planned.values()) {
      const queued = jobOf(this.#dispatch, job.unit);
      if (queued === null || !conflicting(queued.type, job.type)) continue;
      if (mode !== "fail" && !queued.irreversible) continue;
      const anchor = this.#planned.get(this.anchor);
      throw new Refused(
        `${ERROR}.TransactionIsDestructive`,
        `Transaction for ${anchor?.unit}/${anchor?.type} is destructive (${job.unit} has '${queued.type}' job queued, but '${job.type}' is included in transaction).`,
      );
    }
  }

  #apply(mode: JobMode, irreversible: boolean): number {
    const { state } = this.#dispatch;
    if (mode === "isolate" || mode === "flush") {
      for (const job of [...state.jobs.values()]) {
        const unit = state.units.get(job.unit);
        if (unit?.config.ignoreOnIsolate === true || this.#byUnit.has(job.unit)) continue;
        finishJob(this.#dispatch, job, "canceled", false);
      }
    }
    let anchor = 0;
    for (const job of this.#jobsInOrder()) {
      const unit = this.#unit(job);
      if (unit === undefined) continue;
      const { ignoreOrder } = job;
      const id = installJob(this.#dispatch, unit, job.type, { irreversible, ignoreOrder });
      if (job.id === this.anchor) anchor = id;
    }
    return anchor;
  }
}

interface Flags {
  readonly ignoreRequirements: boolean;
  readonly ignoreOrder: boolean;
}

const NO_FLAGS: Flags = { ignoreRequirements: false, ignoreOrder: false };

/** A job that its unit's job can do without. */
const IGNORED = { matters: false, conflicts: false } as const;

function checkLoaded(unit: Unit): void {
  switch (unit.load) {
    case "loaded":
      return;
    case "not-found":
      throw new Refused(`${ERROR}.NoSuchUnit`, `Unit ${unit.name} not found.`);
    case "masked":
      throw new Refused(`${ERROR}.UnitMasked`, `Unit ${unit.name} is masked.`);
    case "bad-setting":
      throw new Refused(
        `${ERROR}.BadUnitSetting`,
        `Unit ${unit.name} has a bad unit file setting.`,
      );
    case "error":
      throw new Refused(`${ERROR}.LoadFailed`, `Unit ${unit.name} failed to load properly.`);
  }
}

/** unit_job_is_applicable. Whatever is pulled in without being applicable is left out. */
function checkApplicable(unit: Unit, type: JobType): void {
  const applicable =
    type === "reload" ? canReload(unit) : type !== "restart" || unit.load === "loaded";
  if (applicable) return;
  throw new Refused(
    `${ERROR}.JobTypeNotApplicable`,
    `Job type ${type} is not applicable for unit ${unit.name}.`,
    true,
  );
}
