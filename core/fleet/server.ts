import type { EtcdReply } from "../etcd/client.js";
import { MINUTE, SECOND } from "../kernel/index.js";
import type { SystemdReply } from "../systemd/client.js";
import { runAgent } from "./agent.js";
import { presenceOf } from "./config.js";
import { isLeading } from "./engine-lease.js";
import { haltEngine, runEngine } from "./engine-loop.js";
import type { RegistryReply } from "./grpc-calls.js";
import { beatCall, callRegistry } from "./grpc-client.js";
import { lookForEngine } from "./grpc-connector.js";
import { exit, takeBackEverything } from "./process.js";
import {
  clearHeartbeat,
  deleteMachine,
  heartbeat,
  isNotFound,
  releaseLease,
  removeUnitState,
  renewHeartbeat,
  writeMachine,
} from "./registry.js";
import type { PurgeStep } from "./state.js";
import {
  arm,
  callEtcd,
  callSystemd,
  disarm,
  fixesOf,
  forget,
  republishInterval,
  type Step,
  ttlSeconds,
} from "./step.js";
import { parseUnit } from "./unit-file.js";
import { recognizedUnitType } from "./unit-name.js";
import { republish, startGenerator, stopPublishing, templateBlinds } from "./unit-states.js";
import { beginWatching } from "./watch.js";

/** fleet panics when its components have not ended by then. */
const SHUTDOWN_LIMIT = MINUTE;

/** The process starts: it reads back the unit files that an earlier one left. */
export function startProcess(step: Step): void {
  const { state } = step;
  if (state.phase !== "down") return;
  state.phase = "starting";
  callSystemd(step, "start", { call: "read-units", directory: state.config.unitsDirectory });
}

/** The unit files are there, or fleetd cannot start. */
export function unitFilesRead(step: Step, reply: SystemdReply): void {
  if (!reply.ok || reply.call !== "files") {
    exit(step, 1);
    return;
  }
  for (const { name, text } of reply.files) {
    if (!recognizedUnitType(name)) continue;
    const parsed = parseUnit(text);
    if (!parsed.ok) {
      exit(step, 1);
      return;
    }
    step.state.agent.files.set(name, parsed.unit.hash);
  }
  lookForEngine(step);
  beginRegistering(step);
}

function beginRegistering(step: Step): void {
  step.state.phase = "registering";
  step.state.server.backoff = SECOND;
  register(step);
}

/**
 * A first start must not find its machine in the registry; a restart takes it back. What this host
 * itself wrote is its own to take, in profile `fixed`.
 */
function register(step: Step): void {
  const { restarted } = step.state.server;
  const takesBack = restarted || fixesOf(step).presenceIsOwn;
  step.state.server.presenceSentAt = step.now;
  writePresence(step, takesBack ? "register" : "register-create", takesBack);
}

/** The wait after a failed try is over. */
export function registerAgain(step: Step): void {
  register(step);
}

function writePresence(
  step: Step,
  owner: "register" | "register-create" | "beat" | "beat-create",
  exists: boolean,
): void {
  const { state } = step;
  const { config } = state;
  const { presenceIsOwn, patientBeats } = fixesOf(step);
  const condition = exists && presenceIsOwn ? "same" : exists;
  const write = writeMachine(config.keyPrefix, presenceOf(config), ttlSeconds(state), condition);
  const third = Math.floor(config.agentTtl / 3);
  callEtcd(step, owner, write, patientBeats ? third : config.etcdRequestTimeout);
}

/** The answer to an attempt to register. */
export function registerReplied(step: Step, reply: EtcdReply, created: boolean): void {
  const { state } = step;
  const { server } = state;
  if (reply.ok) {
    presenceHeld(step);
    step.out.facts.push({ kind: "fleet.registered", machine: state.config.machineId });
    startComponents(step);
  } else if (!created) {
    writePresence(step, "register-create", false);
  } else {
    arm(step, "register", server.backoff);
    server.backoff = Math.min(2 * server.backoff, MINUTE);
  }
}

/** Presence is good until its TTL after it began to be written; `fixed` stops the units before that. */
function presenceHeld(step: Step): void {
  const { config, server } = step.state;
  server.fenced = false;
  if (!fixesOf(step).fences) return;
  const deadline = server.presenceSentAt + Math.floor((config.agentTtl * 5) / 6);
  arm(step, "fence", Math.max(0, deadline - step.now));
}

export function startComponents(step: Step): void {
  const { state } = step;
  const { config } = state;
  state.phase = "running";
  state.server.hearsSignals = true;
  state.server.restarted = false;
  arm(step, "beat", Math.floor(config.agentTtl / 2));
  arm(step, "heartbeat", republishInterval(state));
  arm(step, "republish", republishInterval(state));
  startGenerator(step);
  beginWatching(step);
  runAgent(step);
  if (!config.disableEngine) runEngine(step);
}

