import type { Bytes, Sink } from "../kernel/index.js";
import { unreachable } from "../kernel/index.js";
import { becomeFollower, hup } from "./election.js";
import { confChangeEntry, entriesSize, payloadsSize, type Snapshot } from "./entry.js";
import type { StepError } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { stepCandidate, stepFollower } from "./follower.js";
import { checkQuorum, proposeOnLeader, stepLeader } from "./leader.js";
import { isUpToDate, lastIndex, lastTerm, logAppliedTo } from "./log.js";
import { blankMessage, type Message } from "./message.js";
import { promotable, type RawNode, send } from "./node.js";
import { broadcastHeartbeat } from "./replication.js";
import { traceReceive } from "./trace.js";
import { confStateOf } from "./tracker.js";
import { type LogIndex, NONE } from "./types.js";
import { stableSnapshotTo, stableTo } from "./unstable.js";

/** One tick of a member's clock. */
export function tickNode<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  node.electionElapsed++;
  if (node.role !== "leader") {
    if (node.electionElapsed < node.randomizedElectionTimeout || !promotable(node)) return;
    node.electionElapsed = 0;
    campaignFor(node, facts);
    return;
  }
  node.heartbeatElapsed++;
  if (node.electionElapsed >= node.config.electionTick) {
    node.electionElapsed = 0;
    if (node.config.checkQuorum) checkQuorum(node, facts);
    // A transfer that takes longer has failed; the leader goes on.
    if (isLeader(node)) node.leadTransferee = NONE;
  }
  if (isLeader(node) && node.heartbeatElapsed >= node.config.heartbeatTick) {
    node.heartbeatElapsed = 0;
    broadcastHeartbeat(node, facts);
  }
}

function isLeader<D, S>(node: RawNode<D, S>): boolean {
  return node.role === "leader";
}

/** What a `MsgHup` asks for. */
export function campaignFor<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  hup(node, node.config.preVote ? "pre-election" : "election", facts);
}

/** Takes in a message of any term, local ones included (etcd's raft.Step). */
export function stepNode<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  if (node.config.trace) traceReceive(node, message, facts);
  const { term } = message;
  if (term !== 0 && term !== node.term) {
    if (term < node.term) {
      answerLowerTerm(node, message, facts);
      return null;
    }
    if (!acceptHigherTerm(node, message, facts)) return null;
  }
  switch (message.type) {
    case "MsgHup":
      campaignFor(node, facts);
      return null;
    case "MsgStorageAppendResp":
      if (message.index !== 0) stableTo(node.log.unstable, message.index, message.logTerm, facts);
      if (message.snapshot !== null) appliedSnapshot(node, message.snapshot, facts);
      return null;
    case "MsgStorageApplyResp":
      appliedEntries(node, message, facts);
      return null;
    case "MsgVote":
    case "MsgPreVote":
      answerVoteRequest(node, message, facts);
      return null;
    default:
  }
  switch (node.role) {
    case "leader":
      return stepAsLeader(node, message, facts);
    case "follower":
      return stepFollower(node, message, facts);
    case "candidate":
    case "pre-candidate":
      return stepCandidate(node, message, facts);
    default:
      return unreachable(node.role);
  }
}

function stepAsLeader<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  switch (message.type) {
    case "MsgBeat":
      broadcastHeartbeat(node, facts);
      return null;
    case "MsgCheckQuorum":
      checkQuorum(node, facts);
      return null;
    default:
      return stepLeader(node, message, facts);
  }
}

/** Adopts a higher term where the message calls for it. False if the message is to be ignored. */
function acceptHigherTerm<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): boolean {
  const { type, from, term } = message;
  if (type === "MsgVote" || type === "MsgPreVote") {
    const { checkQuorum: leases, electionTick } = node.config;
    const inLease = leases && node.lead !== NONE && node.electionElapsed < electionTick;
    if (inLease && !message.campaignTransfer) {
      facts.push({
        kind: "raft.vote-ignored-in-lease",
        ...voteAnswer(node, message),
        remainingTicks: electionTick - node.electionElapsed,
      });
      return false;
    }
  }
  // A pre-vote, asked or granted, is about a term that may never be.
  if (type === "MsgPreVote" || (type === "MsgPreVoteResp" && !message.reject)) return true;
  facts.push({
    kind: "raft.higher-term-received",
    term: node.term,
    message: type,
    from,
    messageTerm: term,
  });
  const fromLeader = type === "MsgApp" || type === "MsgHeartbeat" || type === "MsgSnap";
  becomeFollower(node, term, fromLeader ? from : NONE, facts);
  return true;
}

