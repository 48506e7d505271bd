import type { Micros } from "../kernel/index.js";
import type { ActiveState } from "./client.js";
import type { Command } from "./command.js";
import {
  announce,
  type Dispatch,
  isActiveOrReloading,
  isStopPending,
  jobOf,
  serviceActiveState,
} from "./context.js";
import { changeFileNow } from "./file-change.js";
import type { StartOutcome } from "./outcome.js";
import type { ExecProcess } from "./process.js";
import { hasProcesses, type KillPurpose, killProcesses, spawn } from "./process-table.js";
import type { CommandList, ServiceConfig } from "./service-config.js";
import { shallRestart } from "./service-restart.js";
import type { ServiceRuntime, ServiceState, Unit } from "./state.js";
import type { ServiceResult } from "./types.js";
import { FOREVER } from "./value.js";
import { resetWatchdog, stopWatchdog } from "./watchdog.js";

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

const states = (...names: ServiceState[]): ReadonlySet<ServiceState> => new Set(names);

const STARTING = states("condition", "start-pre", "start", "start-post");

const STOPPING = states(
  "stop",
  "stop-watchdog",
  "stop-sigterm",
  "stop-sigkill",
  "stop-post",
  "final-watchdog",
  "final-sigterm",
  "final-sigkill",
);

/** States in which a timer may run. */
export const TIMED = states(...STARTING, "running", "reload", ...STOPPING, "auto-restart");

/** States in which there may be a main process, */
const WITH_MAIN = states("start", "start-post", "running", "reload", ...STOPPING);

/** and in which the watchdog may be awake, */
const WATCHED = states("start-post", "running", "reload");

/** and in which there may be a control process. */
const WITH_CONTROL = states(...STARTING, "reload", ...STOPPING);

/** Moves to a state and tells (service_set_state). */
export function setState(service: Service, state: ServiceState): void {
  const { dispatch, unit, runtime, config } = service;
  const before = serviceActiveState(runtime.state, config.type === "idle");
  runtime.state = state;
  delete runtime.awaitsPidFile;
  const ends = TIMED.has(state) && state !== "running" && runtime.timerAt !== undefined;
  if (ends) runtime.stateSince = dispatch.now;
  else delete runtime.stateSince;
  if (!TIMED.has(state)) armTimer(service, FOREVER);
  if (!WITH_MAIN.has(state)) {
    runtime.mainPid = 0;
    runtime.mainCommand = null;
  }
  if (!WITH_CONTROL.has(state)) {
    runtime.controlPid = 0;
    runtime.controlCommand = null;
  }
  if (!WATCHED.has(state)) stopWatchdog(service);
  noteActivation(service, before);
  announce(dispatch, unit);
  dispatch.changed(unit, before, {
    reloadFailed: runtime.reloadResult !== "success",
    willRestart: runtime.willRestart,
  });
}

/** Keeps when the service became active, where that is of use. */
function noteActivation({ dispatch, runtime, config }: Service, before: ActiveState): void {
  const after = serviceActiveState(runtime.state, config.type === "idle");
  if (config.runtimeMax === FOREVER) return;
  if (isActiveOrReloading(after) && !isActiveOrReloading(before))
    runtime.activeSince = dispatch.now;
}

/** One timer, for what the present state waits for; FOREVER takes it back. */
export function armTimer({ dispatch, unit, runtime }: Service, delay: Micros): void {
  const { effects } = dispatch.out;
  const timer = `unit/${unit.name}`;
  effects.push({ kind: "cancel-timer", timer });
  if (delay !== FOREVER) effects.push({ kind: "arm-timer", timer, delay });
  if (delay === FOREVER) delete runtime.timerAt;
  else runtime.timerAt = dispatch.now + delay;
}

