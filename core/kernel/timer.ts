import type { Micros } from "./units.js";

/**
 * Asks for a `TimerFired` after `delay` on the machine's own clock. A machine has at most one
 * timer of a name: arming it again replaces the earlier one.
 */
export interface ArmTimer {
  readonly kind: "arm-timer";
  readonly timer: string;
  readonly delay: Micros;
}

/** Takes an armed timer back; nothing happens if there is none. */
export interface CancelTimer {
  readonly kind: "cancel-timer";
  readonly timer: string;
}

/** The timer of that name is due. */
export interface TimerFired {
  readonly kind: "timer";
  readonly timer: string;
}

export type TimerEffect = ArmTimer | CancelTimer;
