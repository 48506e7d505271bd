import type { Micros } from "../kernel/index.js";
import {
  activeState,
  affected,
  belowLimit,
  type Deferred,
  type Dispatch,
  isActiveOrReloading,
  isInactiveOrFailed,
} from "./context.js";
import type { FileChange } from "./file-change.js";
import { armRunningTimer, finishJob, isRunnable } from "./job.js";
import { UNIT_TYPES, type UnitType } from "./names.js";
import type { StartOutcome } from "./outcome.js";
import { lookAtPaths, pathFileChanged } from "./path.js";
import { pidFileWritten } from "./pid-file.js";
import { hasProcesses, releaseIdle } from "./process-table.js";
import { executed, serviceOf } from "./service.js";
import { cgroupEmpty } from "./service-events.js";
import { socketOf, socketTraffic } from "./socket.js";
import type { Job, SystemdState, Unit } from "./state.js";
import { elapseTimer } from "./timer.js";
import type { JobResult, JobType } from "./types.js";
import { reloadUnit, startUnit, stopUnit } from "./unit-actions.js";

/**
 * Runs what an event has queued until nothing is left, in the order of manager_loop: the checks of
 * units that are upheld, bound or unneeded, then what is due at once, then the jobs.
 */
export function settle(dispatch: Dispatch): void {
  for (;;) {
    if (checkUnits(dispatch)) continue;
    // A program takes longer to begin than systemd to do what is queued.
    const soon = dispatch.deferred.findIndex(({ kind }) => kind !== "executed");
    const due = soon >= 0 ? soon : runJobs(dispatch) ? null : 0;
    if (due === null) {
      if (dispatch.jobsRun < JOBS_PER_TURN) continue;
      // Units that start each other for ever keep systemd busy, not the one who asks.
      dispatch.out.effects.push({ kind: "arm-timer", timer: "busy", delay: TURN });
      return;
    }
    const [next] = dispatch.deferred.splice(due, 1);
    if (next === undefined) break;
    carryOut(dispatch, next);
  }
  if (dispatch.state.jobs.size === 0) releaseIdle(dispatch);
}

/** Jobs that are run before time goes on, and by how much: about what systemd does on a small machine. */
const JOBS_PER_TURN = 250;
const TURN: Micros = 50_000;

function carryOut(dispatch: Dispatch, deferred: Deferred): void {
  if (deferred.kind === "file") {
    fileChanged(dispatch, deferred.change);
    return;
  }
  const unit = dispatch.state.units.get(deferred.unit);
  if (unit === undefined) return;
  const service = serviceOf(dispatch, unit);
  switch (deferred.kind) {
    case "executed":
      if (service !== null) executed(service, deferred.pid);
      return;
    case "cgroup-empty":
      if (service !== null && !hasProcesses(dispatch, unit)) cgroupEmpty(service);
      return;
    case "path":
      lookAtPaths(dispatch, unit);
      return;
    case "due":
      elapseTimer(dispatch, unit);
      return;
    case "traffic": {
      const socket = socketOf(dispatch, unit);
      if (socket !== null) socketTraffic(socket);
    }
  }
}

function fileChanged(dispatch: Dispatch, change: FileChange): void {
  for (const unit of [...dispatch.state.units.values()]) {
    pathFileChanged(dispatch, unit, change);
    const service = serviceOf(dispatch, unit);
    if (service !== null) pidFileWritten(service, change.path);
  }
}

/** Units whose state does not fit that of others; false when there are none to look at. */
function checkUnits(dispatch: Dispatch): boolean {
  const { upheld, bound, unneeded } = dispatch;
  if (upheld.size > 0) each(dispatch, upheld, isUpheld, "start", "fail");
  else if (bound.size > 0) each(dispatch, bound, isBoundToInactive, "stop", "replace");
  else if (unneeded.size > 0) each(dispatch, unneeded, isUnneeded, "stop", "fail");
  else return false;
  return true;
}

/** A unit that is started or stopped by itself time and again is let be for a while: 16 times in 10 s. */
const AUTO_INTERVAL = 10_000_000;
const AUTO_BURST = 16;

function each(
  dispatch: Dispatch,
  queue: Set<string>,
  applies: (state: SystemdState, unit: Unit) => boolean,
  type: "start" | "stop",
  mode: "fail" | "replace",
): void {
  const { state, now } = dispatch;
  // The last one that was put in comes first, be it put in by what is done here.
  for (let name = [...queue].pop(); name !== undefined; name = [...queue].pop()) {
    queue.delete(name);
    const unit = state.units.get(name);
    if (unit === undefined || !applies(state, unit)) continue;
    if (belowLimit(unit.autoLimit, AUTO_INTERVAL, AUTO_BURST, now)) {
      dispatch.queue(type, unit, mode);
    } else {
      const end = (unit.autoLimit.begin ?? now) + AUTO_INTERVAL;
      const timer = `auto/${name}`;
      dispatch.out.effects.push({ kind: "arm-timer", timer, delay: Math.max(0, end - now) });
    }
  }
}

