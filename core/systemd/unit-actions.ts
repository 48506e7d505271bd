import { conditionsHold } from "./condition.js";
import {
  activeState,
  affected,
  announce,
  belowLimit,
  type Dispatch,
  hasEdges,
  isActiveOrReloading,
  isAfter,
  isInactiveOrFailed,
} from "./context.js";
import { emergencyAction } from "./emergency.js";
import { enterMountDead, mountOf, reloadMount, startMount, stopMount } from "./mount.js";
import type { StartOutcome } from "./outcome.js";
import { enterPathDead, startPath } from "./path.js";
import { enterDead, reloadService, serviceOf, startService, stopService } from "./service.js";
import { enterSocketDead, socketOf, startSocket, stopSocket } from "./socket.js";
import type { Unit } from "./state.js";
import { enterTimerDead, startTimer } from "./timer.js";

/** unit_start */
export function startUnit(dispatch: Dispatch, unit: Unit): StartOutcome {
  const state = activeState(unit);
  if (isActiveOrReloading(state)) return "already";
  if (unit.load !== "loaded") return "failed";
  if (state !== "activating") {
    if (!conditionsHold(dispatch, unit, false)) return "condition";
    if (!conditionsHold(dispatch, unit, true)) return "assert";
  }
  if (!boundUnitsActive(dispatch, unit)) return "dependency";
  if (!mayStart(dispatch, unit)) return "failed";
  const service = serviceOf(dispatch, unit);
  if (service !== null) return startService(service);
  if (unit.timer !== null) return startTimer(dispatch, unit);
  if (unit.path !== null) return startPath(dispatch, unit);
  const socket = socketOf(dispatch, unit);
  if (socket !== null) return startSocket(socket);
  const mount = mountOf(dispatch, unit);
  if (mount !== null) return startMount(mount);
  setActive(dispatch, unit, true);
  return "started";
}

/** unit_verify_deps: what a unit is bound to and comes after must be up by now. */
function boundUnitsActive(dispatch: Dispatch, unit: Unit): boolean {
  return affected(dispatch.state, unit, "cannotBeActiveWithout").every(
    (other) => !isAfter(unit, other) || isActiveOrReloading(activeState(other)),
  );
}

/** The start limit, which every type has that does something; a unit above it fails as it is. */
function mayStart(dispatch: Dispatch, unit: Unit): boolean {
  const { service, timer, path, socket, mount, config } = unit;
  if ((service ?? timer ?? path ?? socket ?? mount) === null) return true;
  const { startLimitInterval, startLimitBurst } = config;
  unit.startLimitHit = !belowLimit(
    unit.startLimit,
    startLimitInterval,
    startLimitBurst,
    dispatch.now,
  );
  if (!unit.startLimitHit) return true;
  emergencyAction(dispatch, unit, "StartLimitAction");
  failForLimit(dispatch, unit);
  return false;
}

function failForLimit(dispatch: Dispatch, unit: Unit): void {
  const service = serviceOf(dispatch, unit);
  const socket = socketOf(dispatch, unit);
  const mount = mountOf(dispatch, unit);
  if (service !== null) enterDead(service, "start-limit-hit", false);
  else if (socket !== null) enterSocketDead(socket, "start-limit-hit");
  else if (mount !== null) enterMountDead(mount, "start-limit-hit");
  else if (unit.timer !== null) enterTimerDead(dispatch, unit, "start-limit-hit");
  else enterPathDead(dispatch, unit, "start-limit-hit");
}

/** unit_stop */
export function stopUnit(dispatch: Dispatch, unit: Unit): StartOutcome {
  if (isInactiveOrFailed(activeState(unit))) return "already";
  const service = serviceOf(dispatch, unit);
  if (service !== null) return stopService(service);
  const socket = socketOf(dispatch, unit);
  if (socket !== null) return stopSocket(socket);
  const mount = mountOf(dispatch, unit);
  if (mount !== null) return stopMount(mount);
  if (unit.timer !== null) enterTimerDead(dispatch, unit, "success");
  else if (unit.path !== null) enterPathDead(dispatch, unit, "success");
  else setActive(dispatch, unit, false);
  return "started";
}

/** unit_reload */
export function reloadUnit(dispatch: Dispatch, unit: Unit): StartOutcome {
  if (unit.load !== "loaded") return "failed";
  if (!canReload(unit)) return "skipped";
  const state = activeState(unit);
  if (state === "reloading") return "again";
  if (state !== "active") return "invalid";
  const service = serviceOf(dispatch, unit);
  if (service !== null) return reloadService(service);
  const mount = mountOf(dispatch, unit);
  if (mount !== null) return reloadMount(mount);
  // Nothing of its own to reload, but others to pass it on to: that was done with the job.
  dispatch.changed(unit, state, { reloadFailed: false, willRestart: false });
  return "started";
}

/** Whether a reload has something to do: a service's own, any other unit's for those it passes it on to. */
export function canReload(unit: Unit): boolean {
  if (unit.service !== null) return (unit.config.service?.commands.ExecReload.length ?? 0) > 0;
  if (unit.mount !== null) return true;
  return hasEdges(unit, "propagatesReloadTo");
}

/** Moves a unit that is up or down and nothing else. */
function setActive(dispatch: Dispatch, unit: Unit, active: boolean): void {
  const before = activeState(unit);
  unit.active = active;
  announce(dispatch, unit);
  dispatch.changed(unit, before, { reloadFailed: false, willRestart: false });
}
