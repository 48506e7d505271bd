import type { Micros } from "../kernel/index.js";
import type { Command } from "./command.js";
import { type Dispatch, serviceActiveState } from "./context.js";
import { jobOf } from "./job.js";
import type { ExecProcess } from "./process.js";
import { killProcesses, spawn } from "./process-table.js";
import type { CommandList, ExitStatuses, ServiceConfig } from "./service-config.js";
import type { ServiceRuntime, ServiceState, Unit } from "./state.js";
import type { ServiceResult } from "./types.js";
import { FOREVER } from "./value.js";

/** A service with its settings and what it does: what every step of its life is given. */
export interface Service {
  readonly dispatch: Dispatch;
  readonly unit: Unit;
  readonly config: ServiceConfig;
  readonly runtime: ServiceRuntime;
}

/** The service behind a unit; null when the unit is none or is not loaded as one. */
export function serviceOf(dispatch: Dispatch, unit: Unit): Service | null {
  const { config } = unit;
  if (unit.service === null || config.service === null) return null;
  return { dispatch, unit, config: config.service, runtime: unit.service };
}

export const timerName = (unit: Unit) => `unit/${unit.name}`;

/** Moves to a state and tells; the timer of the state left behind is taken back. */
export function setState(service: Service, state: ServiceState, willRestart = false): void {
  const { dispatch, unit, runtime, config } = service;
  const idle = config.type === "idle";
  const before = serviceActiveState(runtime.state, idle);
  if (TIMED.has(runtime.state)) cancelTimer(service);
  runtime.state = state;
  dispatch.touched.add(unit.name);
  dispatch.notifications.push({
    unit: unit.name,
    before,
    after: serviceActiveState(state, idle),
    reloadFailed: runtime.reloadResult !== "success",
    willRestart,
    skipped: runtime.result === "exec-condition",
  });
}

const TIMED: ReadonlySet<ServiceState> = new Set<ServiceState>([
  "condition",
  "start-pre",
  "start",
  "start-post",
  "running",
  "reload",
  "stop",
  "stop-sigterm",
  "stop-sigkill",
  "stop-post",
  "final-sigterm",
  "final-sigkill",
  "auto-restart",
]);

function cancelTimer(service: Service): void {
  service.dispatch.out.effects.push({ kind: "cancel-timer", timer: timerName(service.unit) });
}

function armTimer(service: Service, delay: Micros): void {
  if (delay === FOREVER) return;
  const timer = timerName(service.unit);
  service.dispatch.out.effects.push({ kind: "arm-timer", timer, delay });
}

function fail(service: Service, result: ServiceResult): void {
  if (service.runtime.result === "success") service.runtime.result = result;
}

const ROLES: Readonly<Record<CommandList, ExecProcess["role"]>> = {
  ExecCondition: "condition",
  ExecStartPre: "pre",
  ExecStart: "main",
  ExecStartPost: "post",
  ExecReload: "reload",
  ExecStop: "stop",
  ExecStopPost: "stop-post",
};

function run(service: Service, list: CommandList, index: number): number | null {
  const command = service.config.commands[list][index];
  if (command === undefined) return null;
  const { dispatch, unit, runtime, config } = service;
  return spawn(dispatch, unit, runtime, config, command, ROLES[list]);
}

/**
 * Runs the first command of a phase as the control process and enters its state.
 *
 * @returns `none` when the phase has no commands, `failed` when the process cannot be started
 */
function enterControl(
  service: Service,
  list: CommandList,
  state: ServiceState,
  timeout: Micros,
): "entered" | "none" | "failed" {
  if (service.config.commands[list].length === 0) return "none";
  const pid = run(service, list, 0);
  if (pid === null) return "failed";
  service.runtime.controlPid = pid;
  service.runtime.controlCommand = 0;
  setState(service, state);
  armTimer(service, timeout);
  return "entered";
}

/** The commands of the phase a control process belongs to; null outside of such phases. */
export function controlList(service: Service): CommandList | null {
  switch (service.runtime.state) {
    case "condition":
      return "ExecCondition";
    case "start-pre":
      return "ExecStartPre";
    case "start":
      return service.config.type === "forking" ? "ExecStart" : null;
    case "start-post":
      return "ExecStartPost";
    case "reload":
      return "ExecReload";
    case "stop":
      return "ExecStop";
    case "stop-post":
      return "ExecStopPost";
    default:
      return null;
  }
}

/** The command a control process was started with. */
export function controlCommand(service: Service): Command | null {
  const list = controlList(service);
  return list === null
    ? null
    : (service.config.commands[list][service.runtime.controlCommand] ?? null);
}