/** The monitor's tick: a round of beats begins, or follows the one under way. */
export function monitorTick(step: Step): void {
  const { config, server } = step.state;
  arm(step, "beat", Math.floor(config.agentTtl / 2));
  if (server.beating) server.beatDue = true;
  else beginBeating(step);
}

function beginBeating(step: Step): void {
  const { config, server } = step.state;
  server.beating = true;
  server.beatDue = false;
  server.beatLimitPassed = false;
  server.presenceSentAt = step.now;
  arm(step, "beat-limit", Math.floor(config.agentTtl / 3));
  beat(step);
}

/** One beat of the round. A patient one may be followed by another before its answer is there. */
export function beat(step: Step): void {
  writePresence(step, "beat", true);
  if (fixesOf(step).patientBeats) armBeat(step);
}

function armBeat(step: Step): void {
  arm(step, "beat-retry", Math.floor(step.state.config.agentTtl / 12));
}

export function beatReplied(step: Step, reply: EtcdReply, created: boolean): void {
  const { server } = step.state;
  const { patientBeats } = fixesOf(step);
  if (reply.ok) {
    disarm(step, "beat-limit");
    disarm(step, "beat-retry");
    forget(step, "beat");
    forget(step, "beat-create");
    presenceHeld(step);
    server.beating = false;
    if (server.beatDue) beginBeating(step);
  } else if (!created && (!patientBeats || isNotFound(reply))) {
    writePresence(step, "beat-create", false);
  } else if (server.beatLimitPassed) {
    if (!isBeatUnderWay(step)) loseNode(step);
  } else if (!patientBeats) {
    armBeat(step);
  }
}

/** The round is over. A beat under way may still save it. */
export function beatLimit(step: Step): void {
  step.state.server.beatLimitPassed = true;
  disarm(step, "beat-retry");
  if (!isBeatUnderWay(step)) loseNode(step);
}

function isBeatUnderWay({ state }: Step): boolean {
  return [...state.calls.values()].some((owner) => owner === "beat" || owner === "beat-create");
}

/** The monitor gives up: components stop, units go on, and the server registers again. */
function loseNode(step: Step): void {
  const { state } = step;
  disarm(step, "beat-retry");
  step.out.facts.push({ kind: "fleet.presence-lost", machine: state.config.machineId });
  state.phase = "stopping";
  state.server.beating = false;
  stopComponents(step);
  arm(step, "shutdown", SHUTDOWN_LIMIT);
}

function stopComponents(step: Step): void {
  for (const timer of [
    "beat",
    "heartbeat",
    "agent",
    "engine",
    "generate",
    "republish",
    "watch",
  ] as const) {
    disarm(step, timer);
  }
  forget(step, "watch");
  forget(step, "generate");
  stopPublishing(step);
  haltEngine(step);
}

/** After the monitor gave up, the server starts over once the last pass has ended; asked after every step. */
export function componentsMayHaveEnded(step: Step): void {
  const { state } = step;
  if (state.phase !== "stopping") return;
  if (state.agent.step !== "idle" || state.engine.step !== "idle") return;
  disarm(step, "shutdown");
  state.server.restarted = true;
  beginRegistering(step);
}

/** The components did not end in time; fleet panics, and its units run on. */
export function shutdownLimit(step: Step): void {
  exit(step, 2);
}

/** Profile `fixed`: another machine may soon be given the units, so they stop here first. */
export function fence(step: Step): void {
  const { agent, server, config } = step.state;
  server.fenced = true;
  agent.upToDate = false;
  let units = 0;
  for (const [unit, state] of agent.cache) {
    if (state !== "launched") continue;
    units++;
    agent.cache.set(unit, "loaded");
    callSystemd(step, null, { call: "stop", unit, mode: "replace" });
  }
  step.out.facts.push({ kind: "fleet.fenced", machine: config.machineId, units });
}

/** The heartbeat of every launched unit. */
export function heartbeatJobs(step: Step): void {
  const { agent, config } = step.state;
  arm(step, "heartbeat", republishInterval(step.state));
  const ttl = ttlSeconds(step.state);
  for (const [unit, state] of agent.cache) {
    if (state !== "launched") continue;
    if (fixesOf(step).quietHeartbeats) {
      const renewal = renewHeartbeat(config.keyPrefix, unit, config.machineId, ttl);
      agent.renewals.set(callEtcd(step, "heartbeat", renewal), unit);
    } else callRegistry(step, null, beatCall(step, unit));
  }
}

