import { jobOf } from "./context.js";
import { processNotified } from "./notify.js";
import { demandPidFile, loadPidFile } from "./pid-file.js";
import { hasProcesses, kill } from "./process-table.js";
import {
  controlCommand,
  enterDead,
  enterRunning,
  enterSignal,
  enterStart,
  enterStartPost,
  enterStartPre,
  enterStop,
  enterStopPost,
  runNextControl,
  runNextMain,
  type Service,
  setMainPid,
} from "./service.js";
import type { ServiceConfig } from "./service-config.js";
import { isAmong } from "./service-restart.js";
import type { ServiceResult } from "./types.js";
import { dumpsCore } from "./value.js";

/** Signals by which a daemon may end without having failed. */
const CLEAN_SIGNALS: ReadonlySet<string> = new Set(["SIGHUP", "SIGINT", "SIGTERM", "SIGPIPE"]);

/** is_clean_exit: a oneshot and the commands around a daemon are held to more than the daemon. */
function resultOf(
  config: ServiceConfig,
  code: number | null,
  signal: string | null,
  daemon: boolean,
): ServiceResult {
  if (isAmong(config.success, code, signal)) return "success";
  if (signal === null) return code === 0 ? "success" : "exit-code";
  if (daemon && CLEAN_SIGNALS.has(signal)) return "success";
  return dumpsCore(signal) ? "core-dump" : "signal";
}

/** A process of the service ended (service_sigchld_event). */
export function processExited(
  service: Service,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  const { runtime, config } = service;
  const control = pid === runtime.controlPid;
  const daemon =
    config.type !== "oneshot" && !(control && runtime.controlCommand?.list !== "ExecStart");
  const result = resultOf(config, code, signal, daemon);
  if (pid === runtime.mainPid) {
    // A daemon may go on under another pid, if it says so before it ends.
    if (loadPidFile(service) === "changed") return;
    runtime.mainPid = 0;
    runtime.mainCode = code;
    runtime.mainSignal = signal;
    mainExited(service, result);
  } else if (control) {
    runtime.controlPid = 0;
    controlExited(service, result, code);
  }
}

function mainExited(service: Service, raw: ServiceResult): void {
  const { runtime, config } = service;
  const command = config.commands.ExecStart[runtime.mainCommand ?? 0];
  const result = command?.ignoreFailure === true ? "success" : raw;
  if (runtime.result === "success") runtime.result = result;
  if (result === "success" && runNextMain(service)) return;
  runtime.mainCommand = null;
  if (config.exitType === "cgroup" && hasProcesses(service.dispatch, service.unit)) {
    // The service lives on in its other processes; the first one has at least begun.
    const expected = config.type === "notify" || config.type === "dbus";
    if (runtime.state === "start" && !expected) enterStartPost(service);
    return;
  }
  const alone = runtime.controlPid === 0;
  switch (runtime.state) {
    case "start-post":
    case "reload":
      // Otherwise the control process still has something to finish.
      if (alone) enterStop(service, result);
      return;
    case "start":
      mainExitedInStart(service, result);
      return;
    case "running":
      enterRunning(service, result);
      return;
    case "stop-watchdog":
    case "stop-sigterm":
    case "stop-sigkill":
      if (alone) enterStopPost(service, result);
      return;
    case "stop-post":
      if (alone) enterSignal(service, "final-sigterm", result);
      return;
    case "final-watchdog":
    case "final-sigterm":
    case "final-sigkill":
      if (alone) enterDead(service, result, true);
      return;
    default:
  }
}

function mainExitedInStart(service: Service, result: ServiceResult): void {
  const { config } = service;
  switch (config.type) {
    case "oneshot":
      if (result === "success") enterStartPost(service);
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "notify":
      if (result !== "success") enterSignal(service, "stop-sigterm", result);
      else if (!config.remainAfterExit || config.notifyAccess === "main") {
        // Without its notification the service never became active, and nobody is left to send it.
        enterSignal(service, "stop-sigterm", "protocol");
      }
      return;
    default:
      enterRunning(service, result);
  }
}

function controlExited(service: Service, raw: ServiceResult, code: number | null): void {
  const { runtime, config } = service;
  let result = controlCommand(service)?.ignoreFailure === true ? "success" : raw;
  if (runtime.state === "condition" && result === "exit-code" && code !== null && code < 255) {
    result = "exec-condition";
  }
  const success = result === "success";
  if (runtime.state !== "reload" && runtime.result === "success") runtime.result = result;
  if (success && runNextControl(service)) return;
  runtime.controlCommand = null;
  const alone = runtime.mainPid === 0;
  switch (runtime.state) {
    case "condition":
      if (success) enterStartPre(service);
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "start-pre":
      if (success) enterStart(service);
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "start":
      if (config.type !== "forking") return;
      if (!success) enterSignal(service, "stop-sigterm", result);
      else parentExited(service);
      return;
    case "start-post":
      if (!success) enterSignal(service, "stop-sigterm", result);
      else startPostExited(service);
      return;
    case "reload":
      if (success && loadPidFile(service) === "none") searchMainPid(service);
      runtime.reloadResult = result;
      enterRunning(service, "success");
      return;
    case "stop":
      enterSignal(service, "stop-sigterm", result);
      return;
    case "stop-watchdog":
    case "stop-sigterm":
    case "stop-sigkill":
      if (alone) enterStopPost(service, result);
      return;
    case "stop-post":
      if (alone) enterSignal(service, "final-sigterm", result);
      return;
    case "final-watchdog":
    case "final-sigterm":
    case "final-sigkill":
      if (alone) enterDead(service, result, true);
      return;
    default:
  }
}

