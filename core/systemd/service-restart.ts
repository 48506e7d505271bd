import type { ExitStatuses, ServiceConfig } from "./service-config.js";
import type { ServiceRuntime } from "./state.js";

/** Whether Restart= and its exceptions ask for a restart (service_shall_restart). */
export function shallRestart(runtime: ServiceRuntime, config: ServiceConfig): boolean {
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