/** Runs the next command of the phase; false when there is none. */
export function runNextControl(service: Service): boolean {
  const list = controlList(service);
  const { runtime, config } = service;
  if (list === null || config.commands[list][runtime.controlCommand + 1] === undefined) {
    return false;
  }
  runtime.controlCommand++;
  const pid = run(service, list, runtime.controlCommand);
  if (pid === null) {
    afterFailedSpawn(service);
    return true;
  }
  runtime.controlPid = pid;
  rearm(service);
  return true;
}

function rearm(service: Service): void {
  const { state } = service.runtime;
  const stopping = state === "stop" || state === "stop-post";
  const { timeoutStop, timeoutStart } = service.config;
  armTimer(service, stopping ? timeoutStop : timeoutStart);
}

function afterFailedSpawn(service: Service): void {
  switch (service.runtime.state) {
    case "reload":
      service.runtime.reloadResult = "resources";
      enterRunning(service, "success");
      return;
    case "stop":
      enterSignal(service, "stop-sigterm", "resources");
      return;
    case "stop-post":
      enterSignal(service, "final-sigterm", "resources");
      return;
    default:
      enterSignal(service, "stop-sigterm", "resources");
  }
}

/** Runs the next ExecStart= of a oneshot; false when there is none. */
export function runNextMain(service: Service): boolean {
  const { runtime, config } = service;
  if (config.commands.ExecStart[runtime.mainCommand + 1] === undefined) return false;
  runtime.mainCommand++;
  const pid = run(service, "ExecStart", runtime.mainCommand);
  if (pid === null) enterSignal(service, "stop-sigterm", "resources");
  else runtime.mainPid = pid;
  return true;
}

/** What a start comes to, as the job sees it. */
export type StartOutcome = "started" | "not-now" | "failed";

/** service_start, with the check of the start limit that comes first. */
export function startService(service: Service): StartOutcome {
  const { runtime } = service;
  switch (runtime.state) {
    case "dead":
    case "failed":
      break;
    case "condition":
    case "start-pre":
    case "start":
    case "start-post":
      return "started";
    default:
      // Going down, or waiting to be restarted: the job stays queued.
      return "not-now";
  }
  if (!belowStartLimit(service)) {
    enterDead(service, "start-limit-hit", false);
    return "failed";
  }
  runtime.result = "success";
  runtime.reloadResult = "success";
  runtime.mainPid = 0;
  runtime.controlPid = 0;
  runtime.mainCode = null;
  runtime.mainSignal = null;
  runtime.forbidRestart = false;
  runtime.ready = false;
  if (runtime.flushRestarts) {
    runtime.restarts = 0;
    runtime.flushRestarts = false;
  }
  enterCondition(service);
  return "started";
}

/** The rate limit on starts: at most `burst` in a window that begins with a start (basic/ratelimit.c). */
function belowStartLimit(service: Service): boolean {
  const { unit, dispatch } = service;
  const { startLimitInterval, startLimitBurst } = unit.config;
  if (startLimitInterval <= 0 || startLimitBurst <= 0) return true;
  const { limitBegin } = unit;
  const over = limitBegin === null || limitBegin + startLimitInterval <= dispatch.now;
  if (startLimitInterval !== FOREVER && over) {
    unit.limitBegin = dispatch.now;
    unit.limitCount = 1;
    return true;
  }
  unit.limitBegin ??= dispatch.now;
  if (unit.limitCount >= startLimitBurst) return false;
  unit.limitCount++;
  return true;
}

function enterCondition(service: Service): void {
  const entered = enterControl(service, "ExecCondition", "condition", service.config.timeoutStart);
  if (entered === "none") enterStartPre(service);
  else if (entered === "failed") enterDead(service, "resources", true);
}

export function enterStartPre(service: Service): void {
  const entered = enterControl(service, "ExecStartPre", "start-pre", service.config.timeoutStart);
  if (entered === "none") enterStart(service);
  else if (entered === "failed") enterDead(service, "resources", true);
}

export function enterStart(service: Service): void {
  const { config, runtime } = service;
  if (config.commands.ExecStart.length === 0) {
    // A oneshot with nothing to start still passes through activating.
    setState(service, "start");
    enterStartPost(service);
    return;
  }
  const pid = run(service, "ExecStart", 0);
  if (pid === null) {
    enterSignal(service, "stop-sigterm", "resources");
    return;
  }
  runtime.mainCommand = 0;
  runtime.controlCommand = 0;
  switch (config.type) {
    case "simple":
    case "idle":
    case "exec":
      // With exec the state lasts until execve() is done; here that takes no time.
      runtime.mainPid = pid;
      enterStartPost(service);
      return;
    case "forking":
      runtime.controlPid = pid;
      break;
    default:
      runtime.mainPid = pid;
  }
  setState(service, "start");
  armTimer(service, config.timeoutStart);
}

export function enterStartPost(service: Service): void {
  const entered = enterControl(service, "ExecStartPost", "start-post", service.config.timeoutStart);
  if (entered === "none") enterRunning(service, "success");
  else if (entered === "failed") enterStop(service, "resources");
}

