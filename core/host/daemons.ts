import { isDaemon } from "../container/index.js";
import {
  FLEET_DEFAULTS,
  type FleetConfig,
  type FleetEffect,
  type FleetHttpReply,
  type FleetStimulus,
  fleetd,
} from "../fleet/index.js";
import { globMatches, type Micros, nextBetween, unreachable } from "../kernel/index.js";
import type { ExecProcess, KillProcess } from "../systemd/process.js";
import {
  type LocksmithEffect,
  type LocksmithStimulus,
  locksmithd,
  type RebootStrategy,
  UTC_TABLE,
} from "../update/index.js";
import { startCloudInit } from "./cloudinit.js";
import {
  startConfd,
  startDockerd,
  startFlannel,
  stepContainers,
  stopConfd,
  stopFlannel,
} from "./containers.js";
import { armTimer, type HostStep } from "./context.js";
import { callEtcd, cancelEtcd, clientGone } from "./etcdlink.js";
import { startEtcd, stopEtcd } from "./etcdprocess.js";
import { answerCall, callEngine, hangUp } from "./fleetlink.js";
import { askQuorum } from "./health.js";
import { type Packet, packetBytes } from "./packet.js";
import { exitProgram, runProgram, signalProgram } from "./programs.js";
import type { Daemon, DaemonName, HostDefect } from "./state.js";
import { startUpdateEngine, stopUpdateEngine } from "./updater.js";

const PROGRAMS: Readonly<Record<string, DaemonName>> = {
  etcd: "etcd",
  etcd2: "etcd",
  fleetd: "fleetd",
  update_engine: "update_engine",
  locksmithd: "locksmithd",
  "coreos-cloudinit": "coreos-cloudinit",
};

/** Those of a host with container engines. */
const CONTAINER_PROGRAMS: Readonly<Record<string, DaemonName>> = {
  dockerd: "dockerd",
  flanneld: "flanneld",
  confd: "confd",
};

function daemonOf({ host }: HostStep, { argv }: ExecProcess): DaemonName | undefined {
  const [path = "", ...args] = argv;
  const program = path.slice(path.lastIndexOf("/") + 1);
  if (host.containers === undefined) return PROGRAMS[program];
  if (program === "docker" && isDaemon(args)) return "dockerd";
  return PROGRAMS[program] ?? CONTAINER_PROGRAMS[program];
}

/** systemd starts a process: a daemon that is modelled here, or a program of the world's. */
export function exec(step: HostStep, child: ExecProcess): void {
  const { host } = step;
  const name = daemonOf(step, child);
  if (host.held.includes(child.unit)) {
    reap(step, child.pid, null, "SIGKILL");
    return;
  }
  armDefects(step, child, name);
  if (name === undefined || child.role !== "main") {
    if (!runProgram(step, child)) step.out.effects.push(child);
    return;
  }
  const { pid, unit, environment } = child;
  const daemon: Daemon = { name, pid, unit, environment };
  host.daemons.set(pid, daemon);
  start(step, daemon, child.argv);
}

/** A signal for a process. A modelled daemon takes SIGTERM in its own way. */
export function kill(step: HostStep, effect: KillProcess): void {
  const daemon = step.host.daemons.get(effect.pid);
  if (daemon === undefined) {
    if (!signalProgram(step, effect.pid, effect.signal)) step.out.effects.push(effect);
    return;
  }
  if (daemon.name === "dockerd") {
    stepContainers(step, { kind: "daemon-signal", signal: effect.signal });
    return;
  }
  if (effect.signal === "SIGHUP") {
    if (daemon.name === "fleetd" && step.host.fleet !== null) stepFleet(step, { kind: "hang-up" });
    return;
  }
  if (daemon.name === "fleetd" && effect.signal === "SIGTERM" && step.host.fleet !== null) {
    stepFleet(step, { kind: "stop", signal: "SIGTERM" });
    return;
  }
  endDaemon(step, daemon, null, effect.signal);
}

