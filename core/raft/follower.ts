import type { Sink } from "../kernel/index.js";
import { becomeFollower, becomeLeader, campaign, hup, poll } from "./election.js";
import type { Snapshot } from "./entry.js";
import { EMPTY_SNAPSHOT } from "./entry.js";
import type { StepError } from "./errors.js";
import type { RaftFact } from "./facts.js";
import {
  commitTo,
  findConflictByTerm,
  lastIndex,
  lastTerm,
  matchesTerm,
  maybeAppend,
  restoreLog,
  termOrZero,
} from "./log.js";
import { restoreConfState } from "./membership.js";
import { blankMessage, type Message, passedOn } from "./message.js";
import { type RawNode, send } from "./node.js";
import { readContext } from "./reads.js";
import { broadcastAppend } from "./replication.js";
import { NONE } from "./types.js";

/** What a follower does with a message of its term. */
export function stepFollower<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  switch (message.type) {
    case "MsgHeartbeat":
      node.electionElapsed = 0;
      node.lead = message.from;
      handleHeartbeat(node, message, facts);
      return null;
    case "MsgApp":
      node.electionElapsed = 0;
      node.lead = message.from;
      handleAppend(node, message, facts);
      return null;
    case "MsgSnap":
      node.electionElapsed = 0;
      node.lead = message.from;
      handleSnapshot(node, message, facts);
      return null;
    case "MsgProp":
      return forwardProposal(node, message, facts);
    case "MsgTransferLeader":
      if (node.lead === NONE) {
        facts.push({ kind: "raft.transfer-dropped-without-leader", term: node.term });
        return null;
      }
      send(node, passedOn(message, node.lead), facts);
      return null;
    case "MsgForgetLeader":
      forgetLeader(node, facts);
      return null;
    case "MsgTimeoutNow":
      facts.push({ kind: "raft.timeout-now-received", term: node.term, from: message.from });
      // No pre-vote: the leader itself says that its lease is over.
      hup(node, "transfer", facts);
      return null;
    case "MsgReadIndex":
      if (node.lead === NONE) {
        facts.push({ kind: "raft.read-dropped-without-leader", term: node.term });
        return null;
      }
      send(node, passedOn(message, node.lead), facts);
      return null;
    case "MsgReadIndexResp":
      if (message.entries.length !== 1) {
        const entries = message.entries.length;
        facts.push({ kind: "raft.read-response-malformed", from: message.from, entries });
        return null;
      }
      node.readStates.push({ index: message.index, context: readContext(message) });
      return null;
    default:
      return null;
  }
}

/** What a candidate, or one that asks whether it could be, does with a message of its term. */
export function stepCandidate<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  switch (message.type) {
    case "MsgProp":
      facts.push({ kind: "raft.proposal-dropped-without-leader", term: node.term });
      return "proposal-dropped";
    case "MsgApp":
      becomeFollower(node, message.term, message.from, facts);
      handleAppend(node, message, facts);
      return null;
    case "MsgHeartbeat":
      becomeFollower(node, message.term, message.from, facts);
      handleHeartbeat(node, message, facts);
      return null;
    case "MsgSnap":
      becomeFollower(node, message.term, message.from, facts);
      handleSnapshot(node, message, facts);
      return null;
    case "MsgVoteResp":
    case "MsgPreVoteResp":
      // A stale answer to the pre-vote may still come in while votes are counted.
      if ((message.type === "MsgPreVoteResp") === (node.role === "pre-candidate")) {
        countVote(node, message, facts);
      }
      return null;
    case "MsgTimeoutNow":
      facts.push({
        kind: "raft.timeout-now-ignored",
        term: node.term,
        role: node.role,
        from: message.from,
      });
      return null;
    default:
      return null;
  }
}

function countVote<D, S>(node: RawNode<D, S>, message: Message<D, S>, facts: Sink<RaftFact>): void {
  switch (poll(node, message.from, message.type, !message.reject, facts)) {
    case "won":
      if (node.role === "pre-candidate") {
        campaign(node, "election", facts);
      } else {
        becomeLeader(node, facts);
        broadcastAppend(node, facts);
      }
      return;
    case "lost":
      becomeFollower(node, node.term, NONE, facts);
      return;
    case "pending":
  }
}

