import type { Micros } from "../kernel/index.js";
import { type CalendarSpec, isUtc } from "./calendar.js";
import { nextElapse } from "./calendar-next.js";
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
import type { TimerBase, TimerConfig, TimerSpec } from "./timer-config.js";
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
  delete timer.stamp;
  if (config.timer.persistent) readStamp(dispatch, unit, timer);
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
  enterWaiting(dispatch, unit, "reload");
}

/** timer_enter_dead */
export function enterTimerDead(dispatch: Dispatch, unit: Unit, result: UnitResult): void {
  if (unit.timer === null) return;
  if (unit.timer.result === "success") unit.timer.result = result;
  setTimerState(dispatch, unit, unit.timer.result === "success" ? "dead" : "failed");
}

/** Why a timer reckons anew: it is its turn, its settings were read again, or the clock was set. */
type Why = "turn" | "reload" | "clock";

/** timer_enter_waiting: the earliest of what is still to come; elapsed when nothing is. */
function enterWaiting(dispatch: Dispatch, unit: Unit, why: Why = "turn"): void {
  const { timer, config } = unit;
  if (timer === null || config.timer === null) return;
  const { onClockChange, onTimezoneChange, remainAfterElapse, specs } = config.timer;
  let next: Micros | null = null;
  let leaveAround = false;
  for (const [index, spec] of specs.entries()) {
    if (timer.disabled.has(index)) continue;
    leaveAround ||= spec.base === "OnUnitActiveSec" || spec.base === "OnUnitInactiveSec";
    const at = momentOf(dispatch, unit, spec, why === "reload");
    if (at === null) continue;
    const known = timer.lastTrigger !== null || timer.stamp !== undefined;
    if (known && why !== "clock" && ONCE.has(spec.base) && at < dispatch.now) {
      // What counts from a moment that does not come again has its turn once.
      timer.disabled.add(index);
      continue;
    }
    if (next === null || at < next) next = at;
  }
  if (next === null && !onClockChange && !onTimezoneChange) {
    if (remainAfterElapse || leaveAround) setTimerState(dispatch, unit, "elapsed");
    else enterTimerDead(dispatch, unit, "success");
    return;
  }
  arm(dispatch, unit, timer, next ?? FOREVER);
  setTimerState(dispatch, unit, "waiting");
}

const ONCE: ReadonlySet<TimerSpec["base"]> = new Set(["OnActiveSec", "OnBootSec", "OnStartupSec"]);

function arm(dispatch: Dispatch, unit: Unit, timer: TimerRuntime, next: Micros): void {
  const { now, out, deferred } = dispatch;
  const before = timer.next;
  timer.next = next;
  if (next !== FOREVER) {
    const delay = Math.max(0, next - now);
    out.effects.push({ kind: "arm-timer", timer: timerName(unit), delay });
    // One that is due elapses before any job is run.
    if (delay === 0) deferred.push({ kind: "due", unit: unit.name });
  } else if (before !== null && before !== FOREVER) {
    out.effects.push({ kind: "cancel-timer", timer: timerName(unit) });
  }
}

/** When a setting elapses; null when it does not. */
function momentOf(dispatch: Dispatch, unit: Unit, spec: TimerSpec, again: boolean): Micros | null {
  if (spec.base === "OnCalendar") return nextOf(dispatch, unit, spec.calendar);
  const { base, delay } = spec;
  const from = again && base === "OnActiveSec" ? dispatch.now : baseOf(dispatch, unit, base);
  if (from === null) return null;
  return delay === FOREVER ? FOREVER : from + delay;
}

/**
 * When a calendar event elapses: next after the timer did so last, or after it was started; of one that
 * is being started, the time before, so that what came while it was stopped is made up for. What it
 * missed while the host was down comes with the boot.
 */
function nextOf({ state, now }: Dispatch, unit: Unit, calendar: CalendarSpec): Micros | null {
  if (!isUtc(calendar)) return FOREVER;
  const { lastTrigger, stamp } = unit.timer ?? { lastTrigger: null };
  const next = nextElapse(calendar, lastTrigger ?? stamp ?? unit.inactiveExit ?? now);
  return next === null ? null : Math.max(next, state.bootedAt);
}

/**
 * Reads when a Persistent= timer elapsed last, and makes a note that it was started when it never
 * did. systemd has this as the time of the last change of a file, which is not one of the files here.
 */
function readStamp({ state, now }: Dispatch, unit: Unit, timer: TimerRuntime): void {
  state.timerStamps ??= new Map();
  const stamp = state.timerStamps.get(unit.name);
  if (stamp === undefined) state.timerStamps.set(unit.name, now);
  // One from the future says that the clock is wrong.
  else if (stamp < now) timer.stamp = stamp;
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

/** Whether it is the clock on the wall that decides, and not only how much time goes by. */
const isOfWallClock = ({ specs, onClockChange }: TimerConfig): boolean =>
  onClockChange || specs.some(({ base }) => base === "OnCalendar");

/** The timer unit is due. */
export function elapseTimer(dispatch: Dispatch, unit: Unit): void {
  const { timer, config } = unit;
  if (timer === null || timer.state !== "waiting" || config.timer === null) return;
  const early = timer.next !== null && dispatch.now < timer.next;
  // A clock that was set back since, or one that drifts.
  if (early && isOfWallClock(config.timer)) enterWaiting(dispatch, unit);
  else enterRunning(dispatch, unit, timer, config.timer);
}

/** The host's clock was set (timer_time_change). */
export function clockChanged(dispatch: Dispatch): void {
  for (const unit of [...dispatch.state.units.values()]) {
    const { timer, config } = unit;
    if (timer?.state !== "waiting" || config.timer === null) continue;
    if (!isOfWallClock(config.timer)) continue;
    // What is to come once more on a clock that was set back comes once more.
    const back = (at: Micros) => Math.min(at, dispatch.now);
    if (timer.lastTrigger !== null) timer.lastTrigger = back(timer.lastTrigger);
    if (timer.stamp !== undefined) timer.stamp = back(timer.stamp);
    if (config.timer.onClockChange) enterRunning(dispatch, unit, timer, config.timer);
    else enterWaiting(dispatch, unit, "clock");
  }
}

/** The unit that the timer is for is started (timer_enter_running). */
function enterRunning(
  dispatch: Dispatch,
  unit: Unit,
  timer: TimerRuntime,
  config: TimerConfig,
): void {
  if (isStopPending(dispatch, unit)) return;
  const triggered = triggeredUnit(dispatch, unit);
  if (triggered === undefined || !dispatch.queue("start", triggered, "replace")) {
    enterTimerDead(dispatch, unit, "resources");
    return;
  }
  timer.lastTrigger = dispatch.now;
  if (config.persistent) dispatch.state.timerStamps?.set(unit.name, dispatch.now);
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
