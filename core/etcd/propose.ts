import { type Micros, SECOND, without } from "../kernel/index.js";
import {
  type ConfChange,
  type ConfChangeType,
  propose,
  proposeConfChange,
  type StepError,
} from "../raft/index.js";
import { type LogData, logDataBytes, type Origin } from "./log-data.js";
import { type MemberChange, raftIdOf } from "./membership.js";
import type { EtcdOut } from "./reply.js";
import type { AfterApply, Asker, EtcdState, PendingRequest, Running } from "./state.js";

/** Request numbers of one start; the next start begins at the next multiple. */
export const REQUESTS_PER_START = 2 ** 30;

/** How long a member works on a request: 5 s and two election timeouts (etcd's ReqTimeout). */
export function requestTimeout(state: EtcdState): Micros {
  return 5 * SECOND + 2 * state.config.electionTicks * state.config.tick;
}

/** A new request of this member, that waits for nobody yet. */
export function newOrigin(run: Running): Origin {
  return { member: run.id, request: run.nextRequest++ };
}

/**
 * Proposes something and remembers who waits for it to be applied. Returns why raft dropped it, if it
 * did so at once; whoever waits then still waits, as etcd's v2 clients do.
 */
export function proposeFor(
  state: EtcdState,
  run: Running,
  asker: Asker | null,
  purpose: PendingRequest["purpose"],
  data: LogData,
  now: Micros,
  out: EtcdOut,
  after?: AfterApply,
): StepError | null {
  const deadline = now + requestTimeout(state);
  const pending: PendingRequest = { asker, purpose, since: now, deadline };
  run.requests.set(data.origin.request, after === undefined ? pending : { ...pending, after });
  return submit(run, data, out);
}

/** Ends the wait for one of this member's own requests; what is waiting for it, if it is one of them. */
export function takePending(run: Running, origin: Origin): PendingRequest | undefined {
  if (origin.member !== run.id) return undefined;
  const pending = run.requests.get(origin.request);
  if (pending !== undefined) run.requests = without(run.requests, origin.request);
  return pending;
}

/** Proposes; holds back while no leader is known, as etcd's node does. */
export function submit(run: Running, data: LogData, out: EtcdOut): StepError | null {
  if (run.node.lead === 0) {
    run.unsent.push({ data });
    return null;
  }
  if (data.kind === "member-change") {
    return proposeConfChange(run.node, confChangeFor(data.change, data), out.facts);
  }
  return propose(run.node, data, logDataBytes(data), out.facts);
}

/** Proposes what was held back and is still waited for. */
export function submitUnsent(run: Running, out: EtcdOut): void {
  if (run.unsent.length === 0) return;
  const { unsent } = run;
  run.unsent = [];
  for (const { data } of unsent) {
    if (run.requests.has(data.origin.request)) submit(run, data, out);
  }
}

/** The conf change that stands for a change of membership. */
export function confChangeFor(change: MemberChange, context: LogData): ConfChange<LogData> {
  const id = change.change === "add" ? change.member.id : change.id;
  return {
    version: 1,
    type: confChangeType(change),
    nodeId: raftIdOf(id),
    context,
    contextBytes: logDataBytes(context),
  };
}

function confChangeType(change: MemberChange): ConfChangeType {
  switch (change.change) {
    case "add":
      return change.member.learner ? "add-learner-node" : "add-node";
    case "promote":
      return "add-node";
    case "remove":
      return "remove-node";
    case "update":
      return "update-node";
  }
}
