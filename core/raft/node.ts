import type { Bytes, Generator, Sink } from "../kernel/index.js";
import { nextBelow } from "../kernel/index.js";
import type { ResolvedConfig } from "./config.js";
import { raftPanic } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { lastIndex, type RaftLog } from "./log.js";
import type { Message } from "./message.js";
import { createProgress } from "./progress.js";
import { createReadOnlyQueue, type ReadOnlyQueue, type ReadState } from "./read-only.js";
import { traceSend } from "./trace.js";
import { findProgress, type ProgressTracker } from "./tracker.js";
import {
  type HardState,
  type LogIndex,
  type Mutable,
  NONE,
  type RaftId,
  type Role,
  type SoftState,
  type Term,
} from "./types.js";

/**
 * A member of a raft group: the algorithm's state, its storage, and what the last Ready told
 * (etcd's raft.raft and raft.RawNode in one). Plain data; every function over it changes it in place.
 *
 * @typeParam D - what entries carry; immutable values
 * @typeParam S - what snapshots carry; immutable values
 */
export interface RawNode<D, S> {
  readonly config: ResolvedConfig;
  readonly id: RaftId;
  term: Term;
  vote: RaftId;
  lead: RaftId;
  role: Role;
  isLearner: boolean;
  log: RaftLog<D, S>;
  tracker: ProgressTracker;
  /** Messages that may leave at once. */
  messages: Message<D, S>[];
  /** Messages that promise something: they leave once everything unstable is on disk. */
  messagesAfterAppend: Message<D, S>[];
  readStates: ReadState<D>[];
  readOnly: ReadOnlyQueue<D, S>;
  /** Reads a new leader took before it committed an entry of its own term. */
  pendingReads: Message<D, S>[];
  leadTransferee: RaftId;
  /** A conf change may be pending up to this index: no other is accepted before it is applied. */
  pendingConfIndex: LogIndex;
  /** Payload of the leader's uncommitted entries; an estimate that never exceeds the truth. */
  uncommittedSize: Bytes;
  /** Ticks since a follower heard of its leader, or since a leader checked its quorum. */
  electionElapsed: number;
  heartbeatElapsed: number;
  /** In [electionTick, 2 × electionTick - 1]; drawn anew on every change of role or term. */
  randomizedElectionTimeout: number;
  generator: Generator;
  /** What the last Ready told of soft and hard state. */
  toldSoftState: SoftState;
  toldHardState: HardState;
  /** What `advance` steps, in order. */
  stepsOnAdvance: Message<D, S>[];
}

export function hardStateOf<D, S>(node: RawNode<D, S>): HardState {
  return { term: node.term, vote: node.vote, commit: node.log.committed };
}

/** True if the member may become leader: it is a voter and no snapshot is pending. */
export function promotable<D, S>(node: RawNode<D, S>): boolean {
  const own = findProgress(node.tracker, node.id);
  return own !== undefined && !own.isLearner && node.log.unstable.snapshot === null;
}

/**
 * Queues a message. What grants a vote or acknowledges an append waits until all that it rests on
 * is on disk; all else may leave at once.
 */
export function send<D, S>(
  node: RawNode<D, S>,
  message: Mutable<Message<D, S>>,
  facts: Sink<RaftFact>,
): void {
  if (message.from === NONE) message.from = node.id;
  switch (message.type) {
    case "MsgVote":
    case "MsgPreVote":
    case "MsgVoteResp":
    case "MsgPreVoteResp":
      if (message.term === 0) raftPanic(`term should be set when sending ${message.type}`);
      break;
    default:
      if (message.term !== 0) {
        raftPanic(`term should not be set when sending ${message.type} (was ${message.term})`);
      }
      // Proposals and reads are forwarded as if they were local to the leader.
      if (message.type !== "MsgProp" && message.type !== "MsgReadIndex") message.term = node.term;
  }
  switch (message.type) {
    case "MsgAppResp":
    case "MsgVoteResp":
    case "MsgPreVoteResp":
      // A list of one has room for one; pushing to an empty one would reserve room for many.
      if (node.messagesAfterAppend.length === 0) node.messagesAfterAppend = [message];
      else node.messagesAfterAppend.push(message);
      break;
    default:
      if (message.to === node.id) {
        raftPanic(`message should not be self-addressed when sending ${message.type}`);
      }
      if (node.messages.length === 0) node.messages = [message];
      else node.messages.push(message);
  }
  if (node.config.trace) traceSend(node, message, facts);
}

/** Forgets everything that belongs to a role, and the vote if the term is new. */
export function reset<D, S>(node: RawNode<D, S>, term: Term): void {
  if (node.term !== term) {
    node.term = term;
    node.vote = NONE;
  }
  node.lead = NONE;
  node.electionElapsed = 0;
  node.heartbeatElapsed = 0;
  resetRandomizedElectionTimeout(node);
  node.leadTransferee = NONE;
  const { tracker } = node;
  if (tracker.votes.size > 0) tracker.votes.clear();
  const last = lastIndex(node.log);
  const { progress, maxInflight, maxInflightBytes } = tracker;
  for (let i = 0; i < progress.length; i++) {
    const peer = progress[i];
    if (peer === undefined) continue;
    const fresh = createProgress(peer.id, last + 1, peer.isLearner, maxInflight, maxInflightBytes);
    if (peer.id === node.id) fresh.match = last;
    progress[i] = fresh;
  }
  node.pendingConfIndex = 0;
  node.uncommittedSize = 0;
  node.readOnly = createReadOnlyQueue();
}

function resetRandomizedElectionTimeout<D, S>(node: RawNode<D, S>): void {
  const { electionTick } = node.config;
  node.randomizedElectionTimeout = electionTick + nextBelow(node.generator, electionTick);
}
