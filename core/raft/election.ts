import type { Sink } from "../kernel/index.js";
import { proposedEntry } from "./entry.js";
import { raftPanic, STORAGE_ERROR_TEXT } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { lastIndex, lastTerm, sliceLog } from "./log.js";
import { blankMessage, type MessageType } from "./message.js";
import { promotable, type RawNode, reset, send } from "./node.js";
import { becomeReplicate } from "./progress.js";
import { appendOwn } from "./replication.js";
import { trace } from "./trace.js";
import { findProgress, recordVote, tallyVotes, voterIds } from "./tracker.js";
import { NONE, type RaftId, type Term } from "./types.js";

/** Why a member campaigns: to ask whether it could win, to win, or because its leader told it to. */
export type CampaignType = "pre-election" | "election" | "transfer";

export function becomeFollower<D, S>(
  node: RawNode<D, S>,
  term: Term,
  lead: RaftId,
  facts: Sink<RaftFact>,
): void {
  reset(node, term);
  node.lead = lead;
  node.role = "follower";
  facts.push({ kind: "raft.became-follower", term: node.term, lead });
  if (node.config.trace) trace(node, "BecomeFollower", facts);
}

function becomeCandidate<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (node.role === "leader") raftPanic("invalid transition [leader -> candidate]");
  reset(node, node.term + 1);
  node.vote = node.id;
  node.role = "candidate";
  facts.push({ kind: "raft.became-candidate", term: node.term });
  if (node.config.trace) trace(node, "BecomeCandidate", facts);
}

/** Changes the role and nothing that would have to be on disk: neither term nor vote. */
function becomePreCandidate<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (node.role === "leader") raftPanic("invalid transition [leader -> pre-candidate]");
  node.tracker.votes.clear();
  node.lead = NONE;
  node.role = "pre-candidate";
  facts.push({ kind: "raft.became-pre-candidate", term: node.term });
}

/** Takes the lead of the current term and appends the empty entry that lets earlier terms commit. */
export function becomeLeader<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (node.role === "follower") raftPanic("invalid transition [follower -> leader]");
  reset(node, node.term);
  node.lead = node.id;
  node.role = "leader";
  const own = findProgress(node.tracker, node.id);
  if (own === undefined)
    raftPanic("runtime error: invalid memory address or nil pointer dereference");
  becomeReplicate(own);
  own.recentActive = true;
  // There may be a conf change in the uncommitted tail: no other before all of it is applied.
  node.pendingConfIndex = lastIndex(node.log);
  if (node.config.trace) trace(node, "BecomeLeader", facts);
  if (!appendOwn(node, [proposedEntry<D>(null, 0)], facts)) raftPanic("empty entry was dropped");
  facts.push({ kind: "raft.became-leader", term: node.term });
}

/** Campaigns if the member may (what a `MsgHup` asks for). */
export function hup<D, S>(node: RawNode<D, S>, type: CampaignType, facts: Sink<RaftFact>): void {
  if (node.role === "leader") {
    facts.push({ kind: "raft.election-skipped-as-leader" });
    return;
  }
  if (!promotable(node)) {
    facts.push({ kind: "raft.election-skipped-as-unpromotable" });
    return;
  }
  if (hasUnappliedConfChanges(node)) {
    facts.push({ kind: "raft.election-blocked-by-conf-change", term: node.term });
    return;
  }
  facts.push({ kind: "raft.election-started", term: node.term });
  campaign(node, type, facts);
}

/** True if a committed conf change waits to be applied: the member may not know who its voters are. */
function hasUnappliedConfChanges<D, S>(node: RawNode<D, S>): boolean {
  const { log } = node;
  const high = log.committed + 1;
  let low = log.applied + 1;
  while (low < high) {
    // By pages, as etcd does: it bounds what is read at once by the bound on what is applied at once.
    const page = sliceLog(log, low, high, log.maxApplyingEntsSize);
    if (page === "compacted" || page.length === 0) {
      const why =
        page === "compacted" ? STORAGE_ERROR_TEXT.compacted : `got 0 entries in [${low}, ${high})`;
      raftPanic(`error scanning unapplied entries [${log.applied + 1}, ${high}): ${why}`);
    }
    for (const entry of page) if (entry.type !== "EntryNormal") return true;
    low += page.length;
  }
  return false;
}

/** Asks every voter for its vote. The own vote counts once it is on disk, like any other. */
export function campaign<D, S>(
  node: RawNode<D, S>,
  type: CampaignType,
  facts: Sink<RaftFact>,
): void {
  if (!promotable(node)) facts.push({ kind: "raft.campaign-while-unpromotable" });
  let term = node.term + 1;
  let request: MessageType = "MsgPreVote";
  let response: MessageType = "MsgPreVoteResp";
  if (type === "pre-election") {
    becomePreCandidate(node, facts);
  } else {
    becomeCandidate(node, facts);
    term = node.term;
    request = "MsgVote";
    response = "MsgVoteResp";
  }
  for (const id of voterIds(node.tracker.config)) {
    if (id === node.id) {
      const own = blankMessage<D, S>(response, id);
      own.term = term;
      send(node, own, facts);
      continue;
    }
    const message = blankMessage<D, S>(request, id);
    message.term = term;
    message.index = lastIndex(node.log);
    message.logTerm = lastTerm(node.log);
    message.campaignTransfer = type === "transfer";
    facts.push({
      kind: "raft.vote-requested",
      request,
      to: id,
      term: node.term,
      lastTerm: message.logTerm,
      lastIndex: message.index,
    });
    send(node, message, facts);
  }
}

/** Counts a vote; tells whether the election is decided. */
export function poll<D, S>(
  node: RawNode<D, S>,
  from: RaftId,
  response: MessageType,
  granted: boolean,
  facts: Sink<RaftFact>,
): "pending" | "lost" | "won" {
  facts.push({ kind: "raft.vote-received", response, from, granted, term: node.term });
  recordVote(node.tracker, from, granted);
  const tally = tallyVotes(node.tracker);
  facts.push({
    kind: "raft.votes-tallied",
    response,
    granted: tally.granted,
    rejected: tally.rejected,
  });
  return tally.result;
}