/** unit_is_upheld_by_active */
function isUpheld(state: SystemdState, unit: Unit): boolean {
  if (!isInactiveOrFailed(activeState(unit)) || unit.job !== 0) return false;
  return affected(state, unit, "startSteadily").some(
    (other) => other.job === 0 && isActiveOrReloading(activeState(other)),
  );
}

/** unit_is_bound_by_inactive */
function isBoundToInactive(state: SystemdState, unit: Unit): boolean {
  if (activeState(unit) !== "active" || unit.job !== 0) return false;
  return affected(state, unit, "cannotBeActiveWithout").some(
    (other) => other.job === 0 && isInactiveOrFailed(activeState(other)),
  );
}

/** unit_is_unneeded */
function isUnneeded(state: SystemdState, unit: Unit): boolean {
  if (!unit.config.stopWhenUnneeded || activeState(unit) !== "active" || unit.job !== 0) {
    return false;
  }
  return affected(state, unit, "pinsUnneeded").every(
    (other) =>
      other.job === 0 &&
      isInactiveOrFailed(activeState(other)) &&
      other.service?.willRestart !== true &&
      other.service?.state !== "auto-restart",
  );
}

/** Runs every job that can be; false when none is queued (manager_dispatch_run_queue). */
function runJobs(dispatch: Dispatch): boolean {
  const { state } = dispatch;
  if (state.runQueue.size === 0) return false;
  for (let id = firstJob(state); id !== null; id = firstJob(state)) {
    if (dispatch.jobsRun++ >= JOBS_PER_TURN) break;
    state.runQueue.delete(id);
    const job = state.jobs.get(id);
    if (job?.state === "waiting" && isRunnable(dispatch, job)) runJob(dispatch, job);
  }
  return true;
}

/** compare_job_priority: scopes before services, and within a type by name. */
function firstJob(state: SystemdState): number | null {
  let first: Job | null = null;
  for (const id of state.runQueue) {
    const job = state.jobs.get(id);
    if (job === undefined) state.runQueue.delete(id);
    else if (first === null || precedes(job.unit, first.unit)) first = job;
  }
  return first?.id ?? null;
}

/** The types in the order in which their jobs run. */
const RUN_ORDER: readonly UnitType[] = [
  "scope",
  "slice",
  "path",
  "timer",
  "automount",
  "device",
  "target",
  "socket",
  "swap",
  "mount",
  "service",
];

function precedes(left: string, right: string): boolean {
  const rank = (name: string) =>
    RUN_ORDER.findIndex((type) => name.endsWith(type) && UNIT_TYPES.includes(type));
  const difference = rank(left) - rank(right);
  return difference === 0 ? left < right : difference < 0;
}

/** job_run_and_invalidate */
function runJob(dispatch: Dispatch, job: Job): void {
  const { state } = dispatch;
  const unit = state.units.get(job.unit);
  if (unit === undefined) return;
  armRunningTimer(dispatch, job, unit);
  job.state = "running";
  const outcome = perform(dispatch, job.type, unit);
  // The job may have ended, or have been replaced, by what it did.
  const still = state.jobs.get(job.id);
  if (still === undefined || outcome === "started") return;
  if (outcome === "again") still.state = "waiting";
  else finishJob(dispatch, still, RESULTS[outcome], true);
}

const RESULTS: Readonly<Record<Exclude<StartOutcome, "started" | "again">, JobResult>> = {
  already: "done",
  condition: "done",
  assert: "assert",
  dependency: "dependency",
  invalid: "invalid",
  unsupported: "unsupported",
  skipped: "skipped",
  failed: "failed",
};

function perform(dispatch: Dispatch, type: JobType, unit: Unit): StartOutcome {
  switch (type) {
    case "start":
      return startUnit(dispatch, unit);
    case "stop":
    case "restart":
      return stopUnit(dispatch, unit);
    case "reload":
      return reloadUnit(dispatch, unit);
    case "verify-active": {
      const state = activeState(unit);
      if (isActiveOrReloading(state)) return "already";
      return state === "activating" ? "again" : "skipped";
    }
    case "nop":
      return "already";
  }
}
