import type { EtcdReply, Revision } from "../etcd/client.js";
import { SECOND } from "../kernel/index.js";
import { isNews, isTrigger, watchJobs } from "./registry.js";
import { arm, callEtcd, fixesOf, forget, type Step } from "./step.js";

/**
 * fleet's event stream: a long poll on `/job` from "now", a pause of one second after every result,
 * then the event, if it is one that matters, wakes agent and engine. What happens in between is
 * missed. fleet runs one stream for each of the two; they begin together and see the same events,
 * so one serves both here.
 */
const PAUSE = SECOND;

/** The components start. Profile `fixed` first reads, and then watches from there. */
export function beginWatching(step: Step): void {
  const { state } = step;
  state.agent.upToDate = false;
  state.watchFrom = null;
  if (!fixesOf(step).watchesMissNothing) poll(step, null);
}

/**
 * Profile `fixed`: the agent reads the registry, or would if there were news. The poll begins anew
 * where it left off, since an answer may have got lost on its way.
 *
 * @param index - of the registry as it is being read; null: it is not
 */
export function watchOn(step: Step, index: Revision | null): void {
  const { state } = step;
  if (!fixesOf(step).watchesMissNothing || state.phase !== "running") return;
  if (index !== null) state.watchFrom ??= index + 1;
  if (state.watchFrom === null) return;
  forget(step, "watch");
  poll(step, state.watchFrom);
}

function poll(step: Step, from: Revision | null): void {
  step.state.watchTriggered = false;
  callEtcd(step, "watch", watchJobs(step.state.config.keyPrefix, from));
}

/** The answer to a poll; returns whether agent and engine have to look again now. */
export function watchReplied(step: Step, reply: EtcdReply): boolean {
  const { state } = step;
  if (state.phase !== "running") return false;
  if (!fixesOf(step).watchesMissNothing) {
    state.watchTriggered = reply.ok && isTrigger(reply.node.key);
    arm(step, "watch", PAUSE);
  } else if (reply.ok) {
    const { key, modifiedIndex } = reply.node;
    if (isNews(key)) state.agent.upToDate = false;
    state.watchFrom = modifiedIndex + 1;
    poll(step, state.watchFrom);
    return isTrigger(key);
  } else {
    // What has happened since is known only by reading it all.
    state.agent.upToDate = false;
    state.watchFrom = null;
    arm(step, "watch", PAUSE);
  }
  return false;
}

/** The pause is over; returns whether agent and engine have to look again now. */
export function watchPauseOver(step: Step): boolean {
  if (fixesOf(step).watchesMissNothing) return true;
  const { watchTriggered } = step.state;
  poll(step, null);
  return watchTriggered;
}
