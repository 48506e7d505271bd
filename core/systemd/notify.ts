import type { Micros } from "../kernel/index.js";
import {
  armTimer,
  enterReloadByNotify,
  enterRunning,
  enterSignal,
  enterStartPost,
  enterStopByNotify,
  type Service,
  setMainPid,
} from "./service.js";
import { extendWatchdog, resetWatchdog, stopWatchdog } from "./watchdog.js";

/** A process of the service told something of itself (service_notify_message). */
export function processNotified(service: Service, pid: number, tags: readonly string[]): void {
  if (!isHeard(service, pid)) return;
  const told = (name: string): string | null =>
    tags.find((tag) => tag.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
  changeMainPid(service, numberIn(told("MAINPID")));
  changeState(service, tags.findLast(isStateTag) ?? null);
  const extended = numberIn(told("EXTEND_TIMEOUT_USEC"));
  if (extended !== null) extendTimeouts(service, extended);
  const watchdog = told("WATCHDOG");
  if (watchdog === "1") resetWatchdog(service);
  else if (watchdog === "trigger") watchdogBites(service);
  const override = numberIn(told("WATCHDOG_USEC"));
  if (override !== null) {
    service.runtime.watchdog = override;
    resetWatchdog(service);
  }
}

/** The program did not show in time that it is alive, or wants to be taken for dead (service_dispatch_watchdog). */
export function watchdogBites(service: Service): void {
  // It may bite before its time: what would wake it then is taken back.
  stopWatchdog(service);
  if (service.dispatch.state.serviceWatchdogs !== true) return;
  enterSignal(service, "stop-watchdog", "watchdog");
}

/** service_notify_message_authorized */
function isHeard({ runtime, config }: Service, pid: number): boolean {
  switch (config.notifyAccess) {
    case "none":
      return false;
    case "main":
      return pid === runtime.mainPid;
    case "exec":
      return pid === runtime.mainPid || pid === runtime.controlPid;
    case "all":
      return true;
  }
}

/** A whole number of a message; null when there is none. */
function numberIn(text: string | null): number | null {
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

function changeMainPid(service: Service, pid: number | null): void {
  const { runtime, dispatch } = service;
  const { state } = runtime;
  if (state !== "start" && state !== "start-post" && state !== "running" && state !== "reload")
    return;
  if (pid === null || pid === runtime.controlPid) return;
  if (dispatch.state.processes.has(pid)) setMainPid(service, pid);
}

type StateTag = "READY=1" | "RELOADING=1" | "STOPPING=1";

const isStateTag = (tag: string): tag is StateTag =>
  tag === "READY=1" || tag === "RELOADING=1" || tag === "STOPPING=1";

/** Of several, the last one counts. */
function changeState(service: Service, tag: StateTag | null): void {
  const { runtime, config } = service;
  switch (tag) {
    case "READY=1":
      delete runtime.notified;
      if (config.type === "notify" && runtime.state === "start") enterStartPost(service);
      // The reload that the program told of is done.
      if (runtime.state === "reload" && runtime.controlPid === 0) enterRunning(service, "success");
      return;
    case "RELOADING=1":
      runtime.notified = "reloading";
      if (runtime.state === "running") enterReloadByNotify(service);
      return;
    case "STOPPING=1":
      runtime.notified = "stopping";
      if (runtime.state === "running") enterStopByNotify(service);
      return;
    case null:
  }
}

/** What is waited for may take so much longer from now; it is never given less (service_extend_timeout). */
function extendTimeouts(service: Service, delay: Micros): void {
  const { runtime, dispatch } = service;
  if (delay === 0) return;
  const { timerAt } = runtime;
  if (timerAt !== undefined && timerAt < dispatch.now + delay) armTimer(service, delay);
  extendWatchdog(service, delay);
}
