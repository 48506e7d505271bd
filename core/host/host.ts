import { createGenerator, type Machine, unreachable } from "../kernel/index.js";
import {
  type HostAction,
  type SystemdEffect,
  type SystemdFact,
  type SystemdState,
  type SystemdStimulus,
  systemd,
} from "../systemd/index.js";
import {
  applySlotFlags,
  bootOutcome,
  installedSlots,
  nextBoot,
  UPDATE_ENGINE_SLOTS,
  type UpdateState,
  updateEngine,
  viewSlots,
} from "../update/index.js";
import { cloudInitJobEnded, cloudInitReplied } from "./cloudinit.js";
import { CONTAINER_UNITS, CONTAINER_UNITS_ENABLED } from "./container-units.js";
import { newContainers, stepConfd, stepContainers, stepFlannel } from "./containers.js";
import { armTimer, type HostStep, type Inner, LazyStep } from "./context.js";
import {
  currentDefects,
  defectStrikes,
  drawRange,
  endDaemon,
  exec,
  fleetRequested,
  hangUpUnit,
  holdUnit,
  kill,
  poisoned,
  reap,
  stepFleet,
  stepLocksmith,
} from "./daemons.js";
import { armCallTimers, callOfTimer, etcdAnswered, etcdTimedOut } from "./etcdlink.js";
import {
  discoveryAnswered,
  discoverySilent,
  JOIN_TIMER,
  joinAgain,
  joinCluster,
  receiveClient,
  receivePeer,
  stepDiscovery,
  stepMember,
  tellMembers,
} from "./etcdprocess.js";
import type { HostEffect, HostFact, HostStimulus } from "./events.js";
import { rpcAnswered, rpcCalled } from "./fleetlink.js";
import { concludeProbe, isHealthy, probeAnswered } from "./health.js";
import { type Packet, packetBytes } from "./packet.js";
import { goDown, panic, stopMember } from "./power.js";
import { etcdctlAnswered, programOfTimer, programTimer } from "./programs.js";
import type { HostConfig, HostState } from "./state.js";
import { bootId, mayMarkGood, omahaAnswered, slotWritten, stepUpdate } from "./updater.js";
import { vendorUnits } from "./vendor.js";
import { requestOfTimer, webAnswered, webRequested, webTimedOut } from "./web.js";

/** A host as the installer left it: switched off, one good slot, nothing configured. */
export function createHost(config: HostConfig): HostState {
  const containers = newContainers(config.containers);
  return {
    config,
    power: "off",
    boots: 0,
    slots: installedSlots(config.osVersion),
    running: null,
    files: new Map(),
    member: null,
    systemd: newSystemd(config),
    daemons: new Map(),
    held: [],
    etcd: null,
    fleet: null,
    update: newUpdateEngine(config),
    updateRunning: false,
    locksmith: null,
    cloudInit: null,
    calls: new Map(),
    clients: new Map(),
    nextCall: 1,
    endpoint: config.index,
    probe: null,
    halting: null,
    generator: createGenerator(config.seed, `host ${config.index}`),
    // Last: an engine keeps what comes after a spread in a second place.
    ...(containers === undefined ? {} : { containers }),
  };
}

/** systemd with nothing in /etc. */
function newSystemd(config: HostConfig): SystemdState {
  return systemd.create({ hostname: config.name, machineId: config.machineId });
}

/** update_engine without preferences. */
function newUpdateEngine(config: HostConfig): UpdateState {
  return updateEngine.create({
    appId: APP_ID,
    machineId: config.machineId,
    track: config.update.track,
    enabled: config.updateNode !== null,
    officialServer: true,
    rollbackDetection: false,
    slots: UPDATE_ENGINE_SLOTS,
    ...(config.safeguards.markGoodGate ? { markGoodGate: true } : {}),
    checks: { first: config.update.firstCheck, every: config.update.period },
    seed: config.seed,
  });
}

/** The Omaha id of the OS. */
export const APP_ID = "e96281a6-d1af-4bde-9a0a-97b76e56dc57";

/**
 * One host: firmware and boot loader, systemd, and the daemons systemd starts, wired. What one
 * machine asks of another is handed over within the step, in order; the rest goes to the world.
 */
export const hostMachine: Machine<HostConfig, HostState, HostStimulus, HostFact, HostEffect> = {
  name: "host",
  create: createHost,
  step(host, stimulus, now, out) {
    if (stimulus.kind === "timer" && stimulus.owner === "etcd") {
      // The tick of a quiet member is most of what ever happens: no detours.
      const step = new LazyStep(host, now, out);
      stepMember(step, stimulus);
      if (!step.isAtRest) drain(step);
      return;
    }
    const step = new LazyStep(host, now, out);
    if (stimulus.kind === "packet" && stimulus.packet.kind === "peer") {
      // And so is what members say to each other.
      receivePeer(step, stimulus.packet);
      if (!step.isAtRest) drain(step);
      return;
    }
    receive(step, stimulus);
    drain(step);
  },
};

