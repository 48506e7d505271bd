import { type Command, expandVariables } from "./command.js";
import {
  activeState,
  announce,
  belowLimit,
  type Dispatch,
  isStopPending,
  jobOf,
  linked,
  triggeredUnit,
} from "./context.js";
import { environmentOf } from "./environment.js";
import { changeFileNow } from "./file-change.js";
import type { StartOutcome } from "./outcome.js";
import type { ExecProcess } from "./process.js";
import { type KillPurpose, killProcesses, spawnProcess } from "./process-table.js";
import type { SocketCommandList, SocketConfig, SocketNode } from "./socket-config.js";
import type { ServiceState, SocketRuntime, SocketState, Unit } from "./state.js";
import type { UnitResult } from "./types.js";
import { armUnitTimer, noteState } from "./unit-timer.js";

/** A socket unit with its settings and what it does. */
export interface Socket {
  readonly dispatch: Dispatch;
  readonly unit: Unit;
  readonly config: SocketConfig;
  readonly runtime: SocketRuntime;
}

/** The socket behind a unit; null when the unit is none or is not loaded as one. */
export function socketOf(dispatch: Dispatch, unit: Unit): Socket | null {
  const { config, socket } = unit;
  return socket === null || config.socket === null
    ? null
    : { dispatch, unit, config: config.socket, runtime: socket };
}

const states = (...names: SocketState[]): ReadonlySet<SocketState> => new Set(names);

const STARTING = states("start-pre", "start-chown", "start-post");

const STOPPING = states(
  "stop-pre",
  "stop-pre-sigterm",
  "stop-pre-sigkill",
  "stop-post",
  "final-sigterm",
  "final-sigkill",
);

/** States in which the sockets are open. */
const OPEN = states(
  "start-chown",
  "start-post",
  "listening",
  "running",
  "stop-pre",
  "stop-pre-sigterm",
  "stop-pre-sigkill",
);

/** Moves to a state and tells (socket_set_state). */
function setState(socket: Socket, state: SocketState): void {
  const { dispatch, unit, runtime } = socket;
  const before = activeState(unit);
  runtime.state = state;
  const lasts = !STARTING.has(state) && !STOPPING.has(state);
  noteState(dispatch, unit, runtime, lasts);
  if (lasts) forgetControl(socket);
  if (!OPEN.has(state)) closeSockets(socket);
  // What a service left on the socket starts it again.
  if (state === "listening" && runtime.traffic) {
    dispatch.deferred.push({ kind: "traffic", unit: unit.name });
  }
  announce(dispatch, unit);
  dispatch.changed(unit, before, { reloadFailed: false, willRestart: false });
}

/** The process that ran is nobody's any more. */
function forgetControl({ runtime }: Socket): void {
  delete runtime.controlPid;
  delete runtime.controlCommand;
}

/** A FIFO that is there is opened; a socket cannot be bound to what is there, and is made anew. */
function makeNode(dispatch: Dispatch, { path, fifo }: SocketNode): void {
  if (dispatch.state.files.has(path)) {
    if (fifo) return;
    changeFileNow(dispatch, path, null);
  }
  changeFileNow(dispatch, path, "");
}

/** Takes what is queued on the sockets along (socket_close_fds). */
function closeSockets({ dispatch, config, runtime }: Socket): void {
  runtime.traffic = false;
  if (!config.removeOnStop) return;
  for (const { path } of config.nodes) changeFileNow(dispatch, path, null);
}

const ROLES: Readonly<Record<SocketCommandList, ExecProcess["role"]>> = {
  ExecStartPre: "pre",
  ExecStartPost: "post",
  ExecStopPre: "stop",
  ExecStopPost: "stop-post",
};

/** socket_spawn: false when the process cannot be started. */
function run(socket: Socket, list: SocketCommandList, index: number, command: Command): boolean {
  const { dispatch, unit, config, runtime } = socket;
  forgetControl(socket);
  armUnitTimer(dispatch, unit, runtime, config.timeout);
  const environment = environmentOf(dispatch.state, config);
  if (environment === null) return false;
  const argv = expandVariables(command, environment);
  runtime.controlPid = spawnProcess(dispatch, unit, ROLES[list], argv, environment);
  runtime.controlCommand = { list, index };
  return true;
}

