import { type DockerCommand, type DockerRun, parseDocker } from "./docker-command.js";
import {
  containerEnded,
  createContainer,
  portInUse,
  removeContainer,
  signalContainer,
  startContainer,
  stopContainer,
} from "./lifecycle.js";
import { leavePull, pullImage } from "./pull.js";
import {
  type Container,
  type ContainerStep,
  type DockerClient,
  disarm,
  isDocker,
} from "./state.js";

/** Why a daemon refuses. */
type Refusal = "name-in-use" | "port-in-use" | "running" | "no-such-container";

/**
 * A process runs the docker client.
 *
 * @returns false when its command changes something that is not modelled; nothing was done then
 */
export function dockerClient(
  step: ContainerStep,
  pid: number,
  unit: string,
  args: readonly string[],
): boolean {
  const line = parseDocker(args);
  if (line.kind === "other" || line.kind === "daemon") return false;
  if (line.kind === "usage") {
    end(step, pid, isDocker(step.state, 1, 10) ? 125 : 1);
    return true;
  }
  const { command } = line;
  const waits = "daemon";
  const client: DockerClient = {
    ...{ pid, unit, command, waits, container: "", names: namesOf(command), failed: false },
  };
  step.state.clients.set(pid, client);
  if (step.state.daemon === "up") perform(step, client);
  else step.out.effects.push({ kind: "connect", pid });
  return true;
}

/** Nobody listens where the daemon should. */
export function dockerRefused(step: ContainerStep, pid: number): void {
  const client = step.state.clients.get(pid);
  if (client !== undefined) endClient(step, client, failureOf(step, client));
}

/** The daemon serves: those that waited for it go on, in the order they came. */
export function serveClients(step: ContainerStep): void {
  for (const client of [...step.state.clients.values()]) {
    if (client.waits === "daemon") perform(step, client);
  }
}

/** The daemon is gone: the connections of all clients close. */
export function hangUpClients(step: ContainerStep): void {
  for (const client of [...step.state.clients.values()]) {
    endClient(step, client, failureOf(step, client));
  }
}

/** The client gets a signal: `run` and `start -a` pass it on to their container, unless it is SIGKILL. */
export function dockerSignal(step: ContainerStep, pid: number, signal: string): void {
  const client = step.state.clients.get(pid);
  if (client === undefined) return;
  const { command } = client;
  const container = step.state.containers.get(client.container);
  const attached = client.waits === "end" && command.command !== "follow";
  const proxies = attached && (command.command !== "run" || command.signalProxy);
  if (proxies && signal !== "SIGKILL" && container !== undefined) {
    if (signalContainer(step, container, signal)) tellOfEnd(step, container);
    return;
  }
  if (signal === "SIGHUP" && !attached) return;
  if (client.waits === "image") leavePull(step, "docker", imageOf(command), pid);
  if (attached && container?.status === "running") {
    step.out.facts.push({ kind: "container.orphaned", unit: client.unit, name: container.name });
  }
  step.state.clients.delete(pid);
  step.out.effects.push({ kind: "client-exit", pid, code: null, signal });
}

/** The container that runs under a client; null when none does. */
export function attachedTo({ state }: ContainerStep, pid: number): Container | null {
  const client = state.clients.get(pid);
  if (client?.waits !== "end" || client.command.command === "follow") return null;
  const container = state.containers.get(client.container);
  return container?.status === "running" ? container : null;
}

/** The image that a client waits for has come, or will not. */
export function imageArrived(step: ContainerStep, pid: number, ok: boolean): void {
  const client = step.state.clients.get(pid);
  if (client === undefined || client.waits !== "image") return;
  if (!ok) endClient(step, client, client.command.command === "pull" ? 1 : failureOf(step, client));
  else if (client.command.command === "run") runContainer(step, client, client.command);
  else endClient(step, client, 0);
}

/** A container has ended: whoever is attached to it, or waits for that, goes on. */
export function tellOfEnd(step: ContainerStep, container: Container): void {
  const { state } = step;
  if (container.restart && container.status === "exited") {
    container.restart = false;
    startContainer(step, container);
  }
  let attached = false;
  for (const client of [...state.clients.values()]) {
    if (client.container !== container.name) continue;
    if (client.waits === "names") {
      client.container = "";
      nextName(step, client);
    } else if (client.waits === "end" && container.status === "exited") {
      attached ||= client.command.command === "run";
      const { command } = client.command;
      endClient(step, client, command === "follow" ? 0 : container.exitCode);
    }
  }
  // Before 1.13 it is the client that removes it, so that without one it stays.
  const gone = container.remove && container.status === "exited";
  if (gone && (attached || isDocker(state, 1, 13))) removeContainer(step, container);
}

