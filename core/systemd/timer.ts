import type { Micros } from "../kernel/index.js";
import {
  activeState,
  announce,
  type Dispatch,
  isInactiveOrFailed,
  isStopPending,
  triggeredUnit,
} from "./context.js";
import type { StartOutcome } from "./outcome.js";
import type { TimerRuntime, Unit } from "./state.js";
import type { TimerBase } from "./timer-config.js";
import type { UnitResult } from "./types.js";
import { FOREVER } from "./value.js";

const timerName = (unit: Unit) => `unit/${unit.name}`;

function setTimerState(dispatch: Dispatch, unit: Unit, state: TimerRuntime["state"]): void {
  if (unit.timer === null) return;
  const before = activeState(unit);
  if (state !== "waiting") {
    if (unit.timer.next !== null) {
      dispatch.out.effects.push({ kind: "cancel-timer", timer: timerName(unit) });
    }
    unit.timer.next = null;
  }
  unit.timer.state = state;
  announce(dispatch, unit);
  dispatch.changed(unit, before, { reloadFailed: false, willRestart: false });
}

/** timer_start */
export function startTimer(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { timer, config } = unit;
  if (timer === null || config.timer === null) return "failed";
  if (triggeredUnit(dispatch, unit)?.load !== "loaded") return "failed";
  timer.lastTrigger = null;
  timer.result = "success";
  for (const [index, { base }] of config.timer.specs.entries()) {
    if (base === "OnActiveSec") timer.disabled.delete(index);
  }
  enterWaiting(dispatch, unit);
  return "started";
}

/** Puts a timer back after a daemon-reload (timer_coldplug): OnActiveSec= counts from now. */
export function coldplugTimer(dispatch: Dispatch, unit: Unit): void {
  if (unit.timer?.state !== "waiting") return;
  unit.timer.disabled.clear();
  enterWaiting(dispatch, unit, true);
}

/** timer_enter_dead */
export function enterTimerDead(dispatch: Dispatch, unit: Unit, result: UnitResult): void {
  if (unit.timer === null) return;
  if (unit.timer.result === "success") unit.timer.result = result;
  setTimerState(dispatch, unit, unit.timer.result === "success" ? "dead" : "failed");
}

/** timer_enter_waiting: the earliest of what is still to come; elapsed when nothing is. */
function enterWaiting(dispatch: Dispatch, unit: Unit, again = false): void {
  const { timer, config } = unit;
  if (timer === null || config.timer === null) return;
  const { now, out } = dispatch;
  let next: Micros | null = null;
  let leaveAround = false;
  for (const [index, { base, delay }] of config.timer.specs.entries()) {
    if (timer.disabled.has(index)) continue;
    leaveAround ||= base === "OnUnitActiveSec" || base === "OnUnitInactiveSec";
    const from = again && base === "OnActiveSec" ? now : baseOf(dispatch, unit, base);
    if (from === null) continue;
    const at = delay === FOREVER ? FOREVER : from + delay;
    const once = base === "OnActiveSec" || base === "OnBootSec" || base === "OnStartupSec";
    if (timer.lastTrigger !== null && once && at < now) {
      // What counts from a moment that does not come again has its turn once.
      timer.disabled.add(index);
      continue;
    }
    if (next === null || at < next) next = at;
  }
  if (next === null) {
    if (config.timer.remainAfterElapse || leaveAround) setTimerState(dispatch, unit, "elapsed");
    else enterTimerDead(dispatch, unit, "success");
    return;
  }
  timer.next = next;
  if (next !== FOREVER) {
    const delay = Math.max(0, next - now);
    out.effects.push({ kind: "arm-timer", timer: timerName(unit), delay });
  }
  setTimerState(dispatch, unit, "waiting");
}

function baseOf(dispatch: Dispatch, unit: Unit, base: TimerBase): Micros | null {
  const triggered = triggeredUnit(dispatch, unit);
  const last = unit.timer?.lastTrigger ?? null;
  const later = (at: Micros | null | undefined) =>
    at === null || at === undefined ? last : last === null ? at : Math.max(at, last);
  switch (base) {
    case "OnActiveSec":
      return activeState(unit) === "active" ? unit.inactiveExit : dispatch.now;
    case "OnBootSec":
    case "OnStartupSec":
      return dispatch.state.bootedAt;
    case "OnUnitActiveSec":
      return later(triggered?.inactiveExit);
    case "OnUnitInactiveSec":
      return later(triggered?.inactiveEnter);
  }
}

/** The timer unit is due: its unit is started (timer_enter_running). */
export function elapseTimer(dispatch: Dispatch, unit: Unit): void {
  const { timer, config } = unit;
  if (timer === null || timer.state !== "waiting" || config.timer === null) return;
  if (isStopPending(dispatch, unit)) return;
  const triggered = triggeredUnit(dispatch, unit);
  if (triggered === undefined || !dispatch.queue("start", triggered, "replace")) {
    enterTimerDead(dispatch, unit, "resources");
    return;
  }
  timer.lastTrigger = dispatch.now;
  setTimerState(dispatch, unit, "running");
}

/** The unit a timer starts has changed (timer_trigger_notify). */
export function timerTriggerChanged(dispatch: Dispatch, unit: Unit, triggered: Unit): void {
  const { timer, config } = unit;
  if (timer === null) return;
  for (const [index, { base }] of config.timer?.specs.entries() ?? []) {
    if (base === "OnUnitActiveSec" || base === "OnUnitInactiveSec") timer.disabled.delete(index);
  }
  switch (timer.state) {
    case "waiting":
    case "elapsed":
      enterWaiting(dispatch, unit);
      return;
    case "running":
      if (isInactiveOrFailed(activeState(triggered))) enterWaiting(dispatch, unit);
      return;
    default:
  }
}
