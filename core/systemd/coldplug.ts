import type { Micros } from "../kernel/index.js";
import { queueChecks } from "./change.js";
import { activeState, type Dispatch, triggeredUnit } from "./context.js";
import { hashOrder } from "./hash-order.js";
import { coldplugMount, mountOf } from "./mount.js";
import { coldplugPath } from "./path.js";
import { armTimer, runtimeLeft, type Service, serviceOf, TIMED } from "./service.js";
import { socketOf } from "./socket.js";
import { coldplugSocket } from "./socket-events.js";
import type { Limit, Unit } from "./state.js";
import { coldplugTimer } from "./timer.js";
import { triggersChanged } from "./trigger.js";
import { FOREVER } from "./value.js";

/**
 * What a daemon-reload makes of what runs (manager_coldplug): systemd writes down its units' states, forgets
 * everything else, reads the files and puts the units back. So waiting begins
 * anew with the settings of now, and all that is up or failed is looked at as if it had just come to be so.
 */
export function coldplug(dispatch: Dispatch): void {
  const back = new Set<string>();
  const { state } = dispatch;
  for (const name of [...hashOrder(state, state.units.keys())]) {
    const unit = state.units.get(name);
    if (unit === undefined) continue;
    if (state.reloadForgetsLimits === true) forgetLimits(unit);
    const service = serviceOf(dispatch, unit);
    if (service !== null) coldplugService(service);
    const socket = socketOf(dispatch, unit);
    if (socket !== null) coldplugSocket(socket);
    const mount = mountOf(dispatch, unit);
    if (mount !== null) coldplugMount(mount);
    coldplugTimer(dispatch, unit);
    // A path sees its unit down as long as that one is not back.
    const triggered = triggeredUnit(dispatch, unit);
    if (triggered !== undefined) coldplugPath(dispatch, unit, !back.has(triggered.name));
    back.add(unit.name);
    const active = activeState(unit);
    if (active === "inactive") continue;
    triggersChanged(dispatch, unit);
    queueChecks(dispatch, unit, active);
  }
}

function forgetLimits(unit: Unit): void {
  const limits: (Limit | undefined)[] = [
    unit.startLimit,
    unit.autoLimit,
    unit.path?.limit,
    unit.socket?.limit,
  ];
  for (const limit of limits) {
    if (limit === undefined) continue;
    limit.begin = null;
    limit.count = 0;
  }
  unit.startLimitHit = false;
}

/** Puts a service back after a daemon-reload (service_coldplug): its timer runs by the settings of now. */
function coldplugService(service: Service): void {
  const { runtime } = service;
  delete runtime.notified;
  if (TIMED.has(runtime.state)) armTimer(service, timeLeft(service));
}

/** How long the present state may still last (service_coldplug_timeout). */
function timeLeft(service: Service): Micros {
  const { runtime, config, dispatch, unit } = service;
  const since = (from: Micros | null | undefined, limit: Micros): Micros =>
    limit === FOREVER ? FOREVER : Math.max(0, (from ?? dispatch.now) + limit - dispatch.now);
  switch (runtime.state) {
    case "condition":
    case "start-pre":
    case "start":
    case "start-post":
    case "reload":
      return since(runtime.stateSince, config.timeoutStart);
    case "running":
      return runtimeLeft(service);
    case "stop":
    case "stop-sigterm":
    case "stop-sigkill":
    case "stop-post":
    case "final-sigterm":
    case "final-sigkill":
      return since(runtime.stateSince, config.timeoutStop);
    case "stop-watchdog":
    case "final-watchdog":
      return since(runtime.stateSince, config.timeoutAbort);
    case "auto-restart":
      return since(unit.inactiveEnter, config.restartDelay);
    case "dead":
    case "exited":
    case "failed":
      return FOREVER;
  }
}