function perform(step: ContainerStep, client: DockerClient): void {
  const { command } = client;
  switch (command.command) {
    case "run":
      if (step.state.docker.images.has(command.image)) runContainer(step, client, command);
      else waitForImage(step, client, command.image);
      return;
    case "pull":
      waitForImage(step, client, command.image);
      return;
    case "rmi":
      removeImages(step, command.images);
      endClient(step, client, 0);
      return;
    case "look": {
      const missing = command.names.some((name) => !step.state.containers.has(name));
      endClient(step, client, missing ? 1 : 0);
      return;
    }
    case "follow": {
      const container = step.state.containers.get(command.name);
      if (container === undefined) endClient(step, client, 1);
      else if (container.status === "exited") endClient(step, client, 0);
      else {
        client.waits = "end";
        client.container = command.name;
      }
      return;
    }
    default:
      client.waits = "names";
      nextName(step, client);
  }
}

function waitForImage(step: ContainerStep, client: DockerClient, image: string): void {
  client.waits = "image";
  pullImage(step, "docker", image, client.pid);
}

/** Creates the container and starts it. One that cannot start stays behind, with its name. */
function runContainer(step: ContainerStep, client: DockerClient, run: DockerRun): void {
  const { state } = step;
  const image = state.docker.images.get(run.image);
  if (image === undefined) {
    waitForImage(step, client, run.image);
    return;
  }
  if (run.name !== null && state.containers.has(run.name)) {
    refuse(step, client, run.name, "name-in-use");
    endClient(step, client, failureOf(step, client));
    return;
  }
  const container = createContainer(step, client.unit, run, image);
  if (portInUse(state, container) !== null) {
    refuse(step, client, container.name, "port-in-use");
    if (run.remove) removeContainer(step, container);
    endClient(step, client, failureOf(step, client));
    return;
  }
  startContainer(step, container);
  if (run.detach) endClient(step, client, 0);
  else {
    client.waits = "end";
    client.container = container.name;
  }
}

/** Goes on with a command that takes containers one after the other. */
function nextName(step: ContainerStep, client: DockerClient): void {
  for (;;) {
    const name = client.names.shift();
    if (name === undefined) {
      endClient(step, client, client.failed ? 1 : 0);
      return;
    }
    const container = step.state.containers.get(name);
    if (container === undefined) {
      refuse(step, client, name, "no-such-container");
      client.failed = true;
    } else if (performOn(step, client, container) === "waits") {
      return;
    }
  }
}

/** One command on one container; `waits` when the client goes on only after the container's end. */
function performOn(
  step: ContainerStep,
  client: DockerClient,
  container: Container,
): "done" | "waits" {
  const { command } = client;
  const running = container.status === "running";
  switch (command.command) {
    case "stop":
    case "restart":
      if (container.status === "restarting") {
        disarm(step, `restart ${container.id}`);
        container.status = "exited";
      }
      if (running) {
        client.container = container.name;
        container.restart = command.command === "restart";
        stopContainer(step, container, command.grace);
        return "waits";
      }
      if (command.command === "restart") startOne(step, client, container);
      else container.stopped = true;
      return "done";
    case "kill":
      if (!running) client.failed = true;
      else {
        container.stopped = true;
        if (signalContainer(step, container, command.signal)) tellOfEnd(step, container);
      }
      return "done";
    case "rm":
      if (running && !command.force) {
        refuse(step, client, container.name, "running");
        client.failed = true;
        return "done";
      }
      if (running) {
        container.stopped = true;
        containerEnded(step, container, 137);
        tellOfEnd(step, container);
      }
      removeContainer(step, container);
      return "done";
    case "start":
      if (!running) startOne(step, client, container);
      if (client.failed || !command.attach) return "done";
      client.waits = "end";
      client.container = container.name;
      return "waits";
    default:
      return "done";
  }
}

function startOne(step: ContainerStep, client: DockerClient, container: Container): void {
  if (portInUse(step.state, container) !== null) {
    refuse(step, client, container.name, "port-in-use");
    client.failed = true;
    return;
  }
  disarm(step, `restart ${container.id}`);
  startContainer(step, container);
}

/** Takes images off the disk, and their layers unless another image has them. One in use stays. */
function removeImages({ state }: ContainerStep, images: readonly string[]): void {
  const { docker, containers } = state;
  for (const image of images) {
    if (![...containers.values()].some((each) => each.image === image)) docker.images.delete(image);
  }
  const used = new Set(
    [...docker.images.values()].flatMap((each) => each.layers.map(({ id }) => id)),
  );
  for (const layer of [...docker.layers]) if (!used.has(layer)) docker.layers.delete(layer);
}

function refuse(step: ContainerStep, { unit }: DockerClient, name: string, reason: Refusal): void {
  step.out.facts.push({ kind: "container.refused", unit, name, reason });
}

function namesOf(command: DockerCommand): string[] {
  return "names" in command && command.command !== "look" ? [...command.names] : [];
}

function imageOf(command: DockerCommand): string {
  return "image" in command ? command.image : "";
}

/** Docker run says 125 for an error of the daemon since 1.10; everything else fails with 1. */
function failureOf({ state }: ContainerStep, { command }: DockerClient): number {
  return command.command === "run" && isDocker(state, 1, 10) ? 125 : 1;
}

function endClient(step: ContainerStep, { pid }: DockerClient, code: number): void {
  step.state.clients.delete(pid);
  end(step, pid, code);
}

function end(step: ContainerStep, pid: number, code: number): void {
  step.out.effects.push({ kind: "client-exit", pid, code, signal: null });
}
