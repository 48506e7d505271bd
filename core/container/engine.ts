import { createGenerator, type Machine } from "../kernel/index.js";
import { daemonUp, endIfIdle, signalDaemon, startDaemon } from "./daemon.js";
import {
  attachedTo,
  dockerClient,
  dockerRefused,
  dockerSignal,
  imageArrived,
  tellOfEnd,
} from "./docker.js";
import { parseDocker } from "./docker-command.js";
import type { ContainerEffect, ContainerFact, ContainerStimulus } from "./events.js";
import { containerEnded, portInUse, signalContainer, startContainer } from "./lifecycle.js";
import { fetchBroke, layerCame, manifestCame, type PullEnd, tryAgain } from "./pull.js";
import { endApp, podImageArrived, podTimer, rktProcess, signalPod } from "./rkt.js";
import type {
  Container,
  ContainerConfig,
  ContainerState,
  ContainerStep,
  ImageStore,
} from "./state.js";

/**
 * The container engines of one host: docker, whose daemon owns the containers, so that a unit's process
 * is only a client of it; and rkt, whose process is the pod.
 */
export const containerEngine: Machine<
  ContainerConfig,
  ContainerState,
  ContainerStimulus,
  ContainerFact,
  ContainerEffect
> = {
  name: "container",
  create: (config) => ({
    config,
    daemon: "down",
    bip: "",
    docker: storeOf(config),
    containers: new Map(),
    clients: new Map(),
    rkt: storeOf(config),
    pods: new Map(),
    deadPods: 0,
    fetches: new Map(),
    nextFetch: 1,
    nextContainer: 1,
    generator: createGenerator(config.seed, "container"),
  }),
  step(state, stimulus, now, out) {
    const step: ContainerStep = { state, now, out };
    receive(step, stimulus);
    endIfIdle(step);
  },
};

/** Whether the engines take this docker command line; otherwise the world has to say what it does. */
export function isModelled(args: readonly string[]): boolean {
  const { kind } = parseDocker(args);
  return kind === "command" || kind === "usage";
}

/** Whether these arguments make `docker` the daemon. */
export function isDaemon(args: readonly string[]): boolean {
  return parseDocker(args).kind === "daemon";
}

/** Whether a container or pod answers on this port of the host. */
export function answersOn(state: ContainerState, port: number): boolean {
  for (const { ready, ports } of state.containers.values()) {
    if (ready && ports.includes(port)) return true;
  }
  for (const { ready, listens } of state.pods.values()) {
    if (ready && listens.includes(port)) return true;
  }
  return false;
}

/** Names of the containers and pods that run; a pod goes by its image. */
export function runningContainers(state: ContainerState): string[] {
  const containers = [...state.containers.values()].filter(({ status }) => status === "running");
  const pods = [...state.pods.values()].filter(({ process }) => process !== null);
  return [...containers.map(({ name }) => name), ...pods.map(({ image }) => image)];
}

/** What power loss leaves: what is on the disk. Containers have ended; a layer that was half fetched is gone. */
export function afterPowerLoss(state: ContainerState): void {
  state.daemon = "down";
  state.clients.clear();
  state.fetches.clear();
  state.docker.pulls.clear();
  state.rkt.pulls.clear();
  state.deadPods += [...state.pods.values()].filter(({ process }) => process !== null).length;
  state.pods.clear();
  for (const container of state.containers.values()) {
    if (container.status !== "running" && container.status !== "restarting") continue;
    container.status = "exited";
    container.ready = false;
    container.terminating = false;
    container.restart = false;
    container.exitCode = 137;
  }
}

function storeOf({ images }: ContainerConfig): ImageStore {
  return {
    images: new Map(Object.entries(images)),
    layers: new Set(Object.values(images).flatMap(({ layers }) => layers.map(({ id }) => id))),
    pulls: new Map(),
  };
}

function receive(step: ContainerStep, stimulus: ContainerStimulus): void {
  switch (stimulus.kind) {
    case "daemon-start":
      startDaemon(step, stimulus.bip);
      return;
    case "daemon-signal":
      signalDaemon(step, stimulus.signal);
      return;
    case "docker":
      dockerClient(step, stimulus.pid, stimulus.unit, stimulus.args);
      return;
    case "rkt":
      rktProcess(step, stimulus.pid, stimulus.unit, stimulus.args);
      return;
    case "signal":
      if (step.state.pods.has(stimulus.pid)) signalPod(step, stimulus.pid, stimulus.signal);
      else dockerSignal(step, stimulus.pid, stimulus.signal);
      return;
    case "app-exit":
      appExits(step, stimulus.pid, stimulus.code);
      return;
    case "no-socket":
      dockerRefused(step, stimulus.pid);
      return;
    case "manifest":
      pullEnded(step, manifestCame(step, stimulus.id, stimulus.image));
      return;
    case "fetched":
      pullEnded(step, layerCame(step, stimulus.id));
      return;
    case "fetch-broken":
      pullEnded(step, fetchBroke(step, stimulus.id));
      return;
    case "timer":
      onTimer(step, stimulus.timer);
  }
}

/** A process that only waits, for the daemon or an image, has nothing under it: it is killed. */
function appExits(step: ContainerStep, pid: number, code: number): void {
  const container = attachedTo(step, pid);
  if (container !== null) ended(step, container, code);
  else if (!endApp(step, pid, code)) dockerSignal(step, pid, "SIGKILL");
}

function pullEnded(step: ContainerStep, end: PullEnd | null): void {
  if (end === null) return;
  for (const pid of end.waiting) {
    if (end.engine === "docker") imageArrived(step, pid, end.ok);
    else podImageArrived(step, pid, end.ok);
  }
}

function onTimer(step: ContainerStep, timer: string): void {
  const [what = "", id = ""] = timer.split(" ");
  if (what === "daemon") daemonUp(step);
  else if (what === "layer") tryAgain(step, timer);
  else if (what.startsWith("pod-")) podTimer(step, what, Number(id));
  else containerTimer(step, what, Number(id));
}

function containerTimer(step: ContainerStep, what: string, id: number): void {
  const container = [...step.state.containers.values()].find((each) => each.id === id);
  if (container === undefined) return;
  switch (what) {
    case "ready":
      container.ready = true;
      return;
    case "exit":
      ended(step, container, container.process.exits?.code ?? 0);
      return;
    case "term":
      ended(step, container, container.process.stopCode);
      return;
    case "grace":
      if (signalContainer(step, container, "SIGKILL")) tellOfEnd(step, container);
      return;
    case "restart":
      if (container.status !== "restarting") return;
      container.status = "exited";
      if (portInUse(step.state, container) === null) startContainer(step, container);
      else tellOfEnd(step, container);
  }
}

function ended(step: ContainerStep, container: Container, code: number): void {
  containerEnded(step, container, code);
  tellOfEnd(step, container);
}
