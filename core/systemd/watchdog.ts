import type { Micros } from "../kernel/index.js";
import type { Dispatch } from "./context.js";
import type { ServiceRuntime, Unit } from "./state.js";
import { FOREVER } from "./value.js";

/** The part of a service that its watchdog looks at. */
interface Watched {
  readonly dispatch: Dispatch;
  readonly unit: Unit;
  readonly runtime: ServiceRuntime;
}

/** Name of the watchdog's timer. */
const timerOf = (unit: Unit) => `watchdog/${unit.name}`;

/** The program is alive: the watchdog's time begins anew (service_reset_watchdog). */
export function resetWatchdog(service: Watched): void {
  const { watchdog = 0 } = service.runtime;
  stopWatchdog(service);
  if (watchdog !== 0 && watchdog !== FOREVER) armWatchdog(service, watchdog);
}

/** The watchdog goes to sleep (service_stop_watchdog). */
export function stopWatchdog({ dispatch, unit, runtime }: Watched): void {
  if (runtime.watchdogAt === undefined) return;
  dispatch.out.effects.push({ kind: "cancel-timer", timer: timerOf(unit) });
  delete runtime.watchdogAt;
}

/** The watchdog, which is awake, bites no earlier than after `delay`. */
export function extendWatchdog(service: Watched, delay: Micros): void {
  const { dispatch, runtime } = service;
  const { watchdogAt } = runtime;
  if (watchdogAt === undefined || watchdogAt >= dispatch.now + delay) return;
  armWatchdog(service, delay);
}

function armWatchdog({ dispatch, unit, runtime }: Watched, delay: Micros): void {
  dispatch.out.effects.push({ kind: "arm-timer", timer: timerOf(unit), delay });
  runtime.watchdogAt = dispatch.now + delay;
}
