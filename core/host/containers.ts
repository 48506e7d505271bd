import { type ConfdEffect, type ConfdStimulus, confd } from "../balancer/index.js";
import {
  afterPowerLoss,
  type ContainerEffect,
  type ContainerStimulus,
  containerEngine,
} from "../container/index.js";
import {
  type FlannelEffect,
  type FlannelStimulus,
  flanneld,
  SUBNET_FILE,
} from "../flannel/index.js";
import { MINUTE, type Micros, nextBelow, SECOND, unreachable } from "../kernel/index.js";
import type { ContainerHost, HostContainerConfig } from "./container-state.js";
import { armTimer, type HostStep } from "./context.js";
import { callEtcd, clientGone } from "./etcdlink.js";
import { endProgram } from "./programs.js";
import type { Daemon } from "./state.js";

/** The engines of a new host; undefined on one without. */
export function newContainers(config: HostContainerConfig | undefined): ContainerHost | undefined {
  if (config === undefined) return undefined;
  return {
    engine: containerEngine.create(config.engine),
    flannel: null,
    flannelSubnet: "",
    confd: null,
    backends: [],
    turn: 0,
    requests: new Map(),
    failing: new Set(),
    programs: new Map(),
    nextChild: 0,
  };
}

/** The host is down: what ran is gone, what lies on the disk stays. */
export function containersDown(containers: ContainerHost | undefined): void {
  if (containers === undefined) return;
  afterPowerLoss(containers.engine);
  containers.flannel = null;
  containers.flannelSubnet = "";
  containers.confd = null;
  containers.requests.clear();
  containers.failing.clear();
  containers.programs.clear();
}

export function stepContainers(step: HostStep, stimulus: ContainerStimulus): void {
  const { containers } = step.host;
  if (containers === undefined) return;
  const effects: ContainerEffect[] = [];
  containerEngine.step(containers.engine, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performContainers(step, effect);
}

function performContainers(step: HostStep, effect: ContainerEffect): void {
  switch (effect.kind) {
    case "client-exit":
      endProgram(step, effect.pid, effect.code, effect.signal);
      return;
    case "connect":
      connect(step, effect.pid);
      return;
    case "daemon-ready": {
      const pid = dockerd(step)?.pid;
      if (pid === undefined) return;
      step.inbox.push({ to: "systemd", stimulus: { kind: "process-ready", pid } });
      const stimulus = { kind: "socket-drained", service: "docker.service" } as const;
      step.inbox.push({ to: "systemd", stimulus });
      return;
    }
    case "daemon-exit": {
      const pid = dockerd(step)?.pid;
      if (pid === undefined) return;
      step.inbox.push({ to: "reaper", pid, code: effect.code, signal: effect.signal });
      return;
    }
    case "fetch-manifest":
    case "fetch-layer":
    case "cancel-fetch":
      step.out.effects.push(effect);
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "container", effect);
      return;
    default:
      unreachable(effect);
  }
}

function dockerd({ host }: HostStep): Daemon | undefined {
  return [...host.daemons.values()].find(({ name }) => name === "dockerd");
}

/** A client finds no daemon: its socket starts one, or nobody listens there. */
function connect(step: HostStep, pid: number): void {
  const { containers, systemd } = step.host;
  if (containers?.engine.daemon === "starting") return;
  const socket = systemd.units.get("docker.socket")?.socket ?? null;
  if (socket !== null && (socket.state === "listening" || socket.state === "running")) {
    const stimulus = { kind: "socket-traffic", unit: "docker.socket" } as const;
    step.inbox.push({ to: "systemd", stimulus });
  } else step.inbox.push({ to: "containers", stimulus: { kind: "no-socket", pid } });
}

/** systemd has started the docker daemon. */
export function startDockerd(step: HostStep, { environment }: Daemon): void {
  const bip = (environment.DOCKER_OPT_BIP ?? "").replace(/^--bip=/, "");
  stepContainers(step, { kind: "daemon-start", bip });
}

