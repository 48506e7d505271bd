import { MILLISECOND, type Micros, nextBetween, SECOND } from "../kernel/index.js";
import type { DockerRun } from "./docker-command.js";
import type { Image, Range } from "./image.js";
import { arm, type Container, type ContainerState, type ContainerStep, disarm } from "./state.js";

/** Docker's wait before the first restart of a container; it doubles with each (daemon/monitor.go). */
const BACKOFF: Micros = 100 * MILLISECOND;

/** A container that ran for this long begins with the first wait again. */
const RAN_WELL: Micros = 10 * SECOND;

/** Status of a process that SIGKILL ended, as docker tells it. */
const KILLED = 137;

export function draw(state: ContainerState, [low, high]: Range): Micros {
  return low >= high ? low : nextBetween(state.generator, low, high);
}

/** Makes a container of an image, without starting it. */
export function createContainer(
  { state }: ContainerStep,
  unit: string,
  run: DockerRun,
  image: Image,
): Container {
  const id = state.nextContainer++;
  const container: Container = {
    id,
    name: run.name ?? `unnamed_${id}`,
    unit,
    image: run.image,
    process: image.process,
    ports: run.hostNetwork ? image.listens : run.ports,
    policy: run.restart,
    remove: run.remove,
    status: "created",
    ready: false,
    stopped: false,
    terminating: false,
    restart: false,
    exitCode: 0,
    startedAt: 0,
    restarts: 0,
    backoff: BACKOFF,
  };
  state.containers.set(container.name, container);
  return container;
}

/** A port of the host that another container has; null when it may start. */
export function portInUse(state: ContainerState, container: Container): number | null {
  for (const other of state.containers.values()) {
    if (other === container || other.id === container.id || other.status !== "running") continue;
    const port = container.ports.find((each) => other.ports.includes(each));
    if (port !== undefined) return port;
  }
  return null;
}

/** Runs the process of a container that does not run, and whose ports are free. */
export function startContainer(step: ContainerStep, container: Container): void {
  const { state, now, out } = step;
  container.status = "running";
  container.ready = false;
  container.stopped = false;
  container.terminating = false;
  container.startedAt = now;
  const { id, name, unit, image, process } = container;
  out.facts.push({ kind: "container.started", unit, name, image, engine: "docker" });
  arm(step, `ready ${id}`, draw(state, process.readyAfter));
  if (process.exits !== null) arm(step, `exit ${id}`, draw(state, process.exits.after));
}

/** Sends its process a signal; one that it ignores does nothing. Whether it has ended. */
export function signalContainer(
  step: ContainerStep,
  container: Container,
  signal: string,
): boolean {
  if (container.status !== "running") return false;
  if (signal === "SIGKILL") {
    containerEnded(step, container, KILLED);
    return true;
  }
  const { stopTakes } = container.process;
  const ends = signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGQUIT";
  if (!ends || stopTakes === null || container.terminating) return false;
  container.terminating = true;
  arm(step, `term ${container.id}`, draw(step.state, stopTakes));
  return false;
}

/** SIGTERM now, SIGKILL after the grace. */
export function stopContainer(step: ContainerStep, container: Container, grace: Micros): void {
  container.stopped = true;
  signalContainer(step, container, "SIGTERM");
  arm(step, `grace ${container.id}`, grace);
}

/** Its process has ended. Who waits for that is told by the engine. */
export function containerEnded(step: ContainerStep, container: Container, code: number): void {
  const { state, now, out } = step;
  const { id, name, unit } = container;
  for (const timer of ["ready", "exit", "term", "grace"]) disarm(step, `${timer} ${id}`);
  container.status = "exited";
  container.ready = false;
  container.terminating = false;
  container.exitCode = code;
  out.facts.push({ kind: "container.exited", unit, name, code, engine: "docker" });
  if (container.restart || !mayRestart(state, container)) return;
  container.backoff = now - container.startedAt >= RAN_WELL ? BACKOFF : container.backoff * 2;
  container.restarts++;
  container.status = "restarting";
  arm(step, `restart ${id}`, container.backoff);
}

function mayRestart(
  state: ContainerState,
  { policy, stopped, exitCode, restarts }: Container,
): boolean {
  if (stopped || state.daemon !== "up") return false;
  switch (policy.name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitCode !== 0 && (policy.most === 0 || restarts < policy.most);
  }
}

/** Whether a daemon that has just started runs this container again. */
export function startsWithDaemon({ policy, status, stopped, exitCode }: Container): boolean {
  if (status === "created" || status === "running") return false;
  switch (policy.name) {
    case "no":
      return false;
    case "always":
      return true;
    case "unless-stopped":
      return !stopped;
    case "on-failure":
      return exitCode !== 0 && !stopped;
  }
}

/** Takes a container that does not run off the disk. */
export function removeContainer(step: ContainerStep, container: Container): void {
  disarm(step, `restart ${container.id}`);
  step.state.containers.delete(container.name);
}
