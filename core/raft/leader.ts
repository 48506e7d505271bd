import type { Sink } from "../kernel/index.js";
import { type ConfChange, changesOf } from "./conf-change.js";
import { becomeFollower } from "./election.js";
import { confChangeOf, type Entry, refusedChangeEntry } from "./entry.js";
import { raftPanic, type StepError } from "./errors.js";
import type { ConfChangeRefusal, RaftFact } from "./facts.js";
import { freeInflights } from "./inflights.js";
import { findConflictByTerm, firstIndex, lastIndex } from "./log.js";
import { blankMessage, type Message } from "./message.js";
import { type RawNode, send } from "./node.js";
import {
  becomeProbe,
  becomeReplicate,
  canBumpCommit,
  maybeDecrease,
  maybeUpdate,
  type Progress,
  progressView,
} from "./progress.js";
import { acknowledgeReads } from "./read-only.js";
import { answerConfirmedReads, releasePendingReads, takeRead } from "./reads.js";
import {
  appendOwn,
  broadcastAppend,
  maybeCommit,
  maybeSendAppend,
  sendAppend,
} from "./replication.js";
import { traceChangeConf } from "./trace.js";
import { confStateOf, findProgress, quorumActive } from "./tracker.js";
import { NONE } from "./types.js";

/** What a leader does with a message of its term. */
export function stepLeader<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  switch (message.type) {
    case "MsgProp":
      return proposeOnLeader(node, message.entries, facts);
    case "MsgReadIndex":
      takeRead(node, message, facts);
      return null;
    case "MsgForgetLeader":
      return null;
    default:
  }
  const peer = findProgress(node.tracker, message.from);
  if (peer === undefined) {
    facts.push({ kind: "raft.progress-unknown", from: message.from });
    return null;
  }
  switch (message.type) {
    case "MsgAppResp":
      peer.recentActive = true;
      if (message.reject) handleRejection(node, peer, message, facts);
      else handleAcknowledgement(node, peer, message, facts);
      return null;
    case "MsgHeartbeatResp":
      handleHeartbeatResponse(node, peer, message, facts);
      return null;
    case "MsgSnapStatus":
      handleSnapshotStatus(peer, message.reject, facts);
      return null;
    case "MsgUnreachable":
      // An append sent ahead of its acknowledgement is lost, most likely.
      if (peer.state === "replicate") becomeProbe(peer);
      facts.push({ kind: "raft.peer-unreachable", peer: peer.id, progress: progressView(peer) });
      return null;
    case "MsgTransferLeader":
      startTransfer(node, peer, facts);
      return null;
    default:
      return null;
  }
}

/** Steps down unless a quorum has been heard of since the last check, and starts the next one. */
export function checkQuorum<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (!quorumActive(node.tracker)) {
    facts.push({ kind: "raft.quorum-lost" });
    becomeFollower(node, node.term, NONE, facts);
  }
  for (const peer of node.tracker.progress) {
    if (peer.id !== node.id) peer.recentActive = false;
  }
}

/** Appends proposals to a leader's log and sends them on. */
export function proposeOnLeader<D, S>(
  node: RawNode<D, S>,
  entries: readonly Entry<D>[],
  facts: Sink<RaftFact>,
): StepError | null {
  if (entries.length === 0) raftPanic(`${node.id.toString(16)} stepped empty MsgProp`);
  // A leader that has been removed takes nothing new.
  if (findProgress(node.tracker, node.id) === undefined) return "proposal-dropped";
  if (node.leadTransferee !== NONE) {
    facts.push({
      kind: "raft.proposal-dropped-in-transfer",
      term: node.term,
      transferee: node.leadTransferee,
    });
    return "proposal-dropped";
  }
  let accepted = entries;
  let copy: Entry<D>[] | null = null;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || entry.type === "EntryNormal") continue;
    if (admitConfChange(node, entry, i, facts)) continue;
    copy ??= [...entries];
    copy[i] = refusedChangeEntry();
    accepted = copy;
  }
  if (!appendOwn(node, accepted, facts)) return "proposal-dropped";
  broadcastAppend(node, facts);
  return null;
}

/** Whether a conf change may enter the log now; at most one is pending at a time. */
function admitConfChange<D, S>(
  node: RawNode<D, S>,
  entry: Entry<D>,
  position: number,
  facts: Sink<RaftFact>,
): boolean {
  const change = confChangeOf(entry);
  if (change === null) return true;
  const reason = refusalOf(node, change);
  if (reason !== null && !node.config.disableConfChangeValidation) {
    facts.push({
      kind: "raft.conf-change-refused",
      change: entry.type === "EntryNormal" ? null : entry.data,
      config: confStateOf(node.tracker.config),
      reason,
    });
    return false;
  }
  node.pendingConfIndex = lastIndex(node.log) + position + 1;
  if (node.config.trace) traceChangeConf(node, change, facts);
  return true;
}