/** `systemctl kill --signal=HUP`: every process of a unit gets the signal. */
export function hangUpUnit(step: HostStep, unit: string): void {
  for (const { pid, unit: of } of [...step.host.systemd.processes.values()]) {
    if (of === unit) kill(step, { kind: "kill", pid, signal: "SIGHUP" });
  }
}

/** A modelled daemon's process ends: its machine is dropped and systemd hears of it. */
export function endDaemon(
  step: HostStep,
  daemon: Daemon,
  code: number | null,
  signal: string | null,
): void {
  const { host } = step;
  switch (daemon.name) {
    case "etcd":
      stopEtcd(step);
      break;
    case "fleetd":
      if (host.fleet !== null) stepFleet(step, { kind: "stop", signal: "SIGKILL" });
      fleetGone(step);
      break;
    case "update_engine":
      stopUpdateEngine(step);
      break;
    case "locksmithd":
      host.locksmith = null;
      clientGone(step, "locksmith");
      break;
    case "coreos-cloudinit":
      host.cloudInit = null;
      break;
    case "dockerd":
      // It is gone before the engines hear of it, so that its end is told once.
      host.daemons.delete(daemon.pid);
      stepContainers(step, { kind: "daemon-signal", signal: "SIGKILL" });
      break;
    case "flanneld":
      stopFlannel(step);
      break;
    case "confd":
      stopConfd(step);
      break;
    default:
      unreachable(daemon.name);
  }
  reap(step, daemon.pid, code, signal);
}

/** Nobody waits for what fleetd has asked. */
function fleetGone(step: HostStep): void {
  step.host.fleet = null;
  step.host.rpcs?.clear();
  clientGone(step, "fleet");
}

/** Tells systemd of an exit, once. */
export function reap(
  step: HostStep,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  step.host.daemons.delete(pid);
  step.inbox.push({ to: "systemd", stimulus: { kind: "process-exited", pid, code, signal } });
}

export function daemonNamed(step: HostStep, name: DaemonName): Daemon | null {
  for (const daemon of step.host.daemons.values()) {
    if (daemon.name === name) return daemon;
  }
  return null;
}