/** service_enter_running: running while something runs, exited or down otherwise. */
export function enterRunning(service: Service, result: ServiceResult): void {
  const { runtime, config } = service;
  fail(service, result);
  if (runtime.mainPid > 0) {
    setState(service, "running");
    armTimer(service, config.runtimeMax);
  } else if (config.remainAfterExit) setState(service, "exited");
  else enterStop(service, "success");
}

/** service_stop */
export function stopService(service: Service): void {
  const { runtime } = service;
  runtime.forbidRestart = true;
  switch (runtime.state) {
    case "auto-restart":
      // A restart was due: it is simply not done.
      setState(service, "dead");
      return;
    case "condition":
    case "start-pre":
    case "start":
    case "start-post":
    case "reload":
      enterSignal(service, "stop-sigterm", "success");
      return;
    case "running":
    case "exited":
      enterStop(service, "success");
      return;
    default:
  }
}

/** service_reload; false when it cannot be done. */
export function reloadService(service: Service): boolean {
  const { runtime, config } = service;
  if (runtime.state !== "running" && runtime.state !== "exited") return false;
  runtime.reloadResult = "success";
  const entered = enterControl(service, "ExecReload", "reload", config.timeoutStart);
  if (entered === "entered") return true;
  runtime.reloadResult = "resources";
  enterRunning(service, "success");
  return true;
}

export function enterStop(service: Service, result: ServiceResult): void {
  fail(service, result);
  const entered = enterControl(service, "ExecStop", "stop", service.config.timeoutStop);
  if (entered === "none") enterSignal(service, "stop-sigterm", "success");
  else if (entered === "failed") enterSignal(service, "stop-sigterm", "resources");
}

export function enterStopPost(service: Service, result: ServiceResult): void {
  fail(service, result);
  const entered = enterControl(service, "ExecStopPost", "stop-post", service.config.timeoutStop);
  if (entered === "none") enterSignal(service, "final-sigterm", "success");
  else if (entered === "failed") enterSignal(service, "final-sigterm", "resources");
}

type SignalState = "stop-sigterm" | "stop-sigkill" | "final-sigterm" | "final-sigkill";

/** service_enter_signal: signals what is there and waits, or goes on when nothing is. */
export function enterSignal(service: Service, state: SignalState, result: ServiceResult): void {
  const { dispatch, unit, runtime, config } = service;
  fail(service, result);
  const final = state === "stop-sigkill" || state === "final-sigkill";
  if (killProcesses(dispatch, unit, runtime, config, final)) {
    setState(service, state);
    armTimer(service, config.timeoutStop);
    return;
  }
  if (state === "stop-sigterm" && config.sendSigkill)
    enterSignal(service, "stop-sigkill", "success");
  else if (state === "stop-sigterm" || state === "stop-sigkill") enterStopPost(service, "success");
  else if (state === "final-sigterm" && config.sendSigkill) {
    enterSignal(service, "final-sigkill", "success");
  } else enterDead(service, "success", true);
}

/** service_enter_dead: failed or dead, and perhaps on to waiting for a restart. */
export function enterDead(service: Service, result: ServiceResult, allowRestart: boolean): void {
  const { dispatch, unit, runtime, config } = service;
  fail(service, result);
  const clean = runtime.result === "success" || runtime.result === "exec-condition";
  const stopPending = jobOf(dispatch, unit.name)?.type === "stop";
  const restart = allowRestart && !stopPending && shallRestart(service);
  setState(service, clean ? "dead" : "failed", restart);
  if (!restart) {
    runtime.flushRestarts = true;
    return;
  }
  setState(service, "auto-restart");
  armTimer(service, config.restartDelay);
}

function shallRestart(service: Service): boolean {
  const { runtime, config } = service;
  if (runtime.forbidRestart) return false;
  if (isAmong(config.restartPrevent, runtime.mainCode, runtime.mainSignal)) return false;
  if (isAmong(config.restartForce, runtime.mainCode, runtime.mainSignal)) return true;
  const { result } = runtime;
  switch (config.restart) {
    case "no":
      return false;
    case "always":
      return result !== "exec-condition";
    case "on-success":
      return result === "success";
    case "on-failure":
      return result !== "success" && result !== "exec-condition";
    case "on-abnormal":
      return result !== "success" && result !== "exit-code" && result !== "exec-condition";
    case "on-watchdog":
      return result === "watchdog";
    case "on-abort":
      return result === "signal" || result === "core-dump";
  }
}

/** Whether an end is one of those listed. */
export function isAmong(list: ExitStatuses, code: number | null, signal: string | null): boolean {
  return (
    (code !== null && list.codes.includes(code)) ||
    (signal !== null && list.signals.includes(signal))
  );
}