/** A heartbeat that was not there to be renewed is written. */
export function heartbeatReplied(step: Step, id: number, reply: EtcdReply): void {
  const { agent, config } = step.state;
  const unit = agent.renewals.get(id);
  agent.renewals.delete(id);
  if (unit === undefined || agent.cache.get(unit) !== "launched") return;
  if (reply.ok || "unreachable" in reply) return;
  const ttl = ttlSeconds(step.state);
  callEtcd(step, null, heartbeat(config.keyPrefix, unit, config.machineId, ttl));
}

/** The republish tick of unit states. */
export function republishTick(step: Step): void {
  arm(step, "republish", republishInterval(step.state));
  republish(step);
}

/**
 * SIGTERM: units are unloaded, states and presence removed, the lease released. fleet 1.0 handles no
 * signals before it has registered for the first time.
 */
export function terminate(step: Step): void {
  const { state } = step;
  if (state.phase === "down" || state.phase === "purging") return;
  if (!state.server.hearsSignals && !fixesOf(step).fences) {
    killedBySignal(step);
    return;
  }
  const purge = purgeSteps(step);
  takeBackEverything(step);
  state.phase = "purging";
  state.server.purge = purge;
  nextPurgeStep(step);
}

/**
 * SIGKILL: the process is gone; what it set in motion runs on. With fencing, fleet.service has an
 * `ExecStopPost=` that stops the units, as nobody is left to do it in time.
 */
export function killProcess(step: Step): void {
  const { phase, agent } = step.state;
  if (phase === "down") return;
  if (fixesOf(step).fences) {
    for (const unit of agent.files.keys())
      callSystemd(step, null, { call: "stop", unit, mode: "replace" });
  }
  exit(step, 137);
}

/** A signal that nobody handles ends the process; systemd takes SIGTERM and SIGHUP for a clean end. */
export function killedBySignal(step: Step): void {
  exit(step, 0);
}

function purgeSteps(step: Step): PurgeStep[] {
  const { state } = step;
  const { config, agent, publisher, engine } = state;
  const { keyPrefix, machineId } = config;
  const own = fixesOf(step).clearsOnlyOwn ? machineId : null;
  const steps: PurgeStep[] = [];
  const units = templateBlinds(step, agent.files.keys()) ? [] : [...agent.files.keys()].sort();
  for (const unit of units) {
    const clear = clearHeartbeat(keyPrefix, unit, own);
    const rpc = { rpc: "ClearUnitHeartbeat", unit } as const;
    steps.push({ kind: "registry", call: { rpc, etcd: clear } });
    steps.push({ kind: "stop", unit }, { kind: "remove", unit });
  }
  for (const unit of publisher.cache.keys()) {
    const [first, ...others] = removeUnitState(keyPrefix, unit, own);
    const rpc = { rpc: "RemoveUnitState", unit } as const;
    if (first !== undefined) steps.push({ kind: "registry", call: { rpc, etcd: first } });
    for (const request of others) steps.push({ kind: "etcd", request });
  }
  if (isLeading(state) && engine.lease !== null) {
    steps.push({ kind: "etcd", request: releaseLease(keyPrefix, engine.lease.index) });
  }
  steps.push({ kind: "etcd", request: deleteMachine(keyPrefix, machineId) });
  return steps;
}

function nextPurgeStep(step: Step): void {
  const { server, config } = step.state;
  const [next] = server.purge;
  if (next === undefined) {
    exit(step, 0);
    return;
  }
  switch (next.kind) {
    case "etcd":
      callEtcd(step, "purge", next.request);
      return;
    case "registry":
      callRegistry(step, "purge", next.call);
      return;
    case "stop":
      callSystemd(step, "purge", { call: "stop", unit: next.unit, mode: "replace" });
      return;
    case "remove":
      callSystemd(step, "purge", {
        call: "remove-unit",
        unit: next.unit,
        directory: config.unitsDirectory,
      });
  }
}

/** Errors do not hold a purge up, but a unit that did not stop keeps its file. */
export function purgeReplied(step: Step, reply: RegistryReply | SystemdReply): void {
  const { server, agent } = step.state;
  const done = server.purge.shift();
  if (done?.kind === "stop" && !reply.ok) server.purge.shift();
  if (done?.kind === "remove") {
    agent.files.delete(done.unit);
    const reason = "purging agent";
    step.out.facts.push({ kind: "fleet.task", task: "UnloadUnit", unit: done.unit, reason });
  }
  const [next] = server.purge;
  if (done?.kind === "registry" && done.call.rpc.rpc === "RemoveUnitState") {
    // It stops at the first error, and one call does it all over gRPC.
    const over = "rpc" in reply || (!reply.ok && !isNotFound(reply as EtcdReply));
    if (over && next?.kind === "etcd" && next.request.key.includes("/states/")) {
      server.purge.shift();
    }
  }
  nextPurgeStep(step);
}
