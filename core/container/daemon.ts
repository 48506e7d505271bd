import { SECOND } from "../kernel/index.js";
import { hangUpClients, serveClients, tellOfEnd } from "./docker.js";
import {
  containerEnded,
  draw,
  portInUse,
  startContainer,
  startsWithDaemon,
  stopContainer,
} from "./lifecycle.js";
import { abandonPulls } from "./pull.js";
import { arm, type ContainerStep, disarm } from "./state.js";

/**
 * The docker daemon begins. Containers that a daemon before it left running, as it was killed, are
 * ended first (daemon/daemon.go), unless they are to outlive it.
 */
export function startDaemon(step: ContainerStep, bip: string): void {
  const { state } = step;
  state.daemon = "starting";
  state.bip = bip;
  for (const container of [...state.containers.values()]) {
    if (container.status !== "running" || state.config.liveRestore) continue;
    containerEnded(step, container, 137);
    tellOfEnd(step, container);
  }
  arm(step, "daemon", draw(state, state.config.startTakes));
}

/** It serves. Containers whose restart policy says so run again before the first client is heard. */
export function daemonUp(step: ContainerStep): void {
  const { state, out } = step;
  state.daemon = "up";
  out.facts.push({ kind: "docker.up", bip: state.bip });
  out.effects.push({ kind: "daemon-ready" });
  for (const container of [...state.containers.values()]) {
    if (startsWithDaemon(container) && portInUse(state, container) === null) {
      startContainer(step, container);
    }
  }
  serveClients(step);
}

/**
 * SIGTERM: the daemon stops every container, each with ten seconds of grace, and ends when none is
 * left; with live restore it just ends. Any other signal ends it at once and leaves the containers behind.
 */
export function signalDaemon(step: ContainerStep, signal: string): void {
  const { state } = step;
  if (state.daemon === "down" || signal === "SIGHUP") return;
  if (signal !== "SIGTERM" && signal !== "SIGINT") {
    endDaemon(step, null, signal);
    return;
  }
  if (state.daemon === "stopping") return;
  if (state.config.liveRestore || state.daemon === "starting") {
    endDaemon(step, 0, null);
    return;
  }
  state.daemon = "stopping";
  abandonPulls(step);
  for (const container of [...state.containers.values()]) {
    if (container.status === "restarting") {
      disarm(step, `restart ${container.id}`);
      container.status = "exited";
    }
    if (container.status !== "running") continue;
    const { stopped } = container;
    stopContainer(step, container, 10 * SECOND);
    // It was not an operator who wanted it: the next daemon may run it again.
    container.stopped = stopped;
  }
  endIfIdle(step);
}

/** A daemon that is stopping ends when its last container has. */
export function endIfIdle(step: ContainerStep): void {
  const { state } = step;
  if (state.daemon !== "stopping") return;
  if ([...state.containers.values()].some(({ status }) => status === "running")) return;
  endDaemon(step, 0, null);
}

function endDaemon(step: ContainerStep, code: number | null, signal: string | null): void {
  const { state, out } = step;
  disarm(step, "daemon");
  state.daemon = "down";
  abandonPulls(step);
  hangUpClients(step);
  out.facts.push({ kind: "docker.down", reason: signal === null ? "stopped" : "killed" });
  out.effects.push({ kind: "daemon-exit", code, signal });
}
