import { type Dispatch, linked } from "./context.js";
import { pathTriggerChanged } from "./path.js";
import { socketOf, socketTriggerChanged } from "./socket.js";
import type { Unit } from "./state.js";
import { timerTriggerChanged } from "./timer.js";

/** A unit changed or lost its job: what triggers it takes note (unit_trigger_notify). */
export function triggersChanged(dispatch: Dispatch, unit: Unit): void {
  for (const trigger of linked(dispatch.state, unit, "triggeredBy")) {
    const socket = socketOf(dispatch, trigger);
    if (trigger.timer !== null) timerTriggerChanged(dispatch, trigger, unit);
    else if (trigger.path !== null) pathTriggerChanged(dispatch, trigger, unit);
    else if (socket !== null) socketTriggerChanged(socket, unit);
  }
}
