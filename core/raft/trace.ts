import type { Sink } from "../kernel/index.js";
import { type ConfChange, changesOf } from "./conf-change.js";
import type { Entry } from "./entry.js";
import type { RaftFact } from "./facts.js";
import { lastIndex } from "./log.js";
import type { Message, MessageType } from "./message.js";
import type { RawNode } from "./node.js";
import { findProgress } from "./tracker.js";
import type { LogIndex, RaftId, Role, Term } from "./types.js";

/**
 * The events that etcd's TLA+ specification follows (etcd-io/raft tla/Traceetcdraft.tla), with the
 * names of state_trace.go. Of its nineteen, `SendSnapshot` and `ReceiveSnapshot` are never emitted:
 * a snapshot is logged as an append. Pre-votes are not logged: the specification has none.
 */
export type TraceEventName =
  | "InitState"
  | "BecomeCandidate"
  | "BecomeFollower"
  | "BecomeLeader"
  | "Commit"
  | "Replicate"
  | "ChangeConf"
  | "ApplyConfChange"
  | "Ready"
  | "SendAppendEntriesRequest"
  | "ReceiveAppendEntriesRequest"
  | "SendAppendEntriesResponse"
  | "ReceiveAppendEntriesResponse"
  | "SendRequestVoteRequest"
  | "ReceiveRequestVoteRequest"
  | "SendRequestVoteResponse"
  | "ReceiveRequestVoteResponse";

/** A message as the trace tells of it: of entries, their number; of a snapshot, its index as such a number. */
export interface TraceMessage {
  readonly type: MessageType;
  readonly term: Term;
  readonly from: RaftId;
  readonly to: RaftId;
  readonly entries: number;
  readonly logTerm: Term;
  readonly index: LogIndex;
  readonly commit: LogIndex;
  readonly vote: RaftId;
  readonly reject: boolean;
  readonly rejectHint: LogIndex;
}

/** What an event tells besides: where a sender of appends is itself, or of a changed configuration. */
export type TraceProperties =
  | { readonly kind: "progress"; readonly match: LogIndex; readonly next: LogIndex }
  | { readonly kind: "proposed"; readonly changes: readonly TraceChange[] }
  | { readonly kind: "applied"; readonly voters: readonly RaftId[] };

export interface TraceChange {
  readonly nodeId: RaftId;
  readonly action: "AddNewServer" | "RemoveServer" | "AddLearner";
}

/** An event of a member, with the member's state at that moment. */
export interface TraceEvent {
  readonly name: TraceEventName;
  readonly id: RaftId;
  readonly term: Term;
  readonly vote: RaftId;
  readonly commit: LogIndex;
  readonly role: Role;
  readonly lastIndex: LogIndex;
  /** Voters of both halves of the configuration. */
  readonly incoming: readonly RaftId[];
  readonly outgoing: readonly RaftId[];
  readonly message: TraceMessage | null;
  readonly properties: TraceProperties | null;
}

/** Emits an event. Callers look at `config.trace` first, which costs less than a call. */
export function trace<D, S>(
  node: RawNode<D, S>,
  name: TraceEventName,
  facts: Sink<RaftFact>,
  message: Message<D, S> | null = null,
  properties: TraceProperties | null = null,
): void {
  const { incoming, outgoing } = node.tracker.config;
  const event: TraceEvent = {
    name,
    id: node.id,
    term: node.term,
    vote: node.vote,
    commit: node.log.committed,
    role: node.role,
    lastIndex: lastIndex(node.log),
    incoming: [...incoming],
    outgoing: [...outgoing],
    message: message === null ? null : traceMessage(message),
    properties,
  };
  facts.push({ kind: "raft.trace", event });
}

function traceMessage<D, S>(message: Message<D, S>): TraceMessage {
  const { type, term, from, to, commit, vote, reject, rejectHint, snapshot } = message;
  const isSnapshot = type === "MsgSnap";
  return {
    type,
    term,
    from,
    to,
    entries: isSnapshot ? (snapshot?.index ?? 0) : message.entries.length,
    logTerm: isSnapshot ? 0 : message.logTerm,
    index: isSnapshot ? 0 : message.index,
    commit,
    vote,
    reject,
    rejectHint,
  };
}

