import { type Command, expandVariables } from "./command.js";
import type { Dispatch } from "./context.js";
import type { ExecProcess, KillProcess } from "./process.js";
import type { ServiceConfig } from "./service-config.js";
import type { ServiceRuntime, Unit } from "./state.js";
import { parseEnvironmentFile } from "./value.js";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

/** The environment of a unit's processes; null when a file that is not optional is missing. */
function environmentOf(
  dispatch: Dispatch,
  service: ServiceConfig,
  runtime: ServiceRuntime,
  role: ExecProcess["role"],
): Record<string, string> | null {
  const environment: Record<string, string> = { PATH };
  for (const [name, value] of service.environment) environment[name] = value;
  for (const { path, optional } of service.environmentFiles) {
    const text = dispatch.state.files.get(path);
    if (text === undefined && !optional) return null;
    for (const [name, value] of parseEnvironmentFile(text ?? "")) environment[name] = value;
  }
  if (service.type === "notify") environment.NOTIFY_SOCKET = "/run/systemd/notify";
  if (runtime.mainPid > 0 && role !== "main") environment.MAINPID = String(runtime.mainPid);
  if (role === "stop" || role === "stop-post") Object.assign(environment, exitVariables(runtime));
  return environment;
}

/** Starts a process for a unit (service_spawn). Its pid; null when it cannot be started. */
export function spawn(
  dispatch: Dispatch,
  unit: Unit,
  runtime: ServiceRuntime,
  service: ServiceConfig,
  command: Command,
  role: ExecProcess["role"],
): number | null {
  const { state, out } = dispatch;
  const environment = environmentOf(dispatch, service, runtime, role);
  if (environment === null) return null;
  const pid = state.nextPid++;
  const argv = expandVariables(command, environment);
  const child: ExecProcess = { kind: "exec", pid, unit: unit.name, role, argv, environment };
  state.processes.set(pid, { pid, unit: unit.name, role });
  // Type=idle lets its program wait until the jobs are done, or 5 s.
  if (service.type === "idle" && role === "main" && state.jobs.size > 1) {
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

/**
 * Signals a service's processes as KillMode= says (unit_kill_context).
 *
 * @returns whether there is a process whose end is worth waiting for
 */
export function killProcesses(
  dispatch: Dispatch,
  unit: Unit,
  runtime: ServiceRuntime,
  service: ServiceConfig,
  final: boolean,
): boolean {
  if (service.killMode === "none") return false;
  const signal = final ? "SIGKILL" : service.killSignal;
  let wait = false;
  for (const child of dispatch.state.processes.values()) {
    if (child.unit !== unit.name) continue;
    const own = child.pid === runtime.mainPid || child.pid === runtime.controlPid;
    const all = service.killMode === "control-group" || (service.killMode === "mixed" && final);
    if (!own && !all) continue;
    kill(dispatch, child.pid, signal);
    if (service.sendSighup && !final) kill(dispatch, child.pid, "SIGHUP");
    wait = true;
  }
  return wait;
}

export function kill(dispatch: Dispatch, pid: number, signal: KillProcess["signal"]): void {
  const { state, out } = dispatch;
  // A program that is still waiting for its turn never runs.
  const waiting = state.idle.find((child) => child.pid === pid);
  if (waiting !== undefined) {
    state.idle = state.idle.filter((child) => child.pid !== pid);
    out.effects.push({ ...waiting });
  }
  out.effects.push({ kind: "kill", pid, signal });
}
