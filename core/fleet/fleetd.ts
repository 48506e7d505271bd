import type { EtcdReplied } from "../etcd/client.js";
import { type Machine, type TimerFired, unreachable, without } from "../kernel/index.js";
import type { SystemdReplied } from "../systemd/client.js";
import { agentReplied, runAgent } from "./agent.js";
import { apiReplied, hearRequest } from "./api-server.js";
import type { FleetConfig } from "./config.js";
import { noteStatus } from "./endings.js";
import { isLeading } from "./engine-lease.js";
import { engineMayGoOn, engineReplied, ordered, runEngine, stealOver } from "./engine-loop.js";
import type {
  FleetEffect,
  FleetFact,
  FleetRpcClosed,
  FleetRpcReplied,
  FleetStimulus,
} from "./events.js";
import type { RegistryReply } from "./grpc-calls.js";
import { callAnswered, callsDue, type FinishedCall, hungUp } from "./grpc-client.js";
import { connectorReplied, lookForEngine } from "./grpc-connector.js";
import { changeReplied } from "./grpc-mux.js";
import { hearCall, serverReplied } from "./grpc-server.js";
import { askToEnd, hangUp, registerSecond, secondReplied } from "./reload.js";
import {
  beat,
  beatLimit,
  beatReplied,
  componentsMayHaveEnded,
  fence,
  heartbeatJobs,
  heartbeatReplied,
  killProcess,
  monitorTick,
  purgeReplied,
  registerAgain,
  registerReplied,
  republishTick,
  shutdownLimit,
  startProcess,
  unitFilesRead,
} from "./server.js";
import { type CallOwner, createState, type FleetState, type TimerName } from "./state.js";
import { arm, fixesOf, type Step } from "./step.js";
import { generate, generateReplied, publishReplied, unitChanged } from "./unit-states.js";
import { watchPauseOver, watchReplied } from "./watch.js";

/**
 * One fleetd process: server, agent, unit-state publisher and engine, which share nothing with
 * other machines but etcd. After it has exited, `start` starts it anew.
 */
export const fleetd: Machine<FleetConfig, FleetState, FleetStimulus, FleetFact, FleetEffect> = {
  name: "fleet",
  create: createState,
  step(state, stimulus, now, out) {
    const step: Step = { state, now, out };
    hear(step, stimulus);
    if (state.grpc !== null) engineMayGoOn(step);
    if (state.phase === "stopping") componentsMayHaveEnded(step);
  },
};

function hear(step: Step, stimulus: FleetStimulus): void {
  switch (stimulus.kind) {
    case "start":
      startProcess(step);
      return;
    case "stop":
      if (stimulus.signal === "SIGTERM") askToEnd(step);
      else killProcess(step);
      return;
    case "hang-up":
      hangUp(step);
      return;
    case "timer":
      timerFired(step, stimulus);
      return;
    case "etcd-reply":
      etcdReplied(step, stimulus);
      return;
    case "systemd-reply":
      systemdReplied(step, stimulus);
      return;
    case "http-request":
      hearRequest(step, stimulus);
      return;
    case "unit-changed":
      noteStatus(step, stimulus.status);
      unitChanged(step, stimulus.status.name);
      return;
    case "ordered":
      ordered(step, stimulus.id, stimulus.orders);
      return;
    case "rpc-request":
      hearCall(step, stimulus.client, stimulus.request);
      return;
    case "rpc-reply":
    case "rpc-closed":
      rpcHeard(step, stimulus);
      return;
    default:
      unreachable(stimulus);
  }
}

function timerFired(step: Step, { timer }: TimerFired): void {
  // Only what was armed is heard, so the name is one of ours.
  const name = timer as TimerName;
  if (!step.state.timers.delete(name)) return;
  switch (name) {
    case "register":
      registerAgain(step);
      return;
    case "reload":
      registerSecond(step);
      return;
    case "beat":
      monitorTick(step);
      return;
    case "beat-retry":
      beat(step);
      return;
    case "beat-limit":
      beatLimit(step);
      return;
    case "fence":
      fence(step);
      return;
    case "heartbeat":
      heartbeatJobs(step);
      return;
    case "agent":
      runAgent(step);
      return;
    case "engine":
      engineTick(step);
      return;
    case "engine-steal":
      stealOver(step);
      return;
    case "generate":
      generate(step);
      return;
    case "republish":
      republishTick(step);
      return;
    case "watch":
      if (watchPauseOver(step)) wake(step);
      return;
    case "shutdown":
      shutdownLimit(step);
      return;
    case "rpc":
      if (step.state.grpc !== null) finish(step, callsDue(step, step.state.grpc));
      return;
    case "connector":
      lookForEngine(step);
      return;
    default:
      unreachable(name);
  }
}