/** Hands on what the machines have for each other until nothing is left. */
function drain(step: HostStep): void {
  const { inbox } = step;
  for (let i = 0; i < inbox.length; i++) {
    if (i > INNER_MAX) throw new Error(`${step.host.config.name} does not come to rest`);
    handOn(step, inbox[i] as Inner);
  }
  armCallTimers(step);
}

/** More than any step needs; a step that goes on for longer is a loop between two machines. */
const INNER_MAX = 100_000;

function handOn(step: HostStep, inner: Inner): void {
  switch (inner.to) {
    case "systemd":
      stepSystemd(step, inner.stimulus);
      return;
    case "etcd":
      stepMember(step, inner.stimulus);
      return;
    case "fleet":
      stepFleet(step, inner.stimulus);
      return;
    case "update":
      stepUpdate(step, inner.stimulus);
      return;
    case "locksmith":
      stepLocksmith(step, inner.stimulus);
      return;
    case "cloud-init":
      cloudInitReplied(step, inner.reply);
      return;
    case "discovery":
      stepDiscovery(step, inner.stimulus);
      return;
    case "containers":
      stepContainers(step, inner.stimulus);
      return;
    case "flannel":
      stepFlannel(step, inner.stimulus);
      return;
    case "confd":
      stepConfd(step, inner.stimulus);
      return;
    case "program":
      etcdctlAnswered(step, inner.stimulus.id, inner.stimulus.reply);
      return;
    case "exit": {
      const daemon = step.host.daemons.get(inner.pid);
      if (daemon !== undefined) endDaemon(step, daemon, inner.code, null);
      return;
    }
    case "reaper":
      reap(step, inner.pid, inner.code, inner.signal);
      return;
    case "reboot":
      shutDown(step, "reboot", inner.reason);
      return;
    case "host":
      actOnHost(step, inner.stimulus);
      return;
    default:
      unreachable(inner);
  }
}

function receive(step: HostStep, stimulus: HostStimulus): void {
  switch (stimulus.kind) {
    case "packet":
      receivePacket(step, stimulus.from, stimulus.packet);
      return;
    case "timer":
      receiveTimer(step, stimulus);
      return;
    case "disk-synced":
      stepMember(step, stimulus);
      return;
    case "process-exited":
    case "process-ready":
      step.inbox.push({ to: "systemd", stimulus });
      return;
    case "ordered":
      step.inbox.push({ to: "fleet", stimulus });
      return;
    case "manifest":
    case "fetched":
    case "fetch-broken":
      step.inbox.push({ to: "containers", stimulus });
      return;
    case "download-progress":
    case "download-done":
    case "download-failed":
      step.inbox.push({ to: "update", stimulus });
      return;
    case "slot-written":
      slotWritten(step, stimulus);
      return;
    case "power-on":
      loadSlot(step);
      return;
    case "booted":
      kernelUp(step);
      return;
    case "power-loss":
      powerLoss(step, stimulus.survivingWrites, stimulus.diskLost);
      return;
    case "hold-unit":
      holdUnit(step, stimulus.unit);
      return;
    case "install-file":
      installFile(step, stimulus.path, stimulus.text);
      return;
    case "release-unit": {
      const at = step.host.held.indexOf(stimulus.unit);
      if (at >= 0) step.host.held.splice(at, 1);
      return;
    }
    case "clock-changed":
      if (step.host.power === "up") step.inbox.push({ to: "systemd", stimulus });
      return;
    case "systemctl": {
      const { verb, unit } = stimulus;
      if (verb === "sighup") {
        hangUpUnit(step, unit);
        return;
      }
      const request = { call: verb, unit, mode: "replace" } as const;
      // Negative, as fleetd numbers its own calls from 1; nobody hears of the answer.
      const id = -step.host.nextCall++;
      if (step.host.power === "up") {
        step.inbox.push({ to: "systemd", stimulus: { kind: "systemd-call", id, request } });
      }
      return;
    }
    case "operator":
      if (stimulus.action === "reboot") shutDown(step, "reboot", "operator");
      else step.inbox.push({ to: "update", stimulus: { kind: "attempt-update" } });
      return;
    default:
      unreachable(stimulus);
  }
}