function refusalOf<D, S>(node: RawNode<D, S>, change: ConfChange<D>): ConfChangeRefusal | null {
  const { pendingConfIndex, log, tracker } = node;
  if (pendingConfIndex > log.applied) {
    return { check: "pending", pendingIndex: pendingConfIndex, applied: log.applied };
  }
  const joint = tracker.config.outgoing.length > 0;
  const wantsOut = changesOf(change).length === 0;
  if (joint && !wantsOut) return { check: "already-joint" };
  return !joint && wantsOut ? { check: "not-joint" } : null;
}

/**
 * A peer does not hold the entry an append built on. Its hint, and the leader's own terms, tell
 * where the logs may meet: all indexes at which the leader's term exceeds the hint's cannot match.
 */
function handleRejection<D, S>(
  node: RawNode<D, S>,
  peer: Progress,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const { index, rejectHint, logTerm, from } = message;
  facts.push({
    kind: "raft.append-rejected",
    from,
    index,
    hintIndex: rejectHint,
    hintTerm: logTerm,
  });
  const guess = logTerm > 0 ? findConflictByTerm(node.log, rejectHint, logTerm).index : rejectHint;
  if (!maybeDecrease(peer, index, guess)) return;
  facts.push({ kind: "raft.progress-decreased", peer: from, progress: progressView(peer) });
  if (peer.state === "replicate") becomeProbe(peer);
  sendAppend(node, peer, facts);
}

function handleAcknowledgement<D, S>(
  node: RawNode<D, S>,
  peer: Progress,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const { index, from } = message;
  // An answer that says nothing new still ends probing: it shows where the logs meet.
  const updated = maybeUpdate(peer, index);
  if (!updated && !(peer.match === index && peer.state === "probe")) return;
  switch (peer.state) {
    case "probe":
      becomeReplicate(peer);
      break;
    case "snapshot":
      // Any snapshot serves from which the log can go on, not only the one that was sent.
      if (peer.match + 1 >= firstIndex(node.log)) {
        facts.push({ kind: "raft.snapshot-recovered", peer: from, progress: progressView(peer) });
        becomeProbe(peer);
        becomeReplicate(peer);
      }
      break;
    case "replicate":
      freeInflights(peer.inflights, index);
      break;
  }
  if (maybeCommit(node, facts)) {
    releasePendingReads(node, facts);
    broadcastAppend(node, facts);
  } else if (node.id !== from && canBumpCommit(peer, node.log.committed)) {
    sendAppend(node, peer, facts);
  }
  if (node.id !== from) {
    // The window may have room for more than one append now.
    while (maybeSendAppend(node, peer, false, facts));
  }
  if (from === node.leadTransferee && peer.match === lastIndex(node.log)) {
    facts.push({ kind: "raft.timeout-now-sent", to: from, after: "catch-up" });
    send(node, blankMessage("MsgTimeoutNow", from), facts);
  }
}

function handleHeartbeatResponse<D, S>(
  node: RawNode<D, S>,
  peer: Progress,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  peer.recentActive = true;
  peer.msgAppFlowPaused = false;
  // A peer that probes gets an append even if it lacks nothing: its answer ends the probing.
  if (peer.match < lastIndex(node.log) || peer.state === "probe") sendAppend(node, peer, facts);
  if (node.config.readOnlyOption !== "safe" || message.readPosition === 0) return;
  acknowledgeReads(node.readOnly, message.from, message.readPosition);
  answerConfirmedReads(node, facts);
}

/** The application tells what became of a snapshot. What to send next, the peer's next answer tells. */
function handleSnapshotStatus(peer: Progress, failed: boolean, facts: Sink<RaftFact>): void {
  if (peer.state !== "snapshot") return;
  // A snapshot that failed must not be what probing starts from.
  if (failed) peer.pendingSnapshot = 0;
  becomeProbe(peer);
  facts.push({
    kind: "raft.snapshot-reported",
    peer: peer.id,
    succeeded: !failed,
    progress: progressView(peer),
  });
  peer.msgAppFlowPaused = true;
}

/** Hands the lead over to `peer` (thesis 3.10), at once if its log is complete, else once it is. */
function startTransfer<D, S>(node: RawNode<D, S>, peer: Progress, facts: Sink<RaftFact>): void {
  const transferee = peer.id;
  const { term, leadTransferee: previous } = node;
  if (peer.isLearner) {
    facts.push({ kind: "raft.transfer-to-learner-ignored", transferee });
    return;
  }
  if (previous !== NONE) {
    if (previous === transferee) {
      facts.push({ kind: "raft.transfer-repeated", term, transferee });
      return;
    }
    node.leadTransferee = NONE;
    facts.push({ kind: "raft.transfer-aborted", term, transferee: previous });
  }
  if (transferee === node.id) {
    facts.push({ kind: "raft.transfer-to-self-ignored" });
    return;
  }
  facts.push({ kind: "raft.transfer-started", term, transferee });
  // The transfer has one election timeout to succeed.
  node.electionElapsed = 0;
  node.leadTransferee = transferee;
  if (peer.match === lastIndex(node.log)) {
    send(node, blankMessage("MsgTimeoutNow", transferee), facts);
    facts.push({ kind: "raft.timeout-now-sent", to: transferee, after: "request" });
  } else {
    sendAppend(node, peer, facts);
  }
}