export function stepFleet(step: HostStep, stimulus: FleetStimulus): void {
  const { fleet } = step.host;
  if (fleet === null) return;
  const effects: FleetEffect[] = [];
  fleetd.step(fleet, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performFleet(step, effect);
}

export function stepLocksmith(step: HostStep, stimulus: LocksmithStimulus): void {
  const { locksmith } = step.host;
  if (locksmith === null) return;
  const effects: LocksmithEffect[] = [];
  locksmithd.step(locksmith, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performLocksmith(step, effect);
}

/** A client of fleet's API has sent a request. */
export function fleetRequested(
  step: HostStep,
  from: number,
  { call, request }: Packet & { readonly kind: "fleet-request" },
): void {
  const client = { from, call };
  if (step.host.fleet !== null) stepFleet(step, { kind: "http-request", client, request });
  else answerFleetClient(step, { client, response: { kind: "refused" } });
}

function answerFleetClient(
  step: HostStep,
  { client, response }: Pick<FleetHttpReply, "client" | "response">,
): void {
  const packet = { kind: "fleet-response", call: client.call, response } as const;
  step.out.effects.push({ kind: "send", to: client.from, packet, bytes: packetBytes(packet) });
}

function start(step: HostStep, daemon: Daemon, argv: readonly string[]): void {
  const { host } = step;
  switch (daemon.name) {
    case "etcd":
      startEtcd(step, daemon);
      return;
    case "fleetd":
      host.fleet = fleetd.create(fleetConfig(step, daemon));
      stepFleet(step, { kind: "start" });
      return;
    case "update_engine":
      startUpdateEngine(step);
      return;
    case "locksmithd":
      host.locksmith = locksmithd.create({
        strategy: rebootStrategy(daemon.environment.REBOOT_STRATEGY),
        holder: host.config.machineId,
        group: daemon.environment.LOCKSMITHD_GROUP ?? "",
        windowStart: window(daemon, "START"),
        windowLength: window(daemon, "LENGTH"),
        zone: UTC_TABLE,
        epoch: 0,
        loginDelay: false,
        etcdActive: host.etcd !== null,
        etcdTimeout: 5_000_000,
        healthGate: host.config.safeguards.rebootHealthGate,
        quorumGate: host.config.safeguards.quorumGate,
      });
      stepLocksmith(step, { kind: "start", status: host.update.status });
      return;
    case "coreos-cloudinit":
      startCloudInit(step, daemon);
      return;
    case "dockerd":
      startDockerd(step, daemon);
      return;
    case "flanneld":
      startFlannel(step, daemon);
      return;
    case "confd":
      startConfd(step, argv);
      return;
    default:
      unreachable(daemon.name);
  }
}

function performFleet(step: HostStep, effect: FleetEffect): void {
  switch (effect.kind) {
    case "etcd-call":
      callEtcd(step, "fleet", effect);
      return;
    case "etcd-cancel":
      cancelEtcd(step, "fleet", effect);
      return;
    case "systemd-call":
      step.inbox.push({ to: "systemd", stimulus: effect });
      return;
    case "order":
      step.out.effects.push(effect);
      return;
    case "http-response":
      answerFleetClient(step, effect);
      return;
    case "rpc-call":
      callEngine(step, effect);
      return;
    case "rpc-response":
      answerCall(step, effect.client, effect.reply);
      return;
    case "rpc-hangup":
      hangUp(step, effect.peer);
      return;
    case "exit": {
      const daemon = daemonNamed(step, "fleetd");
      fleetGone(step);
      if (daemon !== null) reap(step, daemon.pid, effect.code, null);
      return;
    }
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "fleet", effect);
      return;
    default:
      unreachable(effect);
  }
}

function performLocksmith(step: HostStep, effect: LocksmithEffect): void {
  switch (effect.kind) {
    case "etcd-call":
      callEtcd(step, "locksmith", effect);
      return;
    case "reboot":
      step.inbox.push({ to: "reboot", reason: effect.reason });
      return;
    case "quorum-check":
      askQuorum(step);
      return;
    case "exit": {
      const daemon = daemonNamed(step, "locksmithd");
      step.host.locksmith = null;
      clientGone(step, "locksmith");
      if (daemon !== null) reap(step, daemon.pid, effect.code, null);
      return;
    }
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "locksmith", effect);
      return;
    default:
      unreachable(effect);
  }
}

function fleetConfig(step: HostStep, daemon: Daemon): FleetConfig {
  const { config } = step.host;
  const { environment } = daemon;
  const metadata = parseMetadata(environment.FLEET_METADATA ?? "");
  return {
    ...FLEET_DEFAULTS,
    machineId: config.machineId,
    publicIp: environment.FLEET_PUBLIC_IP ?? config.address,
    metadata: { ...metadata, ...config.metadata },
    agentTtl: config.fleet.agentTtl,
    engineReconcileInterval: config.fleet.engineReconcile,
    etcdRequestTimeout: config.fleet.etcdRequestTimeout,
    disableEngine: environment.FLEET_DISABLE_ENGINE === "true",
    enableGrpc: config.fleet.enableGrpc || environment.FLEET_ENABLE_GRPC === "true",
    profile: config.fleet.profile,
  };
}

/** fleet.conf's `metadata`: `k=v,k2=v2`, trimmed. */
function parseMetadata(text: string): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at > 0) metadata[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return metadata;
}

function rebootStrategy(text: string | undefined): RebootStrategy {
  switch (text) {
    case undefined:
    case "":
      return "reboot";
    case "reboot":
    case "etcd-lock":
    case "off":
    case "best-effort":
      return text;
    default:
      return "unknown";
  }
}