function answerLowerTerm<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const { type, from } = message;
  const { checkQuorum: leases, preVote } = node.config;
  if ((leases || preVote) && (type === "MsgHeartbeat" || type === "MsgApp")) {
    // The sender leads in a term that this member left behind while cut off. With leases or
    // pre-votes its own campaigns may never be heard, so it has to tell.
    send(node, blankMessage("MsgAppResp", from), facts);
    return;
  }
  switch (type) {
    case "MsgPreVote": {
      facts.push({ kind: "raft.vote-rejected", ...voteAnswer(node, message) });
      const response = blankMessage<D, S>("MsgPreVoteResp", from);
      response.term = node.term;
      response.reject = true;
      send(node, response, facts);
      return;
    }
    case "MsgStorageAppendResp":
      // The entries may have been replaced in a later term while they were being written; a
      // snapshot holds committed state only and counts in any term.
      if (message.index !== 0) {
        facts.push({
          kind: "raft.stale-append-ignored",
          term: node.term,
          messageTerm: message.term,
        });
      }
      if (message.snapshot !== null) appliedSnapshot(node, message.snapshot, facts);
      return;
    default:
      facts.push({
        kind: "raft.lower-term-ignored",
        term: node.term,
        message: type,
        from,
        messageTerm: message.term,
      });
  }
}

function answerVoteRequest<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const { type, from, term, logTerm, index } = message;
  const canVote =
    node.vote === from ||
    (node.vote === NONE && node.lead === NONE) ||
    (type === "MsgPreVote" && term > node.term);
  const granted = canVote && isUpToDate(node.log, logTerm, index);
  facts.push({
    kind: granted ? "raft.vote-cast" : "raft.vote-rejected",
    ...voteAnswer(node, message),
  });
  const response = blankMessage<D, S>(type === "MsgVote" ? "MsgVoteResp" : "MsgPreVoteResp", from);
  // A granted pre-vote is for the asker's future term; the own term would make it look stale.
  response.term = granted ? term : node.term;
  response.reject = !granted;
  send(node, response, facts);
  if (granted && type === "MsgVote") {
    node.electionElapsed = 0;
    node.vote = from;
  }
}

function voteAnswer<D, S>(node: RawNode<D, S>, message: Message<D, S>) {
  return {
    lastTerm: lastTerm(node.log),
    lastIndex: lastIndex(node.log),
    vote: node.vote,
    request: message.type,
    from: message.from,
    candidateTerm: message.logTerm,
    candidateIndex: message.index,
    term: node.term,
  };
}

function appliedEntries<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): void {
  const last = message.entries[message.entries.length - 1];
  if (last === undefined) return;
  appliedTo(node, last.index, entriesSize(message.entries), facts);
  const freed = payloadsSize(message.entries);
  node.uncommittedSize = freed > node.uncommittedSize ? 0 : node.uncommittedSize - freed;
}

function appliedSnapshot<D, S>(
  node: RawNode<D, S>,
  snapshot: Snapshot<S>,
  facts: Sink<RaftFact>,
): void {
  stableSnapshotTo(node.log.unstable, snapshot.index);
  appliedTo(node, snapshot.index, 0, facts);
}

/** Takes note of what is applied. A leader then leaves a joint configuration it was told to leave. */
function appliedTo<D, S>(
  node: RawNode<D, S>,
  index: LogIndex,
  size: Bytes,
  facts: Sink<RaftFact>,
): void {
  const applied = Math.max(index, node.log.applied);
  logAppliedTo(node.log, applied, size);
  const { config } = node.tracker;
  if (!config.autoLeave || applied < node.pendingConfIndex || node.role !== "leader") return;
  // Tried again with each entry applied, as a transfer under way may refuse it.
  const error = proposeOnLeader(node, [confChangeEntry<D>(null)], facts);
  const confState = confStateOf(node.tracker.config);
  if (error === null) facts.push({ kind: "raft.auto-leave-started", config: confState });
  else facts.push({ kind: "raft.auto-leave-refused", config: confState, error });
}
