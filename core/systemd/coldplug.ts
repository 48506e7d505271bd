import { queueChecks } from "./change.js";
import { activeState, type Dispatch, triggeredUnit } from "./context.js";
import { coldplugPath } from "./path.js";
import { coldplugService, serviceOf } from "./service.js";
import type { Limit, Unit } from "./state.js";
import { coldplugTimer } from "./timer.js";
import { triggersChanged } from "./trigger.js";

/**
 * What a daemon-reload makes of what runs (manager_coldplug): systemd writes down its units' states, forgets
 * everything else, reads the files and puts the units back. So limits count from nothing, waiting begins
 * anew with the settings of now, and all that is up or failed is looked at as if it had just come to be so.
 */
export function coldplug(dispatch: Dispatch): void {
  const back = new Set<string>();
  for (const unit of [...dispatch.state.units.values()]) {
    forgetLimits(unit);
    const service = serviceOf(dispatch, unit);
    if (service !== null) coldplugService(service);
    coldplugTimer(dispatch, unit);
    // A path sees its unit down as long as that one is not back.
    const triggered = triggeredUnit(dispatch, unit);
    if (triggered !== undefined) coldplugPath(dispatch, unit, !back.has(triggered.name));
    back.add(unit.name);
    const state = activeState(unit);
    if (state === "inactive") continue;
    triggersChanged(dispatch, unit);
    queueChecks(dispatch, unit, state);
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
