import type { Micros } from "../kernel/index.js";
import type { Dispatch } from "./context.js";
import type { Unit } from "./state.js";
import { FOREVER } from "./value.js";

/** What a unit that runs commands keeps of the time that its state may last. */
export interface Timed {
  /** When a state that lasts for a limited time was entered; absent in one that may last. */
  stateSince?: Micros;
  /** A timer runs. */
  timed?: true;
}

/** The one timer of a socket or mount, for what its state waits for; FOREVER takes it back. */
export function armUnitTimer({ out }: Dispatch, unit: Unit, runtime: Timed, delay: Micros): void {
  const timer = `unit/${unit.name}`;
  if (runtime.timed === true) out.effects.push({ kind: "cancel-timer", timer });
  delete runtime.timed;
  if (delay === FOREVER) return;
  out.effects.push({ kind: "arm-timer", timer, delay });
  runtime.timed = true;
}

/** A state has been entered, which may last or not. */
export function noteState(dispatch: Dispatch, unit: Unit, runtime: Timed, lasts: boolean): void {
  if (!lasts) {
    runtime.stateSince = dispatch.now;
    return;
  }
  delete runtime.stateSince;
  armUnitTimer(dispatch, unit, runtime, FOREVER);
}

/** After a daemon-reload the state's timer runs by the settings of now, from when the state was entered. */
export function rearmUnitTimer(
  dispatch: Dispatch,
  unit: Unit,
  runtime: Timed,
  timeout: Micros,
): void {
  const end = (runtime.stateSince ?? dispatch.now) + timeout;
  const left = timeout === FOREVER ? FOREVER : Math.max(0, end - dispatch.now);
  armUnitTimer(dispatch, unit, runtime, left);
}
