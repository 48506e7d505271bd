import type { Sink } from "../kernel/index.js";
import { type Entry, payloadsSize, placedEntry } from "./entry.js";
import { raftPanic } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { inflightsFull } from "./inflights.js";
import {
  appendToLog,
  entriesFrom,
  firstIndex,
  lastIndex,
  logSnapshot,
  maybeCommitTo,
  termAt,
} from "./log.js";
import { blankMessage } from "./message.js";
import { type RawNode, send } from "./node.js";
import { becomeSnapshot, isPaused, type Progress, progressView, sentEntries } from "./progress.js";
import { readPosition } from "./read-only.js";
import { trace, traceReplicate } from "./trace.js";
import { committedIndex } from "./tracker.js";

const NO_ENTRIES: readonly never[] = [];

/** Sends `peer` what it lacks, or an empty append if it lacks nothing; nothing if it is paused. */
export function sendAppend<D, S>(node: RawNode<D, S>, peer: Progress, facts: Sink<RaftFact>): void {
  maybeSendAppend(node, peer, true, facts);
}

/**
 * Sends `peer` the next append, or a snapshot if the log does not reach back far enough. Empty
 * appends carry the commit index. True if something was sent.
 */
export function maybeSendAppend<D, S>(
  node: RawNode<D, S>,
  peer: Progress,
  sendIfEmpty: boolean,
  facts: Sink<RaftFact>,
): boolean {
  if (isPaused(peer)) return false;
  const { log } = node;
  const previous = peer.next - 1;
  const previousTerm = termAt(log, previous);
  if (typeof previousTerm !== "number") return maybeSendSnapshot(node, peer, facts);

  // With a full window an empty append still goes out: if all that filled it was lost, its answer
  // is what empties it.
  let entries: readonly Entry<D>[] = NO_ENTRIES;
  if (peer.state !== "replicate" || !inflightsFull(peer.inflights)) {
    const found = entriesFrom(log, peer.next, node.config.maxSizePerMsg);
    if (found === "compacted") {
      return sendIfEmpty ? maybeSendSnapshot(node, peer, facts) : false;
    }
    entries = found;
  }
  if (entries.length === 0 && !sendIfEmpty) return false;

  const message = blankMessage<D, S>("MsgApp", peer.id);
  message.index = previous;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = log.committed;
  send(node, message, facts);
  sentEntries(peer, entries.length, payloadsSize(entries));
  peer.sentCommit = log.committed;
  return true;
}

function maybeSendSnapshot<D, S>(
  node: RawNode<D, S>,
  peer: Progress,
  facts: Sink<RaftFact>,
): boolean {
  const to = peer.id;
  if (!peer.recentActive) {
    facts.push({ kind: "raft.snapshot-withheld-from-inactive", to });
    return false;
  }
  const snapshot = logSnapshot(node.log);
  if (snapshot === "snapshot-temporarily-unavailable") {
    facts.push({ kind: "raft.snapshot-temporarily-unavailable", to });
    return false;
  }
  if (snapshot.index === 0) raftPanic("need non-empty snapshot");
  const { index, term } = snapshot;
  facts.push({
    kind: "raft.snapshot-sent",
    to,
    index,
    term,
    firstIndex: firstIndex(node.log),
    commit: node.log.committed,
    progress: progressView(peer),
  });
  becomeSnapshot(peer, index);
  facts.push({ kind: "raft.replication-paused", to, progress: progressView(peer) });
  const message = blankMessage<D, S>("MsgSnap", to);
  message.snapshot = snapshot;
  send(node, message, facts);
  return true;
}

/** Sends every peer what it lacks. */
export function broadcastAppend<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  const { progress } = node.tracker;
  for (let i = 0; i < progress.length; i++) {
    const peer = progress[i];
    if (peer !== undefined && peer.id !== node.id) maybeSendAppend(node, peer, true, facts);
  }
}

/**
 * Sends every peer a heartbeat. It carries the commit index only as far as the peer is known to
 * hold the log, and the number of the last read that waits for confirmation.
 */
export function broadcastHeartbeat<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  const { progress } = node.tracker;
  const { committed } = node.log;
  const position = readPosition(node.readOnly);
  for (let i = 0; i < progress.length; i++) {
    const peer = progress[i];
    if (peer === undefined || peer.id === node.id) continue;
    const message = blankMessage<D, S>("MsgHeartbeat", peer.id);
    message.commit = Math.min(peer.match, committed);
    message.readPosition = position;
    send(node, message, facts);
    peer.sentCommit = message.commit;
  }
}

/** Advances a leader's commit index to what a quorum holds. True if it moved. */
export function maybeCommit<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): boolean {
  const moved = maybeCommitTo(node.log, node.term, committedIndex(node.tracker));
  if (node.config.trace) trace(node, "Commit", facts);
  return moved;
}

/**
 * Appends a leader's own entries, giving each its place, unless they would exceed the bound on
 * uncommitted payload. The leader acknowledges them to itself once they are on disk.
 */
export function appendOwn<D, S>(
  node: RawNode<D, S>,
  entries: readonly Entry<D>[],
  facts: Sink<RaftFact>,
): boolean {
  if (!increaseUncommittedSize(node, entries)) {
    facts.push({ kind: "raft.proposal-over-size-limit" });
    return false;
  }
  const last = lastIndex(node.log);
  const placed: Entry<D>[] = [];
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) placed.push(placedEntry(entry, node.term, last + 1 + i));
  }
  if (node.config.trace) traceReplicate(node, placed, facts);
  appendToLog(node.log, placed, 0, facts);
  const message = blankMessage<D, S>("MsgAppResp", node.id);
  message.index = lastIndex(node.log);
  send(node, message, facts);
  return true;
}

/** One proposal of any size is let in when nothing is uncommitted, and empty ones always. */
function increaseUncommittedSize<D, S>(node: RawNode<D, S>, entries: readonly Entry<D>[]): boolean {
  const size = payloadsSize(entries);
  const grown = node.uncommittedSize + size;
  if (node.uncommittedSize > 0 && size > 0 && grown > node.config.maxUncommittedEntriesSize) {
    return false;
  }
  node.uncommittedSize = grown;
  return true;
}
