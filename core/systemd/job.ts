import type { ActiveState } from "./client.js";
import {
  activeState,
  affected,
  announce,
  type ChangeFlags,
  type Dispatch,
  edges,
  hasEdges,
  isActiveOrActivating,
  isActiveOrReloading,
  isInactiveOrFailed,
  jobOf,
  linked,
} from "./context.js";
import type { Effect } from "./dependency.js";
import type { Job, Unit } from "./state.js";
import { triggersChanged } from "./trigger.js";
import type { JobRequest, JobResult, JobType } from "./types.js";
import { FOREVER } from "./value.js";

/** Types that a caller can ask for; they become plain types by what the unit does. */
export type RequestedJobType = JobRequest["type"];

/** job_type_collapse: what a conditional type comes to, given the unit's state. */
export function collapseType(type: RequestedJobType, state: ActiveState): JobType {
  switch (type) {
    case "try-restart":
      return isActiveOrActivating(state) ? "restart" : "nop";
    case "try-reload":
      return isActiveOrReloading(state) ? "reload" : "nop";
    case "reload-or-start":
      return isActiveOrReloading(state) ? "reload" : "start";
    default:
      return type;
  }
}

/** The one type that does what both do (job_merging_table); null when there is none. */
export function mergeTypes(a: JobType, b: JobType, state: ActiveState): JobType | null {
  const merged = lookUpMerge(a, b);
  return merged === null ? null : collapseType(merged, state);
}

function lookUpMerge(a: JobType, b: JobType): RequestedJobType | null {
  if (a === b) return a;
  if (a === "nop") return b;
  if (b === "nop") return a;
  if (a === "stop" || b === "stop") return null;
  if (a === "restart" || b === "restart") return "restart";
  if (a === "verify-active") return b;
  if (b === "verify-active") return a;
  // What is left is start with reload.
  return "reload-or-start";
}

export function conflicting(a: JobType, b: JobType): boolean {
  return a !== "nop" && b !== "nop" && lookUpMerge(a, b) === null;
}