function forwardProposal<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  if (node.lead === NONE) {
    facts.push({ kind: "raft.proposal-dropped-without-leader", term: node.term });
    return "proposal-dropped";
  }
  if (node.config.disableProposalForwarding) {
    facts.push({ kind: "raft.proposal-not-forwarded", lead: node.lead, term: node.term });
    return "proposal-dropped";
  }
  send(node, passedOn(message, node.lead), facts);
  return null;
}

function forgetLeader<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  // A lease is no lease if its grantor may forget it.
  if (node.config.readOnlyOption === "lease-based") {
    facts.push({ kind: "raft.forget-leader-refused" });
    return;
  }
  if (node.lead === NONE) return;
  facts.push({ kind: "raft.leader-forgotten", lead: node.lead, term: node.term });
  node.lead = NONE;
}

function handleHeartbeat<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  commitTo(node.log, message.commit);
  const response = blankMessage<D, S>("MsgHeartbeatResp", message.from);
  response.readPosition = message.readPosition;
  send(node, response, facts);
}

function handleAppend<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const { log } = node;
  const { from, index, logTerm } = message;
  const response = blankMessage<D, S>("MsgAppResp", from);
  if (index < log.committed) {
    response.index = log.committed;
    send(node, response, facts);
    return;
  }
  const last = maybeAppend(log, index, logTerm, message.entries, message.commit, facts);
  if (last !== null) {
    response.index = last;
    send(node, response, facts);
    return;
  }
  facts.push({
    kind: "raft.append-refused",
    from,
    index,
    logTerm,
    ownTerm: termOrZero(log, index),
  });
  // The leader's log holds no term above `logTerm` up to `index`, so the logs cannot meet where
  // this one does.
  const hint = findConflictByTerm(log, Math.min(index, lastIndex(log)), logTerm);
  response.index = index;
  response.reject = true;
  response.rejectHint = hint.index;
  response.logTerm = hint.term;
  send(node, response, facts);
}

function handleSnapshot<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const snapshot: Snapshot<S> = message.snapshot ?? EMPTY_SNAPSHOT;
  const { index, term } = snapshot;
  const accepted = restoreSnapshot(node, snapshot, facts);
  const commit = node.log.committed;
  facts.push({ kind: "raft.snapshot-answered", accepted, index, term, commit });
  const response = blankMessage<D, S>("MsgAppResp", message.from);
  response.index = accepted ? lastIndex(node.log) : commit;
  send(node, response, facts);
}

/** Starts over from a snapshot. False if it brings nothing, or is none for this member. */
function restoreSnapshot<D, S>(
  node: RawNode<D, S>,
  snapshot: Snapshot<S>,
  facts: Sink<RaftFact>,
): boolean {
  const { log, id } = node;
  const { index, term, confState } = snapshot;
  if (index <= log.committed) return false;
  if (node.role !== "follower") {
    facts.push({ kind: "raft.snapshot-as-leader-ignored" });
    becomeFollower(node, node.term + 1, NONE, facts);
    return false;
  }
  // Who is to become a learner is an outgoing voter still.
  const { voters, learners, votersOutgoing } = confState;
  if (!voters.includes(id) && !learners.includes(id) && !votersOutgoing.includes(id)) {
    facts.push({ kind: "raft.snapshot-for-others-ignored", confState });
    return false;
  }
  if (matchesTerm(log, index, term)) {
    facts.push({
      kind: "raft.snapshot-fast-forwarded",
      index,
      term,
      commit: log.committed,
      lastIndex: lastIndex(log),
      lastTerm: lastTerm(log),
    });
    commitTo(log, index);
    return false;
  }
  restoreLog(log, snapshot, facts);
  restoreConfState(node, confState, facts);
  facts.push({
    kind: "raft.snapshot-restored",
    index,
    term,
    commit: log.committed,
    lastIndex: lastIndex(log),
    lastTerm: lastTerm(log),
  });
  return true;
}
