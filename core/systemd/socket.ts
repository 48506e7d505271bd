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
import { changeFileNow } from "./file-change.js";
import type { StartOutcome } from "./outcome.js";
import type { SocketNode } from "./socket-config.js";
import type { ServiceState, SocketRuntime, Unit } from "./state.js";
import type { UnitResult } from "./types.js";

function setSocketState(dispatch: Dispatch, unit: Unit, state: SocketRuntime["state"]): void {
  if (unit.socket === null) return;
  const before = activeState(unit);
  unit.socket.state = state;
  if (state === "dead" || state === "failed") closeSockets(dispatch, unit);
  // What a service left on the socket starts it again.
  if (state === "listening" && unit.socket.traffic) {
    dispatch.deferred.push({ kind: "traffic", unit: unit.name });
  }
  announce(dispatch, unit);
  dispatch.changed(unit, before, { reloadFailed: false, willRestart: false });
}

/** socket_start: not while its service runs, which has not got the socket. */
export function startSocket(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { socket, config } = unit;
  if (socket === null || config.socket === null) return "failed";
  if (!config.socket.accept) {
    const service = triggeredUnit(dispatch, unit);
    if (service?.load !== "loaded") return "failed";
    const state = service.service?.state;
    if (state !== "dead" && state !== "failed" && state !== "auto-restart") return "failed";
  }
  socket.result = "success";
  for (const node of config.socket.nodes) makeNode(dispatch, node);
  setSocketState(dispatch, unit, "listening");
  return "started";
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
function closeSockets(dispatch: Dispatch, { socket, config }: Unit): void {
  if (socket !== null) socket.traffic = false;
  if (config.socket?.removeOnStop !== true) return;
  for (const { path } of config.socket.nodes) changeFileNow(dispatch, path, null);
}

/** Stops listening (socket_enter_stop_pre and what follows, without commands). */
export function enterSocketDead(dispatch: Dispatch, unit: Unit, result: UnitResult): void {
  if (unit.socket === null) return;
  if (unit.socket.result === "success") unit.socket.result = result;
  setSocketState(dispatch, unit, unit.socket.result === "success" ? "dead" : "failed");
}

/** Something came in: the service is started to take it off (socket_enter_running). */
export function socketTraffic(dispatch: Dispatch, unit: Unit): void {
  const { socket, config } = unit;
  if (socket === null || config.socket === null || socket.state === "dead") return;
  socket.traffic = true;
  if (socket.state !== "listening") return;
  if (isStopPending(dispatch, unit)) {
    socket.traffic = false;
    return;
  }
  const { triggerInterval, triggerBurst } = config.socket;
  if (!belowLimit(socket.limit, triggerInterval, triggerBurst ?? 20, dispatch.now)) {
    enterSocketDead(dispatch, unit, "trigger-limit-hit");
    return;
  }
  const service = triggeredUnit(dispatch, unit);
  if (service === undefined) {
    enterSocketDead(dispatch, unit, "resources");
    return;
  }
  if (!isUpOrComing(dispatch, service) && !dispatch.queue("start", service, "replace")) {
    enterSocketDead(dispatch, unit, "resources");
    return;
  }
  setSocketState(dispatch, unit, "running");
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
export function socketTriggerChanged(dispatch: Dispatch, unit: Unit, service: Unit): void {
  const { socket, config } = unit;
  if (socket === null || config.socket === null || config.socket.accept) return;
  if (socket.state !== "listening" && socket.state !== "running") return;
  if (service.startLimitHit) {
    enterSocketDead(dispatch, unit, "service-start-limit-hit");
    return;
  }
  const state = service.service?.state;
  if (service.job !== 0 || state === undefined) return;
  if (GONE.has(state)) {
    setSocketState(dispatch, unit, "listening");
  }
  if (service.service?.state === "running") setSocketState(dispatch, unit, "running");
}

/** A program of a service took off what had come in on the sockets that start it. */
export function socketsDrained(dispatch: Dispatch, service: string): void {
  const unit = dispatch.state.units.get(service);
  if (unit === undefined) return;
  for (const { socket } of linked(dispatch.state, unit, "triggeredBy")) {
    if (socket !== null) socket.traffic = false;
  }
}
