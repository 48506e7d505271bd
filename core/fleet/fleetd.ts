import type { EtcdReplied } from "../etcd/client.js";
import { type Machine, type TimerFired, unreachable, without } from "../kernel/index.js";
import type { SystemdReplied } from "../systemd/client.js";
import { agentReplied, runAgent } from "./agent.js";
import { apiReplied, hearRequest } from "./api-server.js";
import type { FleetConfig } from "./config.js";
import { noteStatus } from "./endings.js";
import { engineReplied, isLeading, ordered, runEngine, stealWaitOver } from "./engine-loop.js";
import type { FleetEffect, FleetFact, FleetStimulus } from "./events.js";
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
import { createState, type FleetState, type TimerName } from "./state.js";
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
      stealWaitOver(step);
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

function etcdReplied(step: Step, { id, reply }: EtcdReplied): void {
  const owner = step.state.calls.get(id);
  if (owner === undefined) return;
  step.state.calls = without(step.state.calls, id);
  switch (owner) {
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
    case "agent":
      agentReplied(step, reply);
      return;
    case "engine":
      engineReplied(step, reply);
      return;
    case "publish":
      publishReplied(step, id, reply);
      return;
    case "watch":
      if (watchReplied(step, reply)) wake(step);
      return;
    case "purge":
      purgeReplied(step, reply);
      return;
    case "api":
      apiReplied(step, id, reply);
      return;
    case "start":
    case "generate":
      throw new Error(`an answer of etcd to a call of systemd: ${id}`);
    default:
      unreachable(owner);
  }
}

function systemdReplied(step: Step, { id, reply }: SystemdReplied): void {
  const owner = step.state.calls.get(id);
  if (owner === undefined) return;
  step.state.calls = without(step.state.calls, id);
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
      throw new Error(`an answer of systemd to a call of etcd: ${id}`);
    default:
      unreachable(owner);
  }
}