function window(daemon: Daemon, part: "START" | "LENGTH"): string {
  const { environment } = daemon;
  return (
    environment[`LOCKSMITHD_REBOOT_WINDOW_${part}`] ?? environment[`REBOOT_WINDOW_${part}`] ?? ""
  );
}

/** Arms what the running release does wrong with this process. */
function armDefects(step: HostStep, child: ExecProcess, name: DaemonName | undefined): void {
  if (child.role !== "main") return;
  for (const [index, defect] of currentDefects(step).entries()) {
    if (defect.kind === "panic-on-boot" || !strikes(defect.target, child.unit, name)) continue;
    const delay = drawRange(step, defect.after);
    const timer = `defect:${index}:${child.pid}:${child.unit}`;
    armTimer(step, "host", { kind: "arm-timer", timer, delay });
  }
}

/** A defect's time has come; a process that ended before takes its defects with it. */
export function defectStrikes(step: HostStep, timer: string): void {
  const [, index, pid, unit] = timer.split(":");
  const defect = currentDefects(step)[Number(index)];
  if (defect === undefined || defect.kind === "panic-on-boot" || unit === undefined) return;
  const { host, out } = step;
  if (!host.systemd.processes.has(Number(pid))) return;
  out.facts.push({ kind: "host.defect", defect: defect.kind, unit });
  if (defect.kind === "crash-peers") {
    const packet = { kind: "poison", process: defect.target, code: defect.code } as const;
    for (const node of Object.values(host.config.directory)) {
      if (node === host.config.index) continue;
      out.effects.push({ kind: "send", to: node, packet, bytes: 200 });
    }
    return;
  }
  endProcess(step, Number(pid), defect.code, null);
}

/** Ends a process at once, a modelled daemon or a program of the world's. */
function endProcess(step: HostStep, pid: number, code: number | null, signal: string | null): void {
  const daemon = step.host.daemons.get(pid);
  if (daemon !== undefined) {
    endDaemon(step, daemon, code, signal);
    return;
  }
  const isProgram =
    code === null ? signalProgram(step, pid, signal ?? "SIGKILL") : exitProgram(step, pid, code);
  if (isProgram) return;
  step.out.effects.push({ kind: "kill", pid, signal: "SIGKILL" });
  reap(step, pid, code, signal);
}

/** Kills what runs of a unit and keeps it from starting. */
export function holdUnit(step: HostStep, unit: string): void {
  const { host } = step;
  host.held.push(unit);
  for (const { pid, unit: of } of [...host.systemd.processes.values()]) {
    if (of === unit) endProcess(step, pid, null, "SIGKILL");
  }
}

/** Another host's defect ends the same process here. */
export function poisoned(step: HostStep, process: string, code: number): void {
  const { host, out } = step;
  for (const { pid, unit, role } of [...host.systemd.processes.values()]) {
    if (role !== "main" || !strikes(process, unit, host.daemons.get(pid)?.name)) continue;
    out.facts.push({ kind: "host.defect", defect: "poisoned", unit });
    endProcess(step, pid, code, null);
  }
}

/** Defects of the release that runs. */
export function currentDefects(step: HostStep): readonly HostDefect[] {
  const { running, slots, config } = step.host;
  const version = running === null ? null : slots[running].version;
  return version === null ? [] : (config.defects[version] ?? []);
}

export function drawRange(step: HostStep, range: readonly [Micros, Micros]): Micros {
  const [low, high] = range;
  return low >= high ? low : nextBetween(step.host.generator, low, high);
}

function strikes(target: string, unit: string, name: DaemonName | undefined): boolean {
  const bare = unit.replace(/\.[a-z]+$/, "");
  return [unit, bare, name ?? ""].some((candidate) => globMatches(target, candidate));
}
