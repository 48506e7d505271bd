import { jobOf } from "./job.js";
import { kill } from "./process-table.js";
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
  isAmong,
  runNextControl,
  runNextMain,
  type Service,
} from "./service.js";
import type { ServiceResult } from "./types.js";
import { dumpsCore } from "./value.js";

/** Signals by which a daemon may end without having failed. */
const CLEAN_SIGNALS: ReadonlySet<string> = new Set(["SIGHUP", "SIGINT", "SIGTERM", "SIGPIPE"]);

function resultOf(service: Service, code: number | null, signal: string | null): ServiceResult {
  const { config } = service;
  if (isAmong(config.success, code, signal)) return "success";
  if (signal === null) return code === 0 ? "success" : "exit-code";
  if (config.type !== "oneshot" && CLEAN_SIGNALS.has(signal)) return "success";
  return dumpsCore(signal) ? "core-dump" : "signal";
}

/** A process of the service ended (service_sigchld_event). */
export function processExited(
  service: Service,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  const { runtime } = service;
  service.dispatch.touched.add(service.unit.name);
  const result = resultOf(service, code, signal);
  if (pid === runtime.mainPid) {
    runtime.mainPid = 0;
    runtime.mainCode = code;
    runtime.mainSignal = signal;
    mainExited(service, result);
  } else if (pid === runtime.controlPid) {
    runtime.controlPid = 0;
    controlExited(service, result, code);
  } else strayExited(service);
}

/** A process that is neither: in the signal states its end may be the last one waited for. */
function strayExited(service: Service): void {
  if (service.runtime.mainPid > 0 || service.runtime.controlPid > 0 || hasProcesses(service))
    return;
  switch (service.runtime.state) {
    case "stop-sigterm":
    case "stop-sigkill":
      enterStopPost(service, "success");
      return;
    case "final-sigterm":
    case "final-sigkill":
      enterDead(service, "success", true);
      return;
    default:
  }
}

function hasProcesses(service: Service): boolean {
  for (const child of service.dispatch.state.processes.values()) {
    if (child.unit === service.unit.name) return true;
  }
  return false;
}

function mainExited(service: Service, raw: ServiceResult): void {
  const { runtime, config } = service;
  const command = config.commands.ExecStart[runtime.mainCommand];
  const result = command?.ignoreFailure === true ? "success" : raw;
  if (runtime.result === "success") runtime.result = result;
  if (config.type === "oneshot" && runtime.state === "start" && result === "success") {
    if (runNextMain(service)) return;
  }
  switch (runtime.state) {
    case "start-post":
    case "reload":
      // The control process still has something to finish.
      if (runtime.controlPid === 0) enterStop(service, result);
      return;
    case "start":
      mainExitedInStart(service, result);
      return;
    case "running":
      enterRunning(service, result);
      return;
    case "stop-sigterm":
    case "stop-sigkill":
      if (runtime.controlPid === 0) enterStopPost(service, result);
      return;
    case "stop-post":
      if (runtime.controlPid === 0) enterSignal(service, "final-sigterm", result);
      return;
    case "final-sigterm":
    case "final-sigkill":
      if (runtime.controlPid === 0) enterDead(service, result, true);
      return;
    default:
  }
}

function mainExitedInStart(service: Service, result: ServiceResult): void {
  switch (service.config.type) {
    case "oneshot":
      if (result === "success") enterStartPost(service);
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "notify":
    case "dbus":
      // Without its notification the service never became active.
      enterSignal(service, "stop-sigterm", result === "success" ? "protocol" : result);
      return;
    default:
      enterRunning(service, result);
  }
}

function controlExited(service: Service, raw: ServiceResult, code: number | null): void {
  const { runtime } = service;
  let result = controlCommand(service)?.ignoreFailure === true ? "success" : raw;
  const condition = runtime.state === "condition";
  if (condition && result === "exit-code" && code !== null && code < 255) result = "exec-condition";
  const success = result === "success";
  if (success && runNextControl(service)) return;
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
      // Type=forking: the parent is gone; a daemon left behind has become the main process before.
      if (success) enterStartPost(service);
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "start-post":
      if (success) enterRunning(service, "success");
      else enterSignal(service, "stop-sigterm", result);
      return;
    case "reload":
      runtime.reloadResult = result;
      enterRunning(service, "success");
      return;
    case "stop":
      enterSignal(service, "stop-sigterm", result);
      return;
    case "stop-sigterm":
    case "stop-sigkill":
      if (runtime.mainPid === 0) enterStopPost(service, result);
      return;
    case "stop-post":
      enterSignal(service, "final-sigterm", result);
      return;
    case "final-sigterm":
    case "final-sigkill":
      if (runtime.mainPid === 0) enterDead(service, result, true);
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
  if (runtime.state !== "start") return;
  if ((config.type === "notify" || config.type === "dbus") && pid === runtime.mainPid) {
    runtime.ready = true;
    enterStartPost(service);
  } else if (config.type === "forking" && pid === runtime.controlPid) {
    runtime.controlPid = 0;
    runtime.mainPid = pid;
    enterStartPost(service);
  }
}

/** The timer of the state is due (service_dispatch_timer); true when the service is to be restarted. */
export function serviceTimer(service: Service): boolean {
  const { runtime, config, dispatch, unit } = service;
  switch (runtime.state) {
    case "condition":
    case "start-pre":
    case "start":
    case "start-post":
      enterSignal(service, "stop-sigterm", "timeout");
      return false;
    case "running":
      enterStop(service, "timeout");
      return false;
    case "reload":
      if (runtime.controlPid > 0) kill(dispatch, runtime.controlPid, "SIGKILL");
      runtime.controlPid = 0;
      runtime.reloadResult = "timeout";
      enterRunning(service, "success");
      return false;
    case "stop":
      enterSignal(service, "stop-sigterm", "timeout");
      return false;
    case "stop-sigterm":
      if (config.sendSigkill) enterSignal(service, "stop-sigkill", "timeout");
      else enterStopPost(service, "timeout");
      return false;
    case "stop-sigkill":
      // Not even SIGKILL helped: systemd goes on without waiting.
      enterStopPost(service, "timeout");
      return false;
    case "stop-post":
      enterSignal(service, "final-sigterm", "timeout");
      return false;
    case "final-sigterm":
      if (config.sendSigkill) enterSignal(service, "final-sigkill", "timeout");
      else enterDead(service, "timeout", false);
      return false;
    case "final-sigkill":
      enterDead(service, "timeout", true);
      return false;
    case "auto-restart":
      return jobOf(dispatch, unit.name)?.type !== "stop";
    default:
      return false;
  }
}
