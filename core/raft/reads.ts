import type { Sink } from "../kernel/index.js";
import type { RaftFact } from "./facts.js";
import { termOrZero } from "./log.js";
import { blankMessage, type Message } from "./message.js";
import { type RawNode, send } from "./node.js";
import { acknowledgeReads, confirmReads, readPosition } from "./read-only.js";
import { broadcastHeartbeat } from "./replication.js";
import { isSingleton } from "./tracker.js";
import { type LogIndex, NONE } from "./types.js";

/** A leader takes a read, its own or one forwarded to it (raft 3.7; thesis 6.4). */
export function takeRead<D, S>(
  node: RawNode<D, S>,
  request: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  if (isSingleton(node.tracker.config)) {
    answerRead(node, request, node.log.committed, facts);
    return;
  }
  // A new leader may not know yet what is committed: it does once an entry of its own term is.
  if (!committedInCurrentTerm(node)) node.pendingReads.push(request);
  else startRead(node, request, facts);
}

function startRead<D, S>(node: RawNode<D, S>, request: Message<D, S>, facts: Sink<RaftFact>): void {
  const { committed } = node.log;
  if (node.config.readOnlyOption === "lease-based") {
    answerRead(node, request, committed, facts);
    return;
  }
  node.readOnly.unconfirmed.push({ request, index: committed });
  acknowledgeReads(node.readOnly, node.id, readPosition(node.readOnly));
  broadcastHeartbeat(node, facts);
}

/** Takes up the reads that came before the leader knew what is committed. */
export function releasePendingReads<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (node.pendingReads.length === 0) return;
  if (!committedInCurrentTerm(node)) {
    facts.push({ kind: "raft.pending-reads-released-early" });
    return;
  }
  const requests = node.pendingReads;
  node.pendingReads = [];
  for (const request of requests) startRead(node, request, facts);
}

/** Answers the reads that a quorum has confirmed. */
export function answerConfirmedReads<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  for (const { request, index } of confirmReads(node.readOnly, node.tracker.config)) {
    answerRead(node, request, index, facts);
  }
}

function answerRead<D, S>(
  node: RawNode<D, S>,
  request: Message<D, S>,
  index: LogIndex,
  facts: Sink<RaftFact>,
): void {
  if (request.from === NONE || request.from === node.id) {
    node.readStates.push({ index, context: readContext(request) });
    return;
  }
  const response = blankMessage<D, S>("MsgReadIndexResp", request.from);
  response.index = index;
  response.entries = request.entries;
  send(node, response, facts);
}

/** What a reader gave to recognise its read by; it travels as the data of the only entry. */
export function readContext<D, S>(message: Message<D, S>): D | null {
  const entry = message.entries[0];
  return entry !== undefined && entry.type === "EntryNormal" ? entry.data : null;
}

function committedInCurrentTerm<D, S>(node: RawNode<D, S>): boolean {
  return termOrZero(node.log, node.log.committed) === node.term;
}
