import type { ActiveState } from "./client.js";
import {
  activeState,
  type Dispatch,
  edges,
  isActiveOrReloading,
  isInactiveOrDeactivating,
  isInactiveOrFailed,
} from "./context.js";
import type { Dependency } from "./dependency.js";
import type { Job, Notification, Unit } from "./state.js";
import type { JobResult, JobType } from "./types.js";
import { FOREVER } from "./value.js";

/** Types that a caller can ask for; they become plain types by what the unit does. */
export type RequestedJobType = JobType | "try-restart" | "try-reload" | "reload-or-start";

/** job_type_collapse: what a conditional type comes to, given the unit's state. */
export function collapseType(type: RequestedJobType, state: ActiveState): JobType {
  switch (type) {
    case "try-restart":
      return isInactiveOrDeactivating(state) ? "nop" : "restart";
    case "try-reload":
      return isInactiveOrDeactivating(state) ? "nop" : "reload";
    case "reload-or-start":
      return isInactiveOrDeactivating(state) ? "start" : "reload";
    default:
      return type;
  }
}

/** The one type that does what both do (job_merging_table); null when there is none. */
export function mergeTypes(a: JobType, b: JobType, state: ActiveState): JobType | null {
  if (a === b) return a;
  if (a === "nop") return b;
  if (b === "nop") return a;
  if (a === "stop" || b === "stop") return null;
  if (a === "restart" || b === "restart") return "restart";
  if (a === "verify-active") return b;
  if (b === "verify-active") return a;
  // What is left is start with reload.
  return collapseType("reload-or-start", state);
}

export function conflicting(a: JobType, b: JobType): boolean {
  return a !== "nop" && b !== "nop" && a !== b && (a === "stop" || b === "stop");
}

/** Whether a job would change nothing (job_type_is_redundant). */
export function isRedundant(type: JobType, state: ActiveState): boolean {
  switch (type) {
    case "start":
    case "verify-active":
      return isActiveOrReloading(state);
    case "stop":
      return isInactiveOrFailed(state);
    case "reload":
      return state === "reloading";
    case "restart":
      return state === "activating";
    case "nop":
      return true;
  }
}

interface Ordered {
  readonly type: JobType;
  readonly ignoreOrder: boolean;
}

/**
 * job_compare: 1 when `a` has to wait for `b`, -1 the other way round, 0 for neither, where a's unit
 * is ordered `kind` b's. Stops come first, whatever the order says; otherwise it holds.
 */
export function compareJobs(a: Ordered, b: Ordered, kind: "before" | "after"): number {
  if (a.type === "nop" || b.type === "nop" || a.ignoreOrder || b.ignoreOrder) return 0;
  if (kind === "after") return -compareJobs(b, a, "before");
  return b.type === "stop" || b.type === "restart" ? 1 : -1;
}

/** Whether no job of a unit ordered around this one has to go first. */
export function isRunnable(dispatch: Dispatch, job: Job): boolean {
  if (job.ignoreOrder || job.type === "nop") return true;
  const unit = dispatch.state.units.get(job.unit);
  if (unit === undefined) return false;
  for (const kind of ["after", "before"] as const) {
    for (const name of edges(unit, kind)) {
      const other = jobOf(dispatch, name);
      if (other !== null && compareJobs(job, other, kind) > 0) return false;
    }
  }
  return true;
}

/** The job of a unit; null when there is none. */
export function jobOf(dispatch: Dispatch, unit: string): Job | null {
  const { units, jobs } = dispatch.state;
  return jobs.get(units.get(unit)?.job ?? 0) ?? null;
}

/** Puts a job in its unit's place, merging with or canceling the one that is there; the id it ends up with. */
export function installJob(
  dispatch: Dispatch,
  unit: Unit,
  type: JobType,
  flags: { readonly irreversible: boolean; readonly ignoreOrder: boolean },
): number {
  const { state, out } = dispatch;
  const present = state.jobs.get(unit.job);
  if (present !== undefined) {
    const merged = mergeTypes(present.type, type, activeState(unit));
    if (merged !== null) {
      // A running job whose work the new one covers goes on; any other starts over.
      if (present.state === "running" && merged !== present.type) present.state = "waiting";
      present.type = merged;
      present.irreversible ||= flags.irreversible;
      present.ignoreOrder ||= flags.ignoreOrder;
      state.runQueue.add(present.id);
      return present.id;
    }
    finishJob(dispatch, present, "canceled", false);
  }
  const id = state.nextJob++;
  state.jobs.set(id, { id, unit: unit.name, type, state: "waiting", ...flags });
  unit.job = id;
  state.runQueue.add(id);
  const timeout = unit.config.jobTimeout;
  if (timeout !== null && timeout !== FOREVER && timeout > 0) {
    out.effects.push({ kind: "arm-timer", timer: `job/${id}`, delay: timeout });
  }
  return id;
}

