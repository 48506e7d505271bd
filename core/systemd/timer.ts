import type { Micros } from "../kernel/index.js";
import { activeState, type Dispatch, isInactiveOrFailed } from "./context.js";
import type { TimerRuntime, Unit } from "./state.js";
import type { TimerBase } from "./timer-config.js";
import { FOREVER } from "./value.js";

const timerName = (unit: Unit) => `unit/${unit.name}`;

function setTimerState(dispatch: Dispatch, unit: Unit, state: TimerRuntime["state"]): void {
  if (unit.timer === null) return;
  const before = activeState(unit);
  unit.timer.state = state;
  dispatch.touched.add(unit.name);
  dispatch.notifications.push({
    unit: unit.name,
    before,
    after: activeState(unit),
    reloadFailed: false,
    willRestart: false,
    skipped: false,
  });
}

/** Starts waiting (timer_start). */
export function startTimer(dispatch: Dispatch, unit: Unit): void {
  if (unit.timer === null) return;
  unit.activeEnter = dispatch.now;
  unit.timer.lastTrigger = null;
  enterWaiting(dispatch, unit, true);
}

export function stopTimer(dispatch: Dispatch, unit: Unit): void {
  dispatch.out.effects.push({ kind: "cancel-timer", timer: timerName(unit) });
  if (unit.timer !== null) unit.timer.next = null;
  setTimerState(dispatch, unit, "dead");
}

/** timer_enter_waiting: the earliest of what is still to come; elapsed when nothing is. */
function enterWaiting(dispatch: Dispatch, unit: Unit, first: boolean): void {
  const { timer, config } = unit;
  if (timer === null || config.timer === null) return;
  const { now, out } = dispatch;
  let next: Micros | null = null;
  for (const { base, delay } of config.timer.specs) {
    const from = baseOf(dispatch, unit, base);
    if (from === null || delay === FOREVER) continue;
    const at = from + delay;
    const once = base === "OnActiveSec" || base === "OnBootSec" || base === "OnStartupSec";
    // What counts from a moment that does not come again has its turn once.
    if (once && !first && at <= now) continue;
    if (next === null || at < next) next = at;
  }
  timer.next = next;
  if (next === null) {
    setTimerState(dispatch, unit, "elapsed");
    return;
  }
  out.effects.push({ kind: "arm-timer", timer: timerName(unit), delay: Math.max(0, next - now) });
  setTimerState(dispatch, unit, "waiting");
}

function baseOf(dispatch: Dispatch, unit: Unit, base: TimerBase): Micros | null {
  const triggered = dispatch.state.units.get(unit.config.timer?.unit ?? "");
  const last = unit.timer?.lastTrigger ?? null;
  const later = (at: Micros | null | undefined) =>
    at === null || at === undefined ? last : last === null ? at : Math.max(at, last);
  switch (base) {
    case "OnActiveSec":
      return unit.activeEnter;
    case "OnBootSec":
    case "OnStartupSec":
      return dispatch.state.bootedAt;
    case "OnUnitActiveSec":
      return later(triggered?.activeEnter);
    case "OnUnitInactiveSec":
      return later(triggered?.inactiveEnter);
  }
}

/** The timer unit is due: its unit is started (timer_enter_running). */
export function elapseTimer(dispatch: Dispatch, unit: Unit): void {
  const { timer, config } = unit;
  if (timer === null || timer.state !== "waiting" || config.timer === null) return;
  timer.lastTrigger = dispatch.now;
  timer.next = null;
  dispatch.triggers.push({ unit: config.timer.unit, type: "start", mode: "replace" });
  setTimerState(dispatch, unit, "running");
}

/** The unit a timer starts has changed (timer_trigger_notify). */
export function timerTriggerChanged(dispatch: Dispatch, unit: Unit, triggered: Unit): void {
  const { timer } = unit;
  if (timer === null) return;
  if (timer.state === "running" && isInactiveOrFailed(activeState(triggered))) {
    enterWaiting(dispatch, unit, false);
  } else if (timer.state === "waiting" || timer.state === "elapsed") {
    enterWaiting(dispatch, unit, false);
  }
}