/** The file lies on the disk before whatever is done next, a boot included. */
function installFile(step: HostStep, path: string, text: string): void {
  const { host, now } = step;
  host.files.set(path, text);
  const stimulus = { kind: "file-changed", path, text } as const;
  if (host.power === "up") stepSystemd(step, stimulus);
  else systemd.step(host.systemd, stimulus, now, { facts: [], effects: [] });
}

function receivePacket(step: HostStep, from: number, packet: Packet): void {
  switch (packet.kind) {
    case "peer":
      receivePeer(step, packet);
      return;
    case "etcd-request":
    case "etcd-cancel":
    case "etcd-message":
    case "etcd-flow":
      receiveClient(step, from, packet);
      return;
    case "etcd-response":
      etcdAnswered(step, packet.call, packet.reply);
      return;
    case "members-request":
      tellMembers(step, from);
      return;
    case "members-response":
      joinCluster(step, packet);
      return;
    case "omaha-response":
      omahaAnswered(step, packet.id, packet.reply);
      return;
    case "discovery-response":
      discoveryAnswered(step, packet.id, packet.reply);
      return;
    case "health-request": {
      const answer = {
        kind: "health-response",
        call: packet.call,
        healthy: isHealthy(step.host),
      } as const;
      step.out.effects.push({ kind: "send", to: from, packet: answer, bytes: packetBytes(answer) });
      return;
    }
    case "health-response":
      probeAnswered(step, from, packet.call, packet.healthy);
      return;
    case "poison":
      poisoned(step, packet.process, packet.code);
      return;
    case "fleet-request":
      fleetRequested(step, from, packet);
      return;
    case "fleet-rpc":
      rpcCalled(step, from, packet);
      return;
    case "fleet-rpc-reply":
      rpcAnswered(step, packet.call, packet.reply);
      return;
    case "fleet-rpc-closed":
      if (step.host.fleet !== null) {
        stepFleet(step, { kind: "rpc-closed", address: packet.address });
      }
      return;
    case "web-request":
      webRequested(step, from, packet);
      return;
    case "web-response":
      webAnswered(step, packet);
      return;
    case "omaha-request":
    case "discovery-request":
    case "discovery-hangup":
    case "fleet-response":
      // Meant for a service, an operator or a client; a host does not answer.
      return;
    default:
      unreachable(packet);
  }
}

function receiveTimer(step: HostStep, stimulus: HostStimulus & { kind: "timer" }): void {
  const { owner, timer } = stimulus;
  const fired = { kind: "timer", timer } as const;
  switch (owner) {
    case "etcd":
      stepMember(step, fired);
      return;
    case "systemd":
      stepSystemd(step, fired);
      return;
    case "fleet":
      stepFleet(step, fired);
      return;
    case "update":
      if (timer === "mark-good" && !mayMarkGood(step.host)) {
        shutDown(step, "reboot", "not healthy when the slot was to be marked good");
      } else {
        stepUpdate(step, fired);
      }
      return;
    case "locksmith":
      stepLocksmith(step, fired);
      return;
    case "discovery":
      stepDiscovery(step, fired);
      return;
    case "host":
      hostTimer(step, timer);
      return;
    case "container":
      stepContainers(step, fired);
      return;
    case "flannel":
      stepFlannel(step, fired);
      return;
    case "confd":
      stepConfd(step, fired);
      return;
    default:
      unreachable(owner);
  }
}

function hostTimer(step: HostStep, timer: string): void {
  const call = callOfTimer(timer);
  const program = programOfTimer(timer);
  const request = requestOfTimer(timer);
  if (call !== null) etcdTimedOut(step, call);
  else if (program !== null) programTimer(step, program);
  else if (request !== null) webTimedOut(step, request);
  else if (timer.startsWith("defect:")) defectStrikes(step, timer);
  else if (timer.startsWith("omaha:")) omahaAnswered(step, Number(timer.slice(6)), null);
  else if (timer.startsWith("discovery:")) {
    discoverySilent(step, Number(timer.slice(10)));
  } else if (timer === JOIN_TIMER) joinAgain(step);
  else if (timer === "probe") concludeProbe(step);
  else if (timer === "panic") panic(step);
}