/**
 * Ends a job (job_finish_and_invalidate). A restart that is done goes on as a start; a start that
 * failed fails the jobs that need it; whoever was ordered around it may go on.
 */
export function finishJob(
  dispatch: Dispatch,
  job: Job,
  result: JobResult,
  recursive: boolean,
): void {
  const { state, out } = dispatch;
  const unit = state.units.get(job.unit);
  if (unit === undefined) return;
  const { type } = job;
  if (result === "done" && type === "restart") {
    job.type = "start";
    job.state = "waiting";
    state.runQueue.add(job.id);
    wakeNeighbours(dispatch, unit);
    return;
  }
  state.jobs.delete(job.id);
  state.runQueue.delete(job.id);
  unit.job = 0;
  if (unit.config.jobTimeout !== null) {
    out.effects.push({ kind: "cancel-timer", timer: `job/${job.id}` });
  }
  out.facts.push({ kind: "systemd.job", unit: job.unit, job: type, result });
  if (recursive) failDependents(dispatch, unit, type, result);
  // A failed unit triggers OnFailure= itself.
  if (result === "timeout" || result === "dependency") triggerAll(dispatch, unit, "onFailure");
  wakeNeighbours(dispatch, unit);
}

/** Queues a start of every unit named in OnFailure= or OnSuccess=. */
export function triggerAll(dispatch: Dispatch, unit: Unit, kind: "onFailure" | "onSuccess"): void {
  const mode = kind === "onFailure" ? "replace" : "fail";
  for (const name of edges(unit, kind)) {
    dispatch.triggers.push({ unit: name, type: "start", mode });
  }
}

const START_FAILURE: readonly Dependency[] = ["requiredBy", "requisiteOf", "boundBy"];

function failDependents(dispatch: Dispatch, unit: Unit, type: JobType, result: JobResult): void {
  if (result !== "done") {
    if (type === "start" || type === "verify-active") failJobs(dispatch, unit, START_FAILURE);
    else if (type === "stop") failJobs(dispatch, unit, ["conflictedBy"]);
    return;
  }
  // A oneshot that did its work is not active: who wants it active is not served.
  const started = type === "start" || type === "reload";
  if (started && !isActiveOrReloading(activeState(unit))) {
    failJobs(dispatch, unit, ["requisiteOf"]);
  }
}

function failJobs(dispatch: Dispatch, unit: Unit, kinds: readonly Dependency[]): void {
  for (const kind of kinds) {
    for (const name of edges(unit, kind)) {
      const job = jobOf(dispatch, name);
      if (job === null || (job.type !== "start" && job.type !== "verify-active")) continue;
      finishJob(dispatch, job, "dependency", true);
    }
  }
}

function wakeNeighbours(dispatch: Dispatch, unit: Unit): void {
  for (const kind of ["after", "before"] as const) {
    for (const name of edges(unit, kind)) {
      const job = dispatch.state.units.get(name)?.job ?? 0;
      if (job !== 0) dispatch.state.runQueue.add(job);
    }
  }
}

/**
 * What a unit's change of state means for its job (unit_process_job).
 *
 * @returns true when no job explains the change
 */
export function processJob(dispatch: Dispatch, job: Job, change: Notification): boolean {
  const { after } = change;
  const running = job.state === "running";
  // Perhaps what could not be done before can be done now.
  if (!running) dispatch.state.runQueue.add(job.id);
  switch (job.type) {
    case "start":
    case "verify-active":
      if (isActiveOrReloading(after)) finishJob(dispatch, job, "done", true);
      else if (running && after !== "activating") {
        if (isInactiveOrFailed(after)) finishJob(dispatch, job, startResult(change), true);
        return true;
      }
      return false;
    case "reload":
      if (!running) return false;
      if (after === "active") {
        finishJob(dispatch, job, change.reloadFailed ? "failed" : "done", true);
      } else if (after !== "activating" && after !== "reloading") {
        if (isInactiveOrFailed(after)) {
          finishJob(dispatch, job, after === "failed" ? "failed" : "done", true);
        }
        return true;
      }
      return false;
    case "stop":
    case "restart":
      if (isInactiveOrFailed(after)) finishJob(dispatch, job, "done", true);
      else if (running && after !== "deactivating") {
        finishJob(dispatch, job, "failed", true);
        return true;
      }
      return false;
    case "nop":
      return false;
  }
}

function startResult(change: Notification): JobResult {
  if (change.after === "failed") return "failed";
  return change.skipped ? "skipped" : "done";
}