/**
 * An engine looks every interval whether it may lead. With `readsOnNews` one that follows another does so
 * only after half of the time that the lease it saw may last.
 */
function engineTick(step: Step): void {
  const { engine, config } = step.state;
  const follows = engine.lease !== null && !isLeading(step.state);
  const patience = 2 * config.engineReconcileInterval;
  if (fixesOf(step).readsOnNews && follows && step.now - engine.leasedAt <= patience) {
    arm(step, "engine", config.engineReconcileInterval);
  } else runEngine(step);
}

/** Agent and engine look again; with `readsOnNews` only the engine that leads, as no other has anything to do. */
function wake(step: Step): void {
  const { state } = step;
  runAgent(step);
  if (state.config.disableEngine) return;
  if (!fixesOf(step).readsOnNews || isLeading(state)) runEngine(step);
}

/** With gRPC: an answer of the engine that leads, or the end of its connections. */
function rpcHeard(step: Step, stimulus: FleetRpcReplied | FleetRpcClosed): void {
  const { grpc } = step.state;
  if (grpc === null) return;
  if (stimulus.kind === "rpc-closed") finish(step, hungUp(step, grpc, stimulus.address));
  else {
    const finished = callAnswered(step, grpc, stimulus.id, stimulus.reply);
    if (finished !== null) finish(step, [finished]);
  }
}

/** Hands on what became of calls. One of them may end the process, and with it the others. */
function finish(step: Step, finished: readonly FinishedCall[]): void {
  for (const { id, reply } of finished) {
    const owner = takeCall(step, id);
    if (owner !== undefined) registryReplied(step, owner, id, reply);
  }
}

/** Who waits for the answer to a call, and from now on no more. */
function takeCall({ state }: Step, id: number): CallOwner | undefined {
  const owner = state.calls.get(id);
  if (owner !== undefined) state.calls = without(state.calls, id);
  return owner;
}

function etcdReplied(step: Step, { id, reply }: EtcdReplied): void {
  const owner = takeCall(step, id);
  switch (owner) {
    case undefined:
      return;
    case "register":
    case "register-create":
      registerReplied(step, reply, owner === "register-create");
      return;
    case "reload":
      secondReplied(step, reply);
      return;
    case "beat":
    case "beat-create":
      beatReplied(step, reply, owner === "beat-create");
      return;
    case "heartbeat":
      heartbeatReplied(step, id, reply);
      return;
    case "watch":
      if (watchReplied(step, reply)) wake(step);
      return;
    case "rpc-server":
      serverReplied(step, id, reply);
      return;
    default:
      registryReplied(step, owner, id, reply);
  }
}

/** The answer of etcd, or of the engine that leads, to a call that may go to either. */
function registryReplied(step: Step, owner: CallOwner, id: number, reply: RegistryReply): void {
  switch (owner) {
    case "agent":
      agentReplied(step, reply);
      return;
    case "engine":
      engineReplied(step, reply);
      return;
    case "publish":
      publishReplied(step, id, reply);
      return;
    case "purge":
      purgeReplied(step, reply);
      return;
    case "api":
      apiReplied(step, id, reply);
      return;
    case "rpc-change":
      changeReplied(step, reply);
      return;
    case "connector":
      connectorReplied(step, reply);
      return;
    case "start":
    case "generate":
    case "register":
    case "register-create":
    case "reload":
    case "beat":
    case "beat-create":
    case "heartbeat":
    case "watch":
    case "rpc-server":
      throw new Error(`an answer of the registry to a call of another: ${id}`);
    default:
      unreachable(owner);
  }
}

function systemdReplied(step: Step, { id, reply }: SystemdReplied): void {
  const owner = takeCall(step, id);
  if (owner === undefined) return;
  switch (owner) {
    case "start":
      unitFilesRead(step, reply);
      return;
    case "agent":
      agentReplied(step, reply);
      return;
    case "generate":
      generateReplied(step, reply);
      return;
    case "purge":
      purgeReplied(step, reply);
      return;
    case "register":
    case "register-create":
    case "reload":
    case "beat":
    case "beat-create":
    case "heartbeat":
    case "engine":
    case "publish":
    case "watch":
    case "api":
    case "rpc-change":
    case "rpc-server":
    case "connector":
      throw new Error(`an answer of systemd to a call of the registry: ${id}`);
    default:
      unreachable(owner);
  }
}
