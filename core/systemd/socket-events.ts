import {
  enterListening,
  enterSignal,
  enterSocketDead,
  enterStartPost,
  enterStopPost,
  enterStopPre,
  openSockets,
  runNextSocketCommand,
  type Socket,
  socketCommand,
} from "./socket.js";
import type { UnitResult } from "./types.js";
import { rearmUnitTimer } from "./unit-timer.js";
import { dumpsCore } from "./value.js";

/** A process of the socket ended (socket_sigchld_event). */
export function socketProcessExited(
  socket: Socket,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  const { runtime } = socket;
  if (pid !== runtime.controlPid) return;
  delete runtime.controlPid;
  const ignored = socketCommand(socket)?.ignoreFailure === true;
  const result = ignored ? "success" : resultOf(code, signal);
  if (runtime.result === "success") runtime.result = result;
  if (result === "success" && runNextSocketCommand(socket)) return;
  delete runtime.controlCommand;
  switch (runtime.state) {
    case "start-pre":
      if (result === "success") openSockets(socket);
      else enterSignal(socket, "final-sigterm", result);
      return;
    case "start-chown":
      if (result === "success") enterStartPost(socket);
      else enterStopPre(socket, result);
      return;
    case "start-post":
      if (result === "success") enterListening(socket);
      else enterStopPre(socket, result);
      return;
    case "stop-pre":
    case "stop-pre-sigterm":
    case "stop-pre-sigkill":
      enterStopPost(socket, result);
      return;
    case "stop-post":
    case "final-sigterm":
    case "final-sigkill":
      enterSocketDead(socket, result);
      return;
    case "dead":
    case "listening":
    case "running":
    case "failed":
  }
}

function resultOf(code: number | null, signal: string | null): UnitResult {
  if (signal !== null) return dumpsCore(signal) ? "core-dump" : "signal";
  return code === 0 ? "success" : "exit-code";
}

/** The timer of the state is due (socket_dispatch_timer). */
export function socketTimer(socket: Socket): void {
  const { runtime, config } = socket;
  delete runtime.timed;
  switch (runtime.state) {
    case "start-pre":
    case "stop-post":
      enterSignal(socket, "final-sigterm", "timeout");
      return;
    case "start-chown":
    case "start-post":
      enterStopPre(socket, "timeout");
      return;
    case "stop-pre":
      enterSignal(socket, "stop-pre-sigterm", "timeout");
      return;
    case "stop-pre-sigterm":
      if (config.sendSigkill) enterSignal(socket, "stop-pre-sigkill", "timeout");
      else enterStopPost(socket, "timeout");
      return;
    case "stop-pre-sigkill":
      enterStopPost(socket, "timeout");
      return;
    case "final-sigterm":
      if (config.sendSigkill) enterSignal(socket, "final-sigkill", "timeout");
      else enterSocketDead(socket, "timeout");
      return;
    case "final-sigkill":
      enterSocketDead(socket, "timeout");
      return;
    case "dead":
    case "listening":
    case "running":
    case "failed":
  }
}

/**
 * Puts a socket back after a daemon-reload (socket_coldplug): its timer runs by the settings of now, and
 * of the commands of a phase the first counts as the one that runs.
 */
export function coldplugSocket(socket: Socket): void {
  const { runtime, config, dispatch, unit } = socket;
  if (runtime.controlCommand !== undefined) runtime.controlCommand.index = 0;
  if (runtime.controlPid !== undefined) rearmUnitTimer(dispatch, unit, runtime, config.timeout);
}
