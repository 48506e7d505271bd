import type { Generator, Micros, Out, TimerEffect } from "../kernel/index.js";
import type { DockerCommand, RestartPolicy } from "./docker-command.js";
import type { ContainerEffect, ContainerFact } from "./events.js";
import type { ContainerProcess, Image, Range } from "./image.js";

/** What is fixed about a host's engines. */
export interface ContainerConfig {
  /** Docker's version, such as `1.12`. */
  readonly version: readonly [number, number];
  /** `--live-restore` (1.12): containers outlive their daemon. */
  readonly liveRestore: boolean;
  /** From the daemon's start until it serves. */
  readonly startTakes: Range;
  /** Images on the disk from the start. */
  readonly images: Readonly<Record<string, Image>>;
  readonly seed: number;
}

/** Images on the disk, and those on their way. Docker and rkt have one each. */
export interface ImageStore {
  images: Map<string, Image>;
  layers: Set<string>;
  /** By image. */
  pulls: Map<string, Pull>;
}

/** One image on its way. */
export interface Pull {
  readonly image: string;
  /** Processes that wait for it. */
  waiting: number[];
  /** The question for its manifest under way; 0: none. */
  asking: number;
  manifest: Image | null;
  /** Layers that are missing, in order. */
  missing: MissingLayer[];
}

export interface MissingLayer {
  readonly id: string;
  readonly bytes: number;
  /** How often its fetch broke. */
  failures: number;
  /** The fetch under way; 0: none. */
  fetch: number;
  /** It waits until it may be tried again. */
  resting: boolean;
}

/** A container of docker, from `run` until `rm`. */
export interface Container {
  readonly id: number;
  readonly name: string;
  /** Unit whose process made it. */
  readonly unit: string;
  readonly image: string;
  readonly process: ContainerProcess;
  /** Ports of the host it answers on. */
  readonly ports: readonly number[];
  readonly policy: RestartPolicy;
  readonly remove: boolean;
  status: "created" | "running" | "restarting" | "exited";
  /** It answers on its ports. */
  ready: boolean;
  /** A `stop` or `kill` asked for its end: its restart policy does not count. */
  stopped: boolean;
  /** SIGTERM has reached it. */
  terminating: boolean;
  /** To be started again when it has ended (`docker restart`). */
  restart: boolean;
  exitCode: number;
  startedAt: Micros;
  restarts: number;
  /** Wait before the next restart. */
  backoff: Micros;
}

/** A process of the docker client that waits for something. */
export interface DockerClient {
  readonly pid: number;
  readonly unit: string;
  readonly command: DockerCommand;
  /** For the daemon, an image, the containers of a command one after another, or a container's end. */
  waits: "daemon" | "image" | "names" | "end";
  /** The container it is attached to, or whose end it waits for. */
  container: string;
  /** What is left of the command's names. */
  names: string[];
  failed: boolean;
}

/** A pod of rkt: the process that runs it is the pod. */
export interface Pod {
  readonly pid: number;
  readonly unit: string;
  readonly image: string;
  readonly ports: readonly number[];
  readonly hostNetwork: boolean;
  /** It only fetches. */
  readonly fetchOnly: boolean;
  process: ContainerProcess | null;
  listens: readonly number[];
  ready: boolean;
  terminating: boolean;
}

/** The container engines of one host: docker with its daemon, rkt without. */
export interface ContainerState {
  readonly config: ContainerConfig;
  daemon: "down" | "starting" | "up" | "stopping";
  /** Subnet of docker's bridge, as the daemon was started with it. */
  bip: string;
  docker: ImageStore;
  /** By name. */
  containers: Map<string, Container>;
  clients: Map<number, DockerClient>;
  rkt: ImageStore;
  pods: Map<number, Pod>;
  /** Pods that have ended and lie on the disk until `rkt gc`. */
  deadPods: number;
  /** What each fetch is for. */
  fetches: Map<number, Fetch>;
  nextFetch: number;
  nextContainer: number;
  generator: Generator;
}

export interface Fetch {
  readonly engine: "docker" | "rkt";
  readonly image: string;
  /** null: its manifest. */
  readonly layer: string | null;
}

/** One step of the engines under way. */
export interface ContainerStep {
  readonly state: ContainerState;
  readonly now: Micros;
  readonly out: Out<ContainerFact, ContainerEffect>;
}

export function arm(step: ContainerStep, timer: string, delay: Micros): void {
  const effect: TimerEffect = { kind: "arm-timer", timer, delay };
  step.out.effects.push(effect);
}

export function disarm(step: ContainerStep, timer: string): void {
  step.out.effects.push({ kind: "cancel-timer", timer });
}

/** Whether docker is of this version or later. */
export function isDocker(state: ContainerState, major: number, minor: number): boolean {
  const [first, second] = state.config.version;
  return first > major || (first === major && second >= minor);
}
