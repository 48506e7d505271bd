import { type Command, expandVariables } from "./command.js";
import type { Dispatch } from "./context.js";
import { environmentOf } from "./environment.js";
import type { KillConfig } from "./kill-config.js";
import type { ExecProcess, KillSignal } from "./process.js";
import type { ServiceConfig } from "./service-config.js";
import type { ServiceRuntime, Unit } from "./state.js";
import { FOREVER } from "./value.js";

/** How a service's processes came to end, for commands that run after them. */
function exitVariables(runtime: ServiceRuntime): Record<string, string> {
  const variables: Record<string, string> = { SERVICE_RESULT: runtime.result };
  if (runtime.mainSignal !== null) {
    variables.EXIT_CODE = "killed";
    variables.EXIT_STATUS = runtime.mainSignal.replace(/^SIG/, "");
  } else if (runtime.mainCode !== null) {
    variables.EXIT_CODE = "exited";
    variables.EXIT_STATUS = String(runtime.mainCode);
  }
  return variables;
}

/** The environment of a service's process; null when a file that is not optional is missing. */
function serviceEnvironment(
  dispatch: Dispatch,
  service: ServiceConfig,
  runtime: ServiceRuntime,
  role: ExecProcess["role"],
): Record<string, string> | null {
  const environment = environmentOf(dispatch.state, service);
  if (environment === null) return null;
  if (isHeard(service, role)) environment.NOTIFY_SOCKET = "/run/systemd/notify";
  const { watchdog = 0 } = runtime;
  if (role === "main" && watchdog !== 0 && watchdog !== FOREVER) {
    environment.WATCHDOG_PID = String(dispatch.state.nextPid);
    environment.WATCHDOG_USEC = String(watchdog);
  }
  if (runtime.mainPid > 0 && role !== "main") environment.MAINPID = String(runtime.mainPid);
  if (role === "stop" || role === "stop-post") Object.assign(environment, exitVariables(runtime));
  return environment;
}

/** Whether a process may tell systemd of itself (service_exec_needs_notify_socket). */
function isHeard({ notifyAccess }: ServiceConfig, role: ExecProcess["role"]): boolean {
  if (role === "main") return notifyAccess !== "none";
  return notifyAccess === "exec" || notifyAccess === "all";
}

/** Starts a process for a service (service_spawn). Its pid; null when it cannot be started. */
export function spawn(
  dispatch: Dispatch,
  unit: Unit,
  runtime: ServiceRuntime,
  service: ServiceConfig,
  command: Command,
  role: ExecProcess["role"],
): number | null {
  const { state } = dispatch;
  const environment = serviceEnvironment(dispatch, service, runtime, role);
  if (environment === null) return null;
  const argv = expandVariables(command, environment);
  // Type=idle lets its programs wait until the jobs are done, or 5 s.
  const waits = service.type === "idle" && state.jobs.size > 0;
  return spawnProcess(dispatch, unit, role, argv, environment, waits);
}

/** Starts a process for a unit; its pid. One that `waits` runs its program once no job is left. */
export function spawnProcess(
  dispatch: Dispatch,
  unit: Unit,
  role: ExecProcess["role"],
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  waits = false,
): number {
  const { state, out } = dispatch;
  const pid = state.nextPid++;
  const child: ExecProcess = { kind: "exec", pid, unit: unit.name, role, argv, environment };
  state.processes.set(pid, { pid, unit: unit.name, role });
  if (waits) {
    if (state.idle.length === 0) {
      out.effects.push({ kind: "arm-timer", timer: "idle", delay: 5_000_000 });
    }
    state.idle.push(child);
  } else out.effects.push(child);
  return pid;
}

/** Lets the programs of Type=idle services go on. */
export function releaseIdle(dispatch: Dispatch): void {
  const { state, out } = dispatch;
  if (state.idle.length === 0) return;
  out.effects.push({ kind: "cancel-timer", timer: "idle" });
  for (const child of state.idle) out.effects.push({ ...child });
  state.idle = [];
}

/** What a signal is sent for: which one it is depends on the unit's settings (operation_to_signal). */
export type KillPurpose = "terminate" | "restart" | "kill" | "watchdog";

function signalFor(purpose: KillPurpose, config: KillConfig): KillSignal {
  switch (purpose) {
    case "terminate":
      return config.killSignal;
    case "restart":
      return config.restartKillSignal ?? config.killSignal;
    case "kill":
      return config.finalKillSignal;
    case "watchdog":
      return config.watchdogSignal;
  }
}

/**
 * Signals a unit's processes as KillMode= says (unit_kill_context). `own` are its main and control processes.
 *
 * @returns whether there is a process whose end is worth waiting for
 */
export function killProcesses(
  dispatch: Dispatch,
  unit: Unit,
  own: readonly number[],
  config: KillConfig,
  purpose: KillPurpose,
): boolean {
  const { killMode, sendSighup } = config;
  if (killMode === "none") return false;
  const signal = signalFor(purpose, config);
  const all = killMode === "control-group" || (killMode === "mixed" && purpose === "kill");
  const hangUp = sendSighup && purpose === "terminate" && signal !== "SIGHUP";
  let wait = false;
  for (const child of [...dispatch.state.processes.values()]) {
    if (child.unit !== unit.name) continue;
    if (!own.includes(child.pid) && !all) continue;
    kill(dispatch, child.pid, signal);
    if (hangUp) kill(dispatch, child.pid, "SIGHUP");
    wait = true;
  }
  return wait;
}

/** Whether any process of the unit is left (its control group is not empty). */
export function hasProcesses(dispatch: Dispatch, unit: Unit): boolean {
  for (const child of dispatch.state.processes.values()) {
    if (child.unit === unit.name) return true;
  }
  return false;
}

export function kill(dispatch: Dispatch, pid: number, signal: KillSignal): void {
  const { state, out } = dispatch;
  // A program that is still waiting for its turn never runs.
  const waiting = state.idle.find((child) => child.pid === pid);
  if (waiting !== undefined) {
    state.idle = state.idle.filter((child) => child.pid !== pid);
    out.effects.push({ ...waiting });
  }
  out.effects.push({ kind: "kill", pid, signal });
}