/**
 * Runs the first command of a phase and enters its state.
 *
 * @returns `none` when the phase has no commands, `failed` when the process cannot be started
 */
function enterControl(
  socket: Socket,
  list: SocketCommandList,
  state: SocketState,
): "entered" | "none" | "failed" {
  forgetControl(socket);
  const command = socket.config.commands[list][0];
  if (command === undefined) return "none";
  if (!run(socket, list, 0, command)) return "failed";
  setState(socket, state);
  return "entered";
}

/** The command the control process runs. */
export function socketCommand({ runtime, config }: Socket): Command | null {
  const at = runtime.controlCommand;
  return at === undefined ? null : (config.commands[at.list][at.index] ?? null);
}

/** Runs the next command of the phase; false when there is none (socket_run_next). */
export function runNextSocketCommand(socket: Socket): boolean {
  const { runtime, config } = socket;
  const at = runtime.controlCommand;
  if (at === undefined) return false;
  const command = config.commands[at.list][at.index + 1];
  if (command === undefined) return false;
  if (run(socket, at.list, at.index + 1, command)) return true;
  if (runtime.state === "start-post") enterStopPre(socket, "resources");
  else if (runtime.state === "stop-post") enterSocketDead(socket, "resources");
  else enterSignal(socket, "final-sigterm", "resources");
  return true;
}

/** socket_start: not while its service runs, which has not got the socket. */
export function startSocket(socket: Socket): StartOutcome {
  const { dispatch, unit, config, runtime } = socket;
  if (STOPPING.has(runtime.state)) return "again";
  if (STARTING.has(runtime.state)) return "started";
  if (!config.accept) {
    const service = triggeredUnit(dispatch, unit);
    if (service?.load !== "loaded") return "failed";
    const state = service.service?.state;
    if (state !== "dead" && state !== "failed" && state !== "auto-restart") return "failed";
  }
  runtime.result = "success";
  const entered = enterControl(socket, "ExecStartPre", "start-pre");
  if (entered === "none") openSockets(socket);
  else if (entered === "failed") enterSocketDead(socket, "resources");
  return "started";
}

/** From here on the sockets are there; a process of systemd's own gives them to their user (socket_enter_start_chown). */
export function openSockets(socket: Socket): void {
  const { dispatch, unit, config, runtime } = socket;
  const { nodes, user, group, timeout } = config;
  for (const node of nodes) makeNode(dispatch, node);
  if (user === "" && group === "") {
    enterStartPost(socket);
    return;
  }
  forgetControl(socket);
  armUnitTimer(dispatch, unit, runtime, timeout);
  runtime.controlPid = spawnProcess(dispatch, unit, "chown", ["(sd-chown)", user, group], {});
  setState(socket, "start-chown");
}

export function enterStartPost(socket: Socket): void {
  const entered = enterControl(socket, "ExecStartPost", "start-post");
  if (entered === "none") enterListening(socket);
  else if (entered === "failed") enterStopPre(socket, "resources");
}

/** socket_enter_listening */
export function enterListening(socket: Socket): void {
  setState(socket, "listening");
}

/** socket_stop: what is still starting is killed first. */
export function stopSocket(socket: Socket): StartOutcome {
  const { state } = socket.runtime;
  if (STARTING.has(state)) {
    enterSignal(socket, "stop-pre-sigterm", "success");
    return "again";
  }
  if (!STOPPING.has(state)) enterStopPre(socket, "success");
  return "started";
}

function note({ runtime }: Socket, result: UnitResult): void {
  if (runtime.result === "success") runtime.result = result;
}

export function enterStopPre(socket: Socket, result: UnitResult): void {
  note(socket, result);
  const entered = enterControl(socket, "ExecStopPre", "stop-pre");
  if (entered === "none") enterStopPost(socket, "success");
  else if (entered === "failed") enterStopPost(socket, "resources");
}

export function enterStopPost(socket: Socket, result: UnitResult): void {
  note(socket, result);
  const entered = enterControl(socket, "ExecStopPost", "stop-post");
  if (entered === "none") enterSignal(socket, "final-sigterm", "success");
  else if (entered === "failed") enterSignal(socket, "final-sigterm", "resources");
}