/** systemd has started flanneld. */
export function startFlannel(step: HostStep, { environment }: Daemon): void {
  const { containers, config, generator } = step.host;
  if (containers === undefined || config.containers === undefined) return;
  const { watchesLease, keepsPrevious } = config.containers.flannel;
  const margin = Number(environment.FLANNELD_SUBNET_LEASE_RENEW_MARGIN ?? 60);
  containers.flannel = flanneld.create({
    publicIp: environment.FLANNELD_PUBLIC_IP ?? config.address,
    prefix: environment.FLANNELD_ETCD_PREFIX ?? "/coreos.com/network",
    renewMargin: (Number.isInteger(margin) ? margin : 60) * MINUTE,
    watchesLease,
    previous: keepsPrevious ? containers.flannelSubnet : "",
    seed: nextBelow(generator, 0x1_0000_0000),
  });
  stepFlannel(step, { kind: "start" });
}

/** flanneld's process is gone; its lease and docker's bridge stay as they are. */
export function stopFlannel(step: HostStep): void {
  const { containers } = step.host;
  if (containers === undefined) return;
  containers.flannel = null;
  clientGone(step, "flannel");
  for (const timer of ["renew", "retry", "watch"]) {
    armTimer(step, "flannel", { kind: "cancel-timer", timer });
  }
}

export function stepFlannel(step: HostStep, stimulus: FlannelStimulus): void {
  const flannel = step.host.containers?.flannel ?? null;
  if (flannel === null) return;
  const effects: FlannelEffect[] = [];
  flanneld.step(flannel, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performFlannel(step, effect);
}

function performFlannel(step: HostStep, effect: FlannelEffect): void {
  const { containers, daemons } = step.host;
  const pid = [...daemons.values()].find(({ name }) => name === "flanneld")?.pid;
  switch (effect.kind) {
    case "etcd-call":
      callEtcd(step, "flannel", effect);
      return;
    case "write-file": {
      const { path, text } = effect;
      if (path === SUBNET_FILE && containers !== undefined) {
        containers.flannelSubnet = /^FLANNEL_SUBNET=(.*)$/m.exec(text)?.[1] ?? "";
      }
      step.inbox.push({ to: "systemd", stimulus: { kind: "file-changed", path, text } });
      return;
    }
    case "ready":
      if (pid === undefined) return;
      step.inbox.push({ to: "systemd", stimulus: { kind: "process-ready", pid } });
      return;
    case "exit":
      if (pid !== undefined) step.inbox.push({ to: "exit", pid, code: effect.code });
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "flannel", effect);
      return;
    default:
      unreachable(effect);
  }
}

/** systemd has started confd. */
export function startConfd(step: HostStep, argv: readonly string[]): void {
  const { containers } = step.host;
  if (containers === undefined) return;
  const flagOf = (flag: string) => {
    const at = argv.findIndex((arg) => arg.replace(/^--?/, "").split("=")[0] === flag);
    return at < 0 ? undefined : (argv[at]?.split("=")[1] ?? argv[at + 1] ?? "");
  };
  const interval = Number(flagOf("interval") ?? 600);
  containers.confd = confd.create({
    prefix: flagOf("prefix") ?? "/",
    watch: flagOf("watch") !== undefined,
    interval: (Number.isInteger(interval) && interval > 0 ? interval : 600) * SECOND,
  });
  stepConfd(step, { kind: "start" });
}

/** confd's process is gone; the balancer goes on with what it last wrote. */
export function stopConfd(step: HostStep): void {
  const { containers } = step.host;
  if (containers === undefined) return;
  containers.confd = null;
  clientGone(step, "confd");
  armTimer(step, "confd", { kind: "cancel-timer", timer: "read" });
}

export function stepConfd(step: HostStep, stimulus: ConfdStimulus): void {
  const { containers } = step.host;
  if (containers === undefined || containers.confd === null) return;
  const effects: ConfdEffect[] = [];
  confd.step(containers.confd, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) {
    switch (effect.kind) {
      case "etcd-call":
        callEtcd(step, "confd", effect);
        break;
      case "configure":
        containers.backends = effect.backends;
        break;
      case "arm-timer":
      case "cancel-timer":
        armTimer(step, "confd", effect);
        break;
      default:
        unreachable(effect);
    }
  }
}

/** Longest wait of a balancer for its backend. */
export const BACKEND_PATIENCE: Micros = SECOND;