function note({ runtime }: Service, result: ServiceResult): void {
  if (runtime.result === "success") runtime.result = result;
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

/** service_spawn: null when the process cannot be started. */
function run(service: Service, list: CommandList, index: number, timeout: Micros): number | null {
  const command = service.config.commands[list][index];
  if (command === undefined) return null;
  const { dispatch, unit, runtime, config } = service;
  armTimer(service, timeout);
  return spawn(dispatch, unit, runtime, config, command, ROLES[list]);
}

/**
 * A service that must not be killed, such as a database, must not run twice either: it is not started
 * while processes of it are left (service_adverse_to_leftover_processes).
 */
function isBarredByLeftovers({ dispatch, unit, config }: Service): boolean {
  const group = config.killMode === "control-group" || config.killMode === "mixed";
  return group && !config.sendSigkill && hasProcesses(dispatch, unit);
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
  const { runtime, config } = service;
  runtime.controlPid = 0;
  runtime.controlCommand = null;
  if (config.commands[list].length === 0) return "none";
  const starts = list === "ExecCondition" || list === "ExecStartPre";
  if (starts && isBarredByLeftovers(service)) return "failed";
  const pid = run(service, list, 0, timeout);
  if (pid === null) return "failed";
  runtime.controlPid = pid;
  runtime.controlCommand = { list, index: 0 };
  setState(service, state);
  return "entered";
}

/** The command the control process runs. */
export function controlCommand({ runtime, config }: Service): Command | null {
  const at = runtime.controlCommand;
  return at === null ? null : (config.commands[at.list][at.index] ?? null);
}

/** Runs the next command of the phase; false when there is none (service_run_next_control). */
export function runNextControl(service: Service): boolean {
  const { runtime, config } = service;
  const at = runtime.controlCommand;
  if (at === null || config.commands[at.list][at.index + 1] === undefined) return false;
  const index = at.index + 1;
  runtime.controlCommand = { list: at.list, index };
  const before = STARTING.has(runtime.state) || !STOPPING.has(runtime.state);
  const pid = run(service, at.list, index, before ? config.timeoutStart : config.timeoutStop);
  if (pid !== null) runtime.controlPid = pid;
  else afterFailedSpawn(service);
  return true;
}

function afterFailedSpawn(service: Service): void {
  const { runtime } = service;
  switch (runtime.state) {
    case "condition":
    case "start-pre":
    case "start-post":
    case "stop":
      enterSignal(service, "stop-sigterm", "resources");
      return;
    case "stop-post":
      enterDead(service, "resources", true);
      return;
    case "reload":
      runtime.reloadResult = "resources";
      enterRunning(service, "success");
      return;
    default:
      enterStop(service, "resources");
  }
}

/** Runs the next ExecStart= of a oneshot; false when there is none (service_run_next_main). */
export function runNextMain(service: Service): boolean {
  const { runtime, config } = service;
  if (runtime.mainCommand === null || config.type !== "oneshot") return false;
  const index = runtime.mainCommand + 1;
  if (config.commands.ExecStart[index] === undefined) return false;
  runtime.mainCommand = index;
  const pid = run(service, "ExecStart", index, config.timeoutStart);
  if (pid === null) enterStop(service, "resources");
  else runtime.mainPid = pid;
  return true;
}

/** service_start */
export function startService(service: Service): StartOutcome {
  const { runtime, config } = service;
  if (STARTING.has(runtime.state)) return "started";
  // Going down, or waiting to be restarted: the job stays queued.
  if (runtime.state !== "dead" && runtime.state !== "failed") return "again";
  runtime.result = "success";
  runtime.reloadResult = "success";
  runtime.mainPidKnown = false;
  runtime.forbidRestart = false;
  runtime.mainCode = null;
  runtime.mainSignal = null;
  delete runtime.notified;
  if (config.watchdog === undefined) delete runtime.watchdog;
  else runtime.watchdog = config.watchdog;
  if (runtime.flushRestarts) {
    runtime.restarts = 0;
    runtime.flushRestarts = false;
  }
  enterCondition(service);
  return "started";
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

/** service_enter_start */
export function enterStart(service: Service): void {
  const { config, runtime, dispatch, unit } = service;
  const { type } = config;
  runtime.controlPid = 0;
  runtime.controlCommand = null;
  runtime.mainPid = 0;
  if (isBarredByLeftovers(service)) {
    enterSignal(service, "stop-sigterm", "resources");
    return;
  }
  if (config.commands.ExecStart.length === 0) {
    if (type !== "oneshot") {
      enterSignal(service, "stop-sigterm", "resources");
      return;
    }
    // A oneshot with nothing to start still passes through activating.
    setState(service, "start");
    enterStartPost(service);
    return;
  }
  const untimed = type === "simple" || type === "idle";
  if (type === "forking") {
    runtime.mainCommand = null;
    runtime.controlCommand = { list: "ExecStart", index: 0 };
  } else runtime.mainCommand = 0;
  const pid = run(service, "ExecStart", 0, untimed ? FOREVER : config.timeoutStart);
  if (pid === null) {
    enterSignal(service, "stop-sigterm", "resources");
    return;
  }
  if (type === "forking") runtime.controlPid = pid;
  else setMainPid(service, pid);
  if (untimed) enterStartPost(service);
  else {
    setState(service, "start");
    // With exec the state lasts until execve() is done, which takes no time here and does not fail.
    if (type === "exec") dispatch.deferred.push({ kind: "executed", unit: unit.name, pid });
  }
}

export function setMainPid({ runtime }: Service, pid: number): void {
  runtime.mainPid = pid;
  runtime.mainPidKnown = true;
}

/** The program of a Type=exec service is running. */
export function executed(service: Service, pid: number): void {
  const { runtime, config } = service;
  if (config.type === "exec" && runtime.state === "start" && runtime.mainPid === pid) {
    enterStartPost(service);
  }
}

export function enterStartPost(service: Service): void {
  resetWatchdog(service);
  const entered = enterControl(service, "ExecStartPost", "start-post", service.config.timeoutStart);
  if (entered === "none") enterRunning(service, "success");
  else if (entered === "failed") enterStop(service, "resources");
}

/** Whether the service is alive: its main process if it is known, or any (service_good). */
function isGood({ runtime, config, dispatch, unit }: Service): boolean {
  if (runtime.mainPidKnown && runtime.mainPid > 0) return true;
  if (runtime.mainPidKnown && config.exitType !== "cgroup") return false;
  return hasProcesses(dispatch, unit);
}

/** service_enter_running: running while something runs, exited or down otherwise. */
export function enterRunning(service: Service, result: ServiceResult): void {
  const { runtime, config } = service;
  note(service, result);
  runtime.controlPid = 0;
  if (runtime.result !== "success") enterSignal(service, "stop-sigterm", result);
  else if (isGood(service)) enterAsNotified(service);
  else if (config.remainAfterExit) setState(service, "exited");
  else enterStop(service, "success");
}

/** What the program told of itself while it was not running yet, counts now. */
function enterAsNotified(service: Service): void {
  const { runtime } = service;
  switch (runtime.notified) {
    case "reloading":
      enterReloadByNotify(service);
      return;
    case "stopping":
      enterStopByNotify(service);
      return;
    case undefined:
      setState(service, "running");
      if (runtime.state === "running") armTimer(service, runtimeLeft(service));
  }
}

/** RuntimeMaxSec= counts from when the service became active, however often it is reloaded. */
export function runtimeLeft({ runtime, config, dispatch }: Service): Micros {
  if (config.runtimeMax === FOREVER) return FOREVER;
  const since = runtime.activeSince ?? dispatch.now;
  return Math.max(0, since + config.runtimeMax - dispatch.now);
}

/** The program reloads its settings by itself (service_enter_reload_by_notify). */
export function enterReloadByNotify(service: Service): void {
  armTimer(service, service.config.timeoutStart);
  setState(service, "reload");
  service.dispatch.propagateReload(service.unit);
}

/** The program ends by itself: as if it had been sent SIGTERM (service_enter_stop_by_notify). */
export function enterStopByNotify(service: Service): void {
  armTimer(service, service.config.timeoutStop);
  setState(service, "stop-sigterm");
}

/** service_stop */
export function stopService(service: Service): StartOutcome {
  const { runtime } = service;
  runtime.forbidRestart = true;
  if (runtime.state === "auto-restart") {
    // A restart was due: it is simply not done.
    setState(service, "dead");
  } else if (
    STARTING.has(runtime.state) ||
    runtime.state === "reload" ||
    runtime.state === "stop-watchdog"
  ) {
    enterSignal(service, "stop-sigterm", "success");
  } else if (!STOPPING.has(runtime.state)) enterStop(service, "success");
  return "started";
}

/** service_reload; only a service that runs or remains is reloaded. */
export function reloadService(service: Service): StartOutcome {
  const { runtime, config } = service;
  runtime.reloadResult = "success";
  const entered = enterControl(service, "ExecReload", "reload", config.timeoutStart);
  if (entered === "entered") return "started";
  if (entered === "failed") runtime.reloadResult = "resources";
  enterRunning(service, "success");
  return "started";
}

export function enterStop(service: Service, result: ServiceResult): void {
  note(service, result);
  const entered = enterControl(service, "ExecStop", "stop", service.config.timeoutStop);
  if (entered === "none") enterSignal(service, "stop-sigterm", "success");
  else if (entered === "failed") enterSignal(service, "stop-sigterm", "resources");
}

export function enterStopPost(service: Service, result: ServiceResult): void {
  note(service, result);
  const entered = enterControl(service, "ExecStopPost", "stop-post", service.config.timeoutStop);
  if (entered === "none") enterSignal(service, "final-sigterm", "success");
  else if (entered === "failed") enterSignal(service, "final-sigterm", "resources");
}

export type SignalState =
  | "stop-watchdog"
  | "stop-sigterm"
  | "stop-sigkill"
  | "final-watchdog"
  | "final-sigterm"
  | "final-sigkill";

function purposeOf({ dispatch, unit }: Service, state: SignalState): KillPurpose {
  switch (state) {
    case "stop-watchdog":
    case "final-watchdog":
      return "watchdog";
    case "stop-sigterm":
      return jobOf(dispatch, unit.name)?.type === "restart" ? "restart" : "terminate";
    case "final-sigterm":
      return "terminate";
    case "stop-sigkill":
    case "final-sigkill":
      return "kill";
  }
}

/** service_enter_signal: signals what is there and waits, or goes on when nothing is. */
export function enterSignal(service: Service, state: SignalState, result: ServiceResult): void {
  const { dispatch, unit, runtime, config } = service;
  note(service, result);
  const purpose = purposeOf(service, state);
  if (killProcesses(dispatch, unit, [runtime.mainPid, runtime.controlPid], config, purpose)) {
    armTimer(service, purpose === "watchdog" ? config.timeoutAbort : config.timeoutStop);
    setState(service, state);
    return;
  }
  switch (state) {
    case "stop-watchdog":
    case "stop-sigterm":
      if (config.sendSigkill) enterSignal(service, "stop-sigkill", "success");
      else enterStopPost(service, "success");
      return;
    case "stop-sigkill":
      enterStopPost(service, "success");
      return;
    case "final-watchdog":
    case "final-sigterm":
      if (config.sendSigkill) enterSignal(service, "final-sigkill", "success");
      else enterDead(service, "success", true);
      return;
    case "final-sigkill":
      enterDead(service, "success", true);
  }
}

/** service_enter_dead: failed or dead, and perhaps on to waiting for a restart. */
export function enterDead(service: Service, result: ServiceResult, allowRestart: boolean): void {
  const { dispatch, unit, runtime, config } = service;
  const allowed = allowRestart && !isStopPending(dispatch, unit);
  note(service, result);
  const clean = runtime.result === "success" || runtime.result === "exec-condition";
  if (allowed && shallRestart(runtime, config)) runtime.willRestart = true;
  setState(service, clean ? "dead" : "failed");
  if (runtime.willRestart) {
    runtime.willRestart = false;
    armTimer(service, config.restartDelay);
    setState(service, "auto-restart");
  } else runtime.flushRestarts = true;
  runtime.forbidRestart = false;
  // It is out of date by now.
  if (config.pidFile !== undefined) changeFileNow(dispatch, config.pidFile, null);
}