/** Whether a job would change nothing (job_type_is_redundant). Reloads and restarts always do. */
export function isRedundant(type: JobType, state: ActiveState): boolean {
  switch (type) {
    case "start":
    case "verify-active":
      return isActiveOrReloading(state);
    case "stop":
      return isInactiveOrFailed(state);
    case "reload":
    case "restart":
      return false;
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

/** Puts a job in its unit's place, merging with or canceling the one that is there; the id it ends up with. */
export function installJob(
  dispatch: Dispatch,
  unit: Unit,
  type: JobType,
  flags: { readonly irreversible: boolean; readonly ignoreOrder: boolean },
): number {
  const { state } = dispatch;
  const present = state.jobs.get(type === "nop" ? unit.nopJob : unit.job);
  if (present !== undefined) {
    if (!conflicting(present.type, type)) return mergeIntoInstalled(dispatch, present, type, flags);
    finishJob(dispatch, present, "canceled", false);
  }
  const id = state.nextJob++;
  state.jobs.set(id, {
    id,
    unit: unit.name,
    type,
    state: "waiting",
    begun: dispatch.now,
    ...flags,
  });
  if (type === "nop") unit.nopJob = id;
  else unit.job = id;
  state.runQueue.add(id);
  armJobTimer(dispatch, id, unit.config.jobTimeout);
  return id;
}

function mergeIntoInstalled(
  dispatch: Dispatch,
  present: Job,
  type: JobType,
  flags: { readonly irreversible: boolean; readonly ignoreOrder: boolean },
): number {
  const unit = dispatch.state.units.get(present.unit);
  const state = unit === undefined ? "inactive" : activeState(unit);
  // A running job that does what the new one asks for goes on; any other starts over. A reload is
  // never covered by one that runs: the files may have changed since it began.
  const covered = type !== "reload" && lookUpMerge(present.type, type) === present.type;
  if (present.state === "running" && !covered) present.state = "waiting";
  present.type = mergeTypes(present.type, type, state) ?? present.type;
  present.irreversible ||= flags.irreversible;
  present.ignoreOrder ||= flags.ignoreOrder;
  dispatch.state.runQueue.add(present.id);
  return present.id;
}

function armJobTimer(dispatch: Dispatch, id: number, delay: number): void {
  if (delay === FOREVER) return;
  dispatch.out.effects.push({ kind: "arm-timer", timer: `job/${id}`, delay });
}

/** JobRunningTimeoutSec= counts from when the job runs, unless JobTimeoutSec= ends it before. */
export function armRunningTimer(dispatch: Dispatch, job: Job, unit: Unit): void {
  const { jobTimeout, jobRunningTimeout } = unit.config;
  const left = jobTimeout === FOREVER ? FOREVER : job.begun + jobTimeout - dispatch.now;
  if (jobRunningTimeout < left) armJobTimer(dispatch, job.id, jobRunningTimeout);
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
  const { state } = dispatch;
  const unit = state.units.get(job.unit);
  if (unit === undefined) return;
  const { type } = job;
  if (result === "done" && type === "restart") {
    job.type = "start";
    job.state = "waiting";
    state.runQueue.add(job.id);
  } else {
    removeJob(dispatch, unit, job, result);
    if (recursive) failDependents(dispatch, unit, type, result);
    // A failed unit triggers OnFailure= itself.
    if (result === "timeout" || result === "dependency") triggerAll(dispatch, unit, "onFailure");
    triggersChanged(dispatch, unit);
  }
  wakeNeighbours(dispatch, unit);
  checkLater(dispatch, unit);
}

function removeJob(dispatch: Dispatch, unit: Unit, job: Job, result: JobResult): void {
  const { state, out } = dispatch;
  announce(dispatch, unit);
  out.facts.push({ kind: "systemd.job", unit: job.unit, job: job.type, result });
  if (unit.config.jobTimeout !== FOREVER || unit.config.jobRunningTimeout !== FOREVER) {
    out.effects.push({ kind: "cancel-timer", timer: `job/${job.id}` });
  }
  if (job.type === "nop") unit.nopJob = 0;
  else unit.job = 0;
  state.jobs.delete(job.id);
  state.runQueue.delete(job.id);
}

/** Puts a unit on every queue that looks at it after the event, if it is of their concern. */
export function checkLater(dispatch: Dispatch, unit: Unit): void {
  checkUpheldLater(dispatch, unit);
  checkBoundLater(dispatch, unit);
  checkUnneededLater(dispatch, unit);
}

/** unit_submit_to_start_when_upheld_queue */
export function checkUpheldLater(dispatch: Dispatch, unit: Unit): void {
  if (!isInactiveOrFailed(activeState(unit))) return;
  if (hasEdges(unit, "upheldBy")) dispatch.upheld.add(unit.name);
}

/** unit_submit_to_stop_when_bound_queue */
export function checkBoundLater(dispatch: Dispatch, unit: Unit): void {
  if (!isActiveOrReloading(activeState(unit))) return;
  if (hasEdges(unit, "bindsTo")) dispatch.bound.add(unit.name);
}

/** unit_submit_to_stop_when_unneeded_queue */
export function checkUnneededLater(dispatch: Dispatch, unit: Unit): void {
  if (!isActiveOrReloading(activeState(unit))) return;
  if (unit.config.stopWhenUnneeded) dispatch.unneeded.add(unit.name);
}

/** Queues a start of every unit named in OnFailure= or OnSuccess=. */
export function triggerAll(dispatch: Dispatch, unit: Unit, kind: "onFailure" | "onSuccess"): void {
  const { onFailureJobMode, onSuccessJobMode } = unit.config;
  const mode = kind === "onFailure" ? onFailureJobMode : onSuccessJobMode;
  // A start that cannot be queued is logged by systemd and forgotten.
  for (const other of linked(dispatch.state, unit, kind)) dispatch.queue("start", other, mode);
}

function failDependents(dispatch: Dispatch, unit: Unit, type: JobType, result: JobResult): void {
  if (result !== "done") {
    if (type === "start" || type === "verify-active") {
      failJobs(dispatch, unit, "propagateStartFailure");
    } else if (type === "stop") failJobs(dispatch, unit, "propagateStopFailure");
    return;
  }
  // A oneshot that did its work is not active: who wants it active is not served.
  const started = type === "start" || type === "reload";
  if (started && !isActiveOrReloading(activeState(unit))) {
    failJobs(dispatch, unit, "propagateInactiveStart");
  }
}

function failJobs(dispatch: Dispatch, unit: Unit, effect: Effect): void {
  for (const other of affected(dispatch.state, unit, effect)) {
    const job = jobOf(dispatch, other.name);
    if (job === null || (job.type !== "start" && job.type !== "verify-active")) continue;
    finishJob(dispatch, job, "dependency", true);
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
export function processJob(
  dispatch: Dispatch,
  job: Job,
  after: ActiveState,
  flags: ChangeFlags,
): boolean {
  const running = job.state === "running";
  // Perhaps what could not be done before can be done now.
  if (!running) dispatch.state.runQueue.add(job.id);
  switch (job.type) {
    case "start":
    case "verify-active":
      if (isActiveOrReloading(after)) finishJob(dispatch, job, "done", true);
      else if (running && after !== "activating") {
        if (isInactiveOrFailed(after)) {
          finishJob(dispatch, job, after === "failed" ? "failed" : "done", true);
        }
        return true;
      }
      return false;
    case "reload":
      if (!running) return false;
      if (after === "active") {
        finishJob(dispatch, job, flags.reloadFailed ? "failed" : "done", true);
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