/** Firmware and boot loader: choose a slot, use up a try, load the kernel. */
function loadSlot(step: HostStep): void {
  const { host, out } = step;
  if (host.power !== "off") return;
  const choice = nextBoot(host.slots);
  if (choice !== null) applySlotFlags(host.slots, choice.changes);
  const outcome = bootOutcome(host.slots, choice);
  switch (outcome.boot) {
    case "up":
      host.power = "booting";
      host.running = outcome.slot;
      out.effects.push({ kind: "booting", version: outcome.version });
      armPanic(step);
      return;
    case "broken":
      out.facts.push({ kind: "host.down", reason: "broken-image" });
      out.effects.push({ kind: "reset" });
      return;
    case "no-slot":
      out.facts.push({ kind: "host.down", reason: "no-bootable-slot" });
      return;
    default:
      unreachable(outcome);
  }
}

function armPanic(step: HostStep): void {
  for (const defect of currentDefects(step)) {
    if (defect.kind !== "panic-on-boot") continue;
    const delay = drawRange(step, defect.after);
    armTimer(step, "host", { kind: "arm-timer", timer: "panic", delay });
  }
}

function kernelUp(step: HostStep): void {
  const { host, out } = step;
  if (host.power !== "booting" || host.running === null) return;
  host.power = "up";
  host.boots++;
  const version = host.slots[host.running].version ?? "";
  out.facts.push({ kind: "host.up", version, slot: host.running, boot: host.boots });
  out.facts.push({ kind: "update.slots", running: host.running, slots: viewSlots(host.slots) });
  stepSystemd(step, {
    kind: "boot",
    defaultTarget: "multi-user.target",
    bootId: bootId(step),
    vendorUnits: [
      ...vendorUnits(host.config.oemConfig !== undefined),
      ...(host.containers === undefined ? [] : CONTAINER_UNITS),
    ],
    ...(host.containers === undefined ? {} : { vendorEnabled: CONTAINER_UNITS_ENABLED }),
  });
}

/** `systemctl reboot`, or poweroff: everything is stopped in order first. */
function shutDown(step: HostStep, end: "reboot" | "power-off", reason: string): void {
  if (step.host.power !== "up" || step.host.halting !== null) return;
  beginHalt(step, end, reason);
  stepSystemd(step, { kind: "shutdown" });
}

function beginHalt(step: HostStep, end: "reboot" | "power-off", reason: string): void {
  step.host.halting = end;
  const kind = end === "reboot" ? "host.rebooting" : "host.powering-off";
  step.out.facts.push({ kind, reason });
}

/** FailureAction= and its kin. By force nothing is stopped first; at once not even the disks are synced. */
function actOnHost(step: HostStep, { action, unit, by }: HostAction): void {
  if (step.host.power !== "up") return;
  const [word = "", how = ""] = action.split("-");
  const end = word === "reboot" ? "reboot" : "power-off";
  const reason = `${by}=${action} of ${unit}`;
  if (how === "") {
    shutDown(step, end, reason);
    return;
  }
  beginHalt(step, end, reason);
  stopMember(step, how === "immediate" ? 0 : Number.MAX_SAFE_INTEGER);
  goDown(step, end);
}

function powerLoss(step: HostStep, survivingWrites: number, lost: boolean): void {
  const { host } = step;
  if (host.power !== "off") {
    stopMember(step, survivingWrites);
    goDown(step, "power-loss");
  }
  if (!lost) return;
  host.member = null;
  host.files.clear();
  host.systemd = newSystemd(host.config);
  host.update = newUpdateEngine(host.config);
  const containers = newContainers(host.config.containers);
  if (containers !== undefined) host.containers = containers;
}

function stepSystemd(step: HostStep, stimulus: SystemdStimulus): void {
  const { host, out } = step;
  if (host.power !== "up") return;
  const facts: SystemdFact[] = [];
  const effects: SystemdEffect[] = [];
  systemd.step(host.systemd, stimulus, step.now, { facts, effects });
  for (const fact of facts) out.facts.push(fact);
  for (const effect of effects) performSystemd(step, effect);
  for (const fact of facts) {
    if (fact.kind === "systemd.job") cloudInitJobEnded(step, fact.unit);
  }
}

function performSystemd(step: HostStep, effect: SystemdEffect): void {
  switch (effect.kind) {
    case "exec":
      exec(step, effect);
      return;
    case "kill":
      kill(step, effect);
      return;
    case "systemd-reply":
      if (step.host.cloudInit?.call === effect.id) {
        step.inbox.push({ to: "cloud-init", reply: effect });
      } else {
        step.inbox.push({ to: "fleet", stimulus: effect });
      }
      return;
    case "unit-changed":
      step.inbox.push({ to: "fleet", stimulus: effect });
      return;
    case "host-action":
      step.inbox.push({ to: "host", stimulus: effect });
      return;
    case "shutdown-complete":
      goDown(step, step.host.halting ?? "reboot");
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "systemd", effect);
      return;
    default:
      unreachable(effect);
  }
}
