import {
  activeState,
  announce,
  belowLimit,
  type Dispatch,
  isInactiveOrFailed,
  isStopPending,
  triggeredUnit,
} from "./context.js";
import { type FileChange, showsOnTheWay } from "./file-change.js";
import { directoryHasEntries, pathExists, pathMatches } from "./files.js";
import type { StartOutcome } from "./outcome.js";
import type { PathSpec } from "./path-config.js";
import type { PathRuntime, Unit } from "./state.js";
import type { UnitResult } from "./types.js";

function setPathState(dispatch: Dispatch, unit: Unit, state: PathRuntime["state"]): void {
  if (unit.path === null) return;
  const before = activeState(unit);
  unit.path.state = state;
  announce(dispatch, unit);
  dispatch.changed(unit, before, { reloadFailed: false, willRestart: false });
}

/** path_start */
export function startPath(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { path, config } = unit;
  if (path === null || config.path === null) return "failed";
  if (triggeredUnit(dispatch, unit)?.load !== "loaded") return "failed";
  path.result = "success";
  enterWaiting(dispatch, unit, true, false);
  return "started";
}

/**
 * Puts a path unit back after a daemon-reload (path_coldplug). It looks at its paths as when it was started,
 * unless it sees its unit running.
 */
export function coldplugPath(dispatch: Dispatch, unit: Unit, unitSeenDown: boolean): void {
  const { path } = unit;
  if (path?.state !== "waiting" && path?.state !== "running") return;
  const other = triggeredUnit(dispatch, unit);
  if (unitSeenDown && other !== undefined) lookForPaths(dispatch, unit, true);
  else enterWaiting(dispatch, unit, true, false);
}

/** path_enter_dead */
export function enterPathDead(dispatch: Dispatch, unit: Unit, result: UnitResult): void {
  if (unit.path === null) return;
  if (unit.path.result === "success") unit.path.result = result;
  setPathState(dispatch, unit, unit.path.result === "success" ? "dead" : "failed");
}

/** path_enter_waiting: running while its unit runs, triggered when a path is as it should be. */
function enterWaiting(dispatch: Dispatch, unit: Unit, initial: boolean, triggered: boolean): void {
  const { path, config } = unit;
  if (path === null || config.path === null) return;
  const other = triggeredUnit(dispatch, unit);
  if (other !== undefined && !isInactiveOrFailed(activeState(other))) {
    setPathState(dispatch, unit, "running");
    return;
  }
  lookForPaths(dispatch, unit, initial || triggered);
}

function lookForPaths(dispatch: Dispatch, unit: Unit, firstLook: boolean): void {
  const { path, config } = unit;
  if (path === null || config.path === null) return;
  for (const [index, spec] of config.path.specs.entries()) {
    if (isGood(dispatch, path, spec, index, firstLook)) {
      enterRunning(dispatch, unit);
      return;
    }
  }
  setPathState(dispatch, unit, "waiting");
}

/** path_spec_check_good. PathChanged= looks for a change since the last look, which a first look cannot find. */
function isGood(
  dispatch: Dispatch,
  path: PathRuntime,
  spec: PathSpec,
  index: number,
  firstLook: boolean,
): boolean {
  const { state } = dispatch;
  switch (spec.kind) {
    case "PathExists":
      return pathExists(state, spec.path);
    case "PathExistsGlob":
      return pathMatches(state, spec.path);
    case "DirectoryNotEmpty":
      return directoryHasEntries(state, spec.path);
    case "PathChanged":
    case "PathModified": {
      const exists = pathExists(state, spec.path);
      const changed = exists !== path.existed.has(index);
      if (exists) path.existed.add(index);
      else path.existed.delete(index);
      return changed && !firstLook;
    }
  }
}

/** path_enter_running */
function enterRunning(dispatch: Dispatch, unit: Unit): void {
  const { path, config } = unit;
  if (path === null || config.path === null || isStopPending(dispatch, unit)) return;
  const { triggerInterval, triggerBurst } = config.path;
  if (!belowLimit(path.limit, triggerInterval, triggerBurst, dispatch.now)) {
    enterPathDead(dispatch, unit, "trigger-limit-hit");
    return;
  }
  const other = triggeredUnit(dispatch, unit);
  if (other === undefined || !dispatch.queue("start", other, "replace")) {
    enterPathDead(dispatch, unit, "resources");
    return;
  }
  setPathState(dispatch, unit, "running");
}

/** A file came, went or was written: what inotify tells a path unit that is waiting. */
export function pathFileChanged(dispatch: Dispatch, unit: Unit, change: FileChange): void {
  const { path, config } = unit;
  if (path?.state !== "waiting" || config.path === null) return;
  for (const [index, { kind, path: watched }] of config.path.specs.entries()) {
    const file = change.path;
    const own = file === watched || file.slice(0, file.lastIndexOf("/")) === watched;
    if (!own && !showsOnTheWay(dispatch.state, change, watched)) continue;
    const changes = kind === "PathChanged" || kind === "PathModified";
    // A path that was not there is not watched itself: its coming shows when it is looked for.
    if (changes && own && path.existed.has(index)) enterRunning(dispatch, unit);
    else enterWaiting(dispatch, unit, false, false);
    return;
  }
}

/** The unit a path starts has changed, or lost its job (path_trigger_notify). */
export function pathTriggerChanged(dispatch: Dispatch, unit: Unit, triggered: Unit): void {
  const { path } = unit;
  if (path === null || (path.state !== "waiting" && path.state !== "running")) return;
  if (triggered.startLimitHit) {
    enterPathDead(dispatch, unit, "unit-start-limit-hit");
    return;
  }
  if (needsLook(path, triggered)) dispatch.deferred.push({ kind: "path", unit: unit.name });
}

/** The look at the paths that a change of the unit calls for. */
export function lookAtPaths(dispatch: Dispatch, unit: Unit): void {
  const { path } = unit;
  const triggered = triggeredUnit(dispatch, unit);
  if (path === null || triggered === undefined) return;
  if (path.state !== "waiting" && path.state !== "running") return;
  if (needsLook(path, triggered)) enterWaiting(dispatch, unit, false, true);
}

function needsLook(path: PathRuntime, triggered: Unit): boolean {
  if (triggered.job !== 0) return false;
  return (path.state === "running") === isInactiveOrFailed(activeState(triggered));
}