/** The parent of a Type=forking service is gone: its daemon is known by the file it writes, or guessed. */
function parentExited(service: Service): void {
  const { config, dispatch, unit } = service;
  // A command after the start may yet write it.
  const later = config.commands.ExecStartPost.length > 0;
  if (config.pidFile === undefined) searchMainPid(service);
  else if (loadPidFile(service) === "none" && !later) {
    demandPidFile(service);
    if (!hasProcesses(dispatch, unit)) enterSignal(service, "stop-sigterm", "protocol");
    return;
  }
  enterStartPost(service);
}

function startPostExited(service: Service): void {
  const { config, dispatch, unit } = service;
  if (config.pidFile === undefined) searchMainPid(service);
  else if (loadPidFile(service) === "none") {
    demandPidFile(service);
    if (!hasProcesses(dispatch, unit)) enterStop(service, "protocol");
    return;
  }
  enterRunning(service, "success");
}

/** service_search_main_pid: the one process a Type=forking service has left behind, if it is one. */
function searchMainPid(service: Service): void {
  const { runtime, config, dispatch, unit } = service;
  if (runtime.mainPidKnown || !config.guessMainPid) return;
  const left = [...dispatch.state.processes.values()].filter((child) => child.unit === unit.name);
  const only = left.length === 1 ? left[0] : undefined;
  if (only !== undefined) setMainPid(service, only.pid);
}

/** The last process of the service is gone (service_notify_cgroup_empty_event). */
export function cgroupEmpty(service: Service): void {
  const { runtime, config } = service;
  if (runtime.controlPid > 0 || (runtime.mainPidKnown && runtime.mainPid > 0)) return;
  switch (runtime.state) {
    case "start":
      // No notification can come any more,
      if (config.type === "notify" && runtime.mainPidKnown) enterStopPost(service, "protocol");
      else if (config.exitType === "cgroup") enterStopPost(service, "success");
      // and nobody is left to write the file.
      else if (runtime.awaitsPidFile && runtime.mainPidKnown) enterStopPost(service, "protocol");
      return;
    case "start-post":
      if (runtime.awaitsPidFile && runtime.mainPidKnown) enterStop(service, "protocol");
      return;
    case "running":
      enterRunning(service, "success");
      return;
    case "stop-watchdog":
    case "stop-sigterm":
    case "stop-sigkill":
      enterStopPost(service, "success");
      return;
    case "stop-post":
    case "final-watchdog":
    case "final-sigterm":
    case "final-sigkill":
      enterDead(service, "success", true);
      return;
    default:
  }
}

/**
 * READY=1 of a Type=notify service. For Type=forking it says that the parent exited with status 0 and
 * left the daemon behind, which goes on under the same pid here.
 */
export function processReady(service: Service, pid: number): void {
  const { runtime, config } = service;
  if (runtime.state === "start" && config.type === "dbus" && pid === runtime.mainPid) {
    enterStartPost(service);
  } else if (runtime.state === "start" && config.type === "forking" && pid === runtime.controlPid) {
    runtime.controlPid = 0;
    runtime.controlCommand = null;
    setMainPid(service, pid);
    enterStartPost(service);
  } else processNotified(service, pid, ["READY=1"]);
}

/** The timer of the state is due (service_dispatch_timer). */
export function serviceTimer(service: Service): void {
  const { runtime, config, dispatch } = service;
  delete runtime.timerAt;
  switch (runtime.state) {
    case "condition":
    case "start-pre":
    case "start":
    case "start-post":
      timedOut(service, config.timeoutStartFailureMode, "stop");
      return;
    case "running":
      enterStop(service, "timeout");
      return;
    case "reload":
      if (runtime.controlPid > 0) kill(dispatch, runtime.controlPid, "SIGKILL");
      runtime.reloadResult = "timeout";
      enterRunning(service, "success");
      return;
    case "stop":
      timedOut(service, config.timeoutStopFailureMode, "stop");
      return;
    case "stop-watchdog":
      timedOut(service, "kill", "stop");
      return;
    case "stop-sigterm":
      timedOut(service, config.timeoutStopFailureMode === "abort" ? "abort" : "kill", "stop");
      return;
    case "stop-sigkill":
      // Not even SIGKILL helped: systemd goes on without waiting.
      enterStopPost(service, "timeout");
      return;
    case "stop-post":
      timedOut(service, config.timeoutStopFailureMode, "final");
      return;
    case "final-watchdog":
      timedOut(service, "kill", "final");
      return;
    case "final-sigterm":
      timedOut(service, config.timeoutStopFailureMode === "abort" ? "abort" : "kill", "final");
      return;
    case "final-sigkill":
      enterDead(service, "timeout", true);
      return;
    case "auto-restart":
      enterRestart(service);
      return;
    default:
  }
}

/** What follows a timeout: signals, the stronger the later, or none if SIGKILL is not allowed. */
function timedOut(
  service: Service,
  mode: ServiceConfig["timeoutStopFailureMode"],
  phase: "stop" | "final",
): void {
  if (mode === "terminate") enterSignal(service, `${phase}-sigterm`, "timeout");
  else if (mode === "abort") enterSignal(service, `${phase}-watchdog`, "timeout");
  else if (service.config.sendSigkill) enterSignal(service, `${phase}-sigkill`, "timeout");
  else if (phase === "stop") enterStopPost(service, "timeout");
  else enterDead(service, "timeout", false);
}

/** RestartSec= is over (service_enter_restart): a job like an operator's restart takes it from here. */
function enterRestart(service: Service): void {
  const { runtime, dispatch, unit } = service;
  if (jobOf(dispatch, unit.name)?.type === "stop") return;
  if (!dispatch.queue("restart", unit, "replace")) {
    enterDead(service, "resources", false);
    return;
  }
  runtime.restarts++;
  runtime.flushRestarts = false;
}
