import type { EtcdReply, Revision } from "../etcd/client.js";
import { SECOND } from "../kernel/index.js";
import { runAgent } from "./agent.js";
import { runEngine } from "./engine-loop.js";
import { isTrigger, watchJobs } from "./registry.js";
import { arm, callEtcd, fixesOf, type Step } from "./step.js";

/**
 * fleet's event stream: a long poll on `/job` from "now", a pause of one second after every result,
 * then the event, if it is one that matters, wakes agent and engine. What happens in between is
 * missed. fleet runs one stream for each of the two; they begin together and see the same events,
 * so one serves both here.
 */
const PAUSE = SECOND;

export function startWatch(step: Step, from: Revision | null = null): void {
  step.state.watchTriggered = false;
  callEtcd(step, "watch", watchJobs(step.state.config.keyPrefix, from));
}

export function watchReplied(step: Step, reply: EtcdReply): void {
  if (step.state.phase !== "running") return;
  if (reply.ok && fixesOf(step).watchesMissNothing) {
    startWatch(step, reply.node.modifiedIndex + 1);
    if (isTrigger(reply.node.key)) wake(step);
    return;
  }
  step.state.watchTriggered = reply.ok && isTrigger(reply.node.key);
  arm(step, "watch", PAUSE);
}

export function watchPauseOver(step: Step): void {
  const { state } = step;
  const triggered = state.watchTriggered;
  startWatch(step);
  if (triggered) wake(step);
}

function wake(step: Step): void {
  runAgent(step);
  if (!step.state.config.disableEngine) runEngine(step);
}