/** A message that has just been queued. */
export function traceSend<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  switch (message.type) {
    case "MsgApp": {
      // The sender's own progress, as in etcd, whose specification does not read it.
      const own = findProgress(node.tracker, message.from);
      const at: TraceProperties | null =
        own === undefined ? null : { kind: "progress", match: own.match, next: own.next };
      trace(node, "SendAppendEntriesRequest", facts, message, at);
      return;
    }
    case "MsgHeartbeat":
    case "MsgSnap":
      trace(node, "SendAppendEntriesRequest", facts, message);
      return;
    case "MsgAppResp":
    case "MsgHeartbeatResp":
      trace(node, "SendAppendEntriesResponse", facts, message);
      return;
    case "MsgVote":
      trace(node, "SendRequestVoteRequest", facts, message);
      return;
    case "MsgVoteResp":
      trace(node, "SendRequestVoteResponse", facts, message);
      return;
    default:
  }
}

/** A message that the member is about to take in. */
export function traceReceive<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  switch (message.type) {
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      trace(node, "ReceiveAppendEntriesRequest", facts, message);
      return;
    case "MsgAppResp":
    case "MsgHeartbeatResp":
      trace(node, "ReceiveAppendEntriesResponse", facts, message);
      return;
    case "MsgVote":
      trace(node, "ReceiveRequestVoteRequest", facts, message);
      return;
    case "MsgVoteResp":
      trace(node, "ReceiveRequestVoteResponse", facts, message);
      return;
    default:
  }
}

/** Entries that a leader is about to append: an event for each that is no conf change. */
export function traceReplicate<D, S>(
  node: RawNode<D, S>,
  entries: readonly Entry<D>[],
  facts: Sink<RaftFact>,
): void {
  for (const entry of entries) {
    if (entry.type === "EntryNormal") trace(node, "Replicate", facts);
  }
}

/** A conf change that a leader has let into its log, unless it changes nothing. */
export function traceChangeConf<D, S>(
  node: RawNode<D, S>,
  change: ConfChange<D>,
  facts: Sink<RaftFact>,
): void {
  const changes: TraceChange[] = [];
  for (const { type, nodeId } of changesOf(change)) {
    switch (type) {
      case "add-node":
        changes.push({ nodeId, action: "AddNewServer" });
        break;
      case "remove-node":
        changes.push({ nodeId, action: "RemoveServer" });
        break;
      case "add-learner-node":
        changes.push({ nodeId, action: "AddLearner" });
        break;
      case "update-node":
        break;
    }
  }
  if (changes.length > 0) trace(node, "ChangeConf", facts, null, { kind: "proposed", changes });
}

/** A configuration that is about to come into force. */
export function traceApplyConfChange<D, S>(
  node: RawNode<D, S>,
  voters: readonly RaftId[],
  facts: Sink<RaftFact>,
): void {
  trace(node, "ApplyConfChange", facts, null, { kind: "applied", voters: [...voters] });
}

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  candidate: "StateCandidate",
  leader: "StateLeader",
  "pre-candidate": "StatePreCandidate",
};

/** An event as state_trace.go encodes it, in JSON. */
export function traceJson(event: TraceEvent): string {
  const { message, properties } = event;
  return JSON.stringify({
    name: event.name,
    nid: String(event.id),
    state: { term: event.term, vote: String(event.vote), commit: event.commit },
    role: ROLE_NAMES[event.role],
    log: event.lastIndex,
    conf: [event.incoming.map(String), event.outgoing.map(String)],
    ...(message === null ? {} : { msg: messageJson(message) }),
    ...(properties === null ? {} : { prop: propertiesJson(properties) }),
  });
}

function messageJson(message: TraceMessage) {
  const { type, term, from, to, entries, logTerm, index, commit, vote, reject, rejectHint } =
    message;
  return {
    type,
    term,
    from: String(from),
    to: String(to),
    entries,
    logTerm,
    index,
    commit,
    vote: String(vote),
    reject,
    rejectHint,
  };
}

/** Go leaves out a list that is empty. */
function propertiesJson(properties: TraceProperties) {
  switch (properties.kind) {
    case "progress":
      return { match: properties.match, next: properties.next };
    case "proposed": {
      const changes = properties.changes.map(({ nodeId, action }) => {
        return { nid: String(nodeId), action };
      });
      return { cc: { changes } };
    }
    case "applied": {
      const newconf = properties.voters.map(String);
      return { cc: newconf.length === 0 ? {} : { newconf } };
    }
  }
}