type SignalState = "stop-pre-sigterm" | "stop-pre-sigkill" | "final-sigterm" | "final-sigkill";

function purposeOf({ dispatch, unit }: Socket, state: SignalState): KillPurpose {
  switch (state) {
    case "stop-pre-sigterm":
      return jobOf(dispatch, unit.name)?.type === "restart" ? "restart" : "terminate";
    case "final-sigterm":
      return "terminate";
    case "stop-pre-sigkill":
    case "final-sigkill":
      return "kill";
  }
}

/** socket_enter_signal: signals what is there and waits, or goes on when nothing is. */
export function enterSignal(socket: Socket, state: SignalState, result: UnitResult): void {
  const { dispatch, unit, config, runtime } = socket;
  note(socket, result);
  const own = runtime.controlPid === undefined ? [] : [runtime.controlPid];
  if (killProcesses(dispatch, unit, own, config, purposeOf(socket, state))) {
    armUnitTimer(dispatch, unit, runtime, config.timeout);
    setState(socket, state);
    return;
  }
  switch (state) {
    case "stop-pre-sigterm":
      enterSignal(socket, "stop-pre-sigkill", "success");
      return;
    case "stop-pre-sigkill":
      enterStopPost(socket, "success");
      return;
    case "final-sigterm":
      enterSignal(socket, "final-sigkill", "success");
      return;
    case "final-sigkill":
      enterSocketDead(socket, "success");
  }
}

/** socket_enter_dead */
export function enterSocketDead(socket: Socket, result: UnitResult): void {
  note(socket, result);
  setState(socket, socket.runtime.result === "success" ? "dead" : "failed");
}

/** Something came in: the service is started to take it off (socket_enter_running). */
export function socketTraffic(socket: Socket): void {
  const { dispatch, unit, config, runtime } = socket;
  if (!OPEN.has(runtime.state)) return;
  runtime.traffic = true;
  if (runtime.state !== "listening") return;
  if (isStopPending(dispatch, unit)) {
    runtime.traffic = false;
    return;
  }
  const { triggerInterval, triggerBurst } = config;
  if (!belowLimit(runtime.limit, triggerInterval, triggerBurst ?? 20, dispatch.now)) {
    enterStopPre(socket, "trigger-limit-hit");
    return;
  }
  const service = triggeredUnit(dispatch, unit);
  if (service === undefined) {
    enterStopPre(socket, "resources");
    return;
  }
  if (!isUpOrComing(dispatch, service) && !dispatch.queue("start", service, "replace")) {
    enterStopPre(socket, "resources");
    return;
  }
  setState(socket, "running");
}

/** unit_active_or_pending */
function isUpOrComing(dispatch: Dispatch, unit: Unit): boolean {
  const active = activeState(unit);
  if (active === "active" || active === "reloading" || active === "activating") return true;
  const type = jobOf(dispatch, unit.name)?.type;
  return type === "start" || type === "restart" || type === "reload";
}

const GONE: ReadonlySet<ServiceState> = new Set<ServiceState>([
  "dead",
  "failed",
  "final-sigterm",
  "final-sigkill",
  "auto-restart",
]);

/** The service of a socket has changed, or lost its job (socket_trigger_notify). */
export function socketTriggerChanged(socket: Socket, service: Unit): void {
  const { config, runtime } = socket;
  if (config.accept || (runtime.state !== "listening" && runtime.state !== "running")) return;
  if (service.startLimitHit) {
    enterStopPre(socket, "service-start-limit-hit");
    return;
  }
  const state = service.service?.state;
  if (service.job !== 0 || state === undefined) return;
  if (GONE.has(state)) enterListening(socket);
  if (service.service?.state === "running") setState(socket, "running");
}

/** A program of a service took off what had come in on the sockets that start it. */
export function socketsDrained(dispatch: Dispatch, service: string): void {
  const unit = dispatch.state.units.get(service);
  if (unit === undefined) return;
  for (const { socket } of linked(dispatch.state, unit, "triggeredBy")) {
    if (socket !== null) socket.traffic = false;
  }
}
