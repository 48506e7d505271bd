import type { ActiveState } from "./client.js";
import {
  activeState,
  affected,
  type ChangeFlags,
  type Dispatch,
  isActiveOrActivating,
  isActiveOrReloading,
  isAfter,
  isInactiveOrDeactivating,
  isInactiveOrFailed,
  jobOf,
} from "./context.js";
import { emergencyAction } from "./emergency.js";
import {
  checkBoundLater,
  checkUnneededLater,
  checkUpheldLater,
  processJob,
  triggerAll,
} from "./job.js";
import type { Unit } from "./state.js";
import { triggersChanged } from "./trigger.js";

/** unit_notify: what a unit's change of state means for its job and for other units. */
export function unitChanged(
  dispatch: Dispatch,
  unit: Unit,
  before: ActiveState,
  flags: ChangeFlags,
): void {
  const { now } = dispatch;
  const after = activeState(unit);
  if (isInactiveOrFailed(before) && !isInactiveOrFailed(after)) unit.inactiveExit = now;
  if (!isInactiveOrFailed(before) && isInactiveOrFailed(after)) unit.inactiveEnter = now;
  const job = jobOf(dispatch, unit.name);
  if (job === null || processJob(dispatch, job, after, flags)) {
    if (isInactiveOrFailed(before) && isActiveOrActivating(after)) {
      startRetroactively(dispatch, unit);
    } else if (isActiveOrActivating(before) && isInactiveOrDeactivating(after)) {
      stopRetroactively(dispatch, unit);
    }
  }
  if (!flags.willRestart) {
    if (before !== "failed" && after === "failed") triggerAll(dispatch, unit, "onFailure");
    if (!isInactiveOrFailed(before) && after === "inactive") {
      triggerAll(dispatch, unit, "onSuccess");
    }
  }
  triggersChanged(dispatch, unit);
  if (before !== "failed" && after === "failed") emergencyAction(dispatch, unit, "FailureAction");
  else if (!isInactiveOrFailed(before) && after === "inactive")
    emergencyAction(dispatch, unit, "SuccessAction");
  queueChecks(dispatch, unit, after);
}

/** What depends on the unit's being up or down is looked at after the event, each for its own sake. */
export function queueChecks(dispatch: Dispatch, unit: Unit, after: ActiveState): void {
  const { state } = dispatch;
  if (isInactiveOrFailed(after)) {
    for (const other of affected(state, unit, "checksUnneeded")) {
      checkUnneededLater(dispatch, other);
    }
    for (const other of affected(state, unit, "checksBound")) checkBoundLater(dispatch, other);
    checkUpheldLater(dispatch, unit);
  }
  if (isActiveOrReloading(after)) {
    for (const other of affected(state, unit, "checksUpheld")) checkUpheldLater(dispatch, other);
    checkUnneededLater(dispatch, unit);
    checkBoundLater(dispatch, unit);
  }
}

/** A unit came up by itself: what it needs is started, what it conflicts with is stopped. */
function startRetroactively(dispatch: Dispatch, unit: Unit): void {
  const { state } = dispatch;
  for (const [effect, mode] of [
    ["retroactiveStartReplace", "replace"],
    ["retroactiveStartFail", "fail"],
  ] as const) {
    for (const other of affected(state, unit, effect)) {
      if (isAfter(unit, other) || isActiveOrActivating(activeState(other))) continue;
      dispatch.queue("start", other, mode);
    }
  }
  for (const other of affected(state, unit, "retroactiveStopOnStart")) {
    if (!isInactiveOrDeactivating(activeState(other))) dispatch.queue("stop", other, "replace");
  }
}

/** A unit went down by itself: what is bound to it is stopped. */
function stopRetroactively(dispatch: Dispatch, unit: Unit): void {
  for (const other of affected(dispatch.state, unit, "retroactiveStopOnStop")) {
    if (!isInactiveOrDeactivating(activeState(other))) dispatch.queue("stop", other, "replace");
  }
}
