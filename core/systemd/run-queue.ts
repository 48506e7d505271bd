import {
  activeState,
  type Dispatch,
  edges,
  isActiveOrActivating,
  isActiveOrReloading,
  isInactiveOrDeactivating,
  isInactiveOrFailed,
  subState,
} from "./context.js";
import { finishJob, isRunnable, jobOf, processJob, triggerAll } from "./job.js";
import { releaseIdle } from "./process-table.js";
import { reloadService, serviceOf, startService, stopService } from "./service.js";
import type { Job, Notification, Unit } from "./state.js";
import { startTimer, stopTimer, timerTriggerChanged } from "./timer.js";
import { addJob } from "./transaction.js";

/** Acts on changes, triggers and runnable jobs until there are none, then tells the world. */
export function settle(dispatch: Dispatch): void {
  const { state, notifications, triggers } = dispatch;
  for (;;) {
    const change = notifications.shift();
    if (change !== undefined) {
      onChange(dispatch, change);
      continue;
    }
    const trigger = triggers.shift();
    if (trigger !== undefined) {
      const unit = state.units.get(trigger.unit);
      // A trigger that cannot be queued is logged by systemd and forgotten.
      if (unit !== undefined) addJob(dispatch, trigger.type, unit, trigger.mode);
      continue;
    }
    const next = firstOf(state.runQueue);
    if (next === null) break;
    state.runQueue.delete(next);
    const job = state.jobs.get(next);
    if (job?.state === "waiting" && isRunnable(dispatch, job)) runJob(dispatch, job);
  }
  if (state.jobs.size === 0) releaseIdle(dispatch);
  announce(dispatch);
}

function firstOf(ids: ReadonlySet<number>): number | null {
  for (const id of ids) return id;
  return null;
}

/** job_run_and_invalidate */
function runJob(dispatch: Dispatch, job: Job): void {
  const unit = dispatch.state.units.get(job.unit);
  if (unit === undefined) return;
  job.state = "running";
  switch (job.type) {
    case "start":
      runStart(dispatch, job, unit);
      return;
    case "verify-active":
      runVerifyActive(dispatch, job, unit);
      return;
    case "stop":
    case "restart":
      runStop(dispatch, job, unit);
      return;
    case "reload":
      runReload(dispatch, job, unit);
      return;
    case "nop":
      finishJob(dispatch, job, "done", true);
  }
}

function runStart(dispatch: Dispatch, job: Job, unit: Unit): void {
  const state = activeState(unit);
  if (isActiveOrReloading(state)) {
    finishJob(dispatch, job, "done", true);
    return;
  }
  if (unit.load !== "loaded") {
    finishJob(dispatch, job, "invalid", true);
    return;
  }
  if (state !== "activating" && !conditionsHold(dispatch, unit, false)) {
    finishJob(dispatch, job, "done", true);
    return;
  }
  if (state !== "activating" && !conditionsHold(dispatch, unit, true)) {
    finishJob(dispatch, job, "assert", true);
    return;
  }
  if (!boundUnitsActive(dispatch, unit)) {
    finishJob(dispatch, job, "dependency", true);
    return;
  }
  const service = serviceOf(dispatch, unit);
  if (service !== null) {
    if (startService(service) === "not-now") job.state = "waiting";
  } else if (unit.timer !== null) startTimer(dispatch, unit);
  else setPlain(dispatch, unit, "active");
}

function runVerifyActive(dispatch: Dispatch, job: Job, unit: Unit): void {
  const state = activeState(unit);
  if (isActiveOrReloading(state)) finishJob(dispatch, job, "done", true);
  else if (state === "activating") job.state = "waiting";
  else finishJob(dispatch, job, "skipped", true);
}

function runStop(dispatch: Dispatch, job: Job, unit: Unit): void {
  if (isInactiveOrFailed(activeState(unit))) {
    finishJob(dispatch, job, "done", true);
    return;
  }
  const service = serviceOf(dispatch, unit);
  if (service !== null) stopService(service);
  else if (unit.timer !== null) stopTimer(dispatch, unit);
  else setPlain(dispatch, unit, "inactive");
}

function runReload(dispatch: Dispatch, job: Job, unit: Unit): void {
  const state = activeState(unit);
  const service = serviceOf(dispatch, unit);
  if (state === "reloading") job.state = "waiting";
  else if (service === null || state !== "active") finishJob(dispatch, job, "invalid", true);
  else if (!reloadService(service)) job.state = "waiting";
}

/** Moves a unit that has only two states. */
function setPlain(dispatch: Dispatch, unit: Unit, active: Unit["active"]): void {
  const before = activeState(unit);
  unit.active = active;
  dispatch.touched.add(unit.name);
  dispatch.notifications.push({
    unit: unit.name,
    before,
    after: active,
    reloadFailed: false,
    willRestart: false,
    skipped: false,
  });
}

/** Conditions hold when all plain ones do, and one of those marked `|` if there are any. */
function conditionsHold(dispatch: Dispatch, unit: Unit, assert: boolean): boolean {
  let triggers = 0;
  let triggered = false;
  for (const condition of unit.config.conditions) {
    if (condition.assert !== assert) continue;
    const holds = pathExists(dispatch, condition.path) !== condition.negated;
    if (condition.trigger) {
      triggers++;
      triggered ||= holds;
    } else if (!holds) return false;
  }
  return triggers === 0 || triggered;
}

function pathExists(dispatch: Dispatch, path: string): boolean {
  const { files, links } = dispatch.state;
  if (files.has(path) || links.has(path)) return true;
  const folder = path.endsWith("/") ? path : `${path}/`;
  for (const name of files.keys()) if (name.startsWith(folder)) return true;
  return false;
}

/** unit_verify_deps: what a unit is bound to and comes after must be up by now. */
function boundUnitsActive(dispatch: Dispatch, unit: Unit): boolean {
  const after = unit.edges.get("after");
  for (const name of edges(unit, "bindsTo")) {
    if (after?.has(name) !== true) continue;
    const other = dispatch.state.units.get(name);
    if (other === undefined || !isActiveOrReloading(activeState(other))) return false;
  }
  return true;
}

/** unit_notify: what one unit's change means for its job and for other units. */
function onChange(dispatch: Dispatch, change: Notification): void {
  const { state, now } = dispatch;
  const unit = state.units.get(change.unit);
  if (unit === undefined) return;
  const { before, after } = change;
  if (isInactiveOrFailed(before) && !isInactiveOrFailed(after)) unit.activeEnter = now;
  if (!isInactiveOrFailed(before) && isInactiveOrFailed(after)) unit.inactiveEnter = now;
  const job = jobOf(dispatch, unit.name);
  const unexpected = job === null || processJob(dispatch, job, change);
  if (unexpected) {
    if (isInactiveOrFailed(before) && isActiveOrActivating(after))
      startRetroactively(dispatch, unit);
    else if (isActiveOrActivating(before) && isInactiveOrDeactivating(after)) {
      stopRetroactively(dispatch, unit);
    }
  }
  if (before !== after && !change.willRestart) {
    if (after === "failed") triggerAll(dispatch, unit, "onFailure");
    else if (after === "inactive" && before !== "failed") triggerAll(dispatch, unit, "onSuccess");
  }
  if (isInactiveOrFailed(after)) stopWhatIsBound(dispatch, unit);
  for (const name of edges(unit, "triggeredBy")) {
    const timer = state.units.get(name);
    if (timer !== undefined && before !== after) timerTriggerChanged(dispatch, timer, unit);
  }
}

/** A unit came up by itself: what it needs is started, what it conflicts with is stopped. */
function startRetroactively(dispatch: Dispatch, unit: Unit): void {
  const { state, triggers } = dispatch;
  const after = unit.edges.get("after");
  for (const [kind, mode] of [
    ["requires", "replace"],
    ["bindsTo", "replace"],
    ["wants", "fail"],
  ] as const) {
    for (const name of edges(unit, kind)) {
      const other = state.units.get(name);
      if (other === undefined || after?.has(name) === true) continue;
      if (!isActiveOrActivating(activeState(other))) {
        triggers.push({ unit: name, type: "start", mode });
      }
    }
  }
  for (const kind of ["conflicts", "conflictedBy"] as const) {
    for (const name of edges(unit, kind)) {
      const other = state.units.get(name);
      if (other !== undefined && !isInactiveOrDeactivating(activeState(other))) {
        triggers.push({ unit: name, type: "stop", mode: "replace" });
      }
    }
  }
}

/** A unit went down by itself: what is bound to it is stopped. */
function stopRetroactively(dispatch: Dispatch, unit: Unit): void {
  for (const name of edges(unit, "boundBy")) {
    const other = dispatch.state.units.get(name);
    if (other !== undefined && !isInactiveOrDeactivating(activeState(other))) {
      dispatch.triggers.push({ unit: name, type: "stop", mode: "replace" });
    }
  }
}

/** stop_when_bound: an active unit without a job that is bound to one that is down. */
function stopWhatIsBound(dispatch: Dispatch, unit: Unit): void {
  if (unit.job !== 0) return;
  for (const name of edges(unit, "boundBy")) {
    const other = dispatch.state.units.get(name);
    if (other?.job === 0 && activeState(other) === "active") {
      dispatch.triggers.push({ unit: name, type: "stop", mode: "replace" });
    }
  }
}

/** Tells of every unit whose state is not what was told last. */
function announce(dispatch: Dispatch): void {
  const { state, out, touched } = dispatch;
  for (const name of touched) {
    const unit = state.units.get(name);
    if (unit === undefined) continue;
    const active = activeState(unit);
    const sub = subState(unit);
    const result = unit.service?.result ?? "success";
    const told = active === "failed" ? `${active} ${sub} ${result}` : `${active} ${sub}`;
    if (told === unit.announced || (unit.announced === "" && told === "inactive dead")) continue;
    unit.announced = told;
    out.facts.push({ kind: "systemd.unit", unit: name, load: unit.load, active, sub, result });
    out.effects.push({
      kind: "unit-changed",
      status: {
        name,
        description: unit.config.description,
        loadState: unit.load,
        activeState: active,
        subState: sub,
      },
    });
  }
  touched.clear();
}
