import type { Bytes, Generator, Sink } from "../kernel/index.js";
import type { ConfChange } from "./conf-change.js";
import { type RaftConfig, resolveConfig } from "./config.js";
import { becomeFollower } from "./election.js";
import { confChangeEntry, type Entry, placedEntry, proposedEntry } from "./entry.js";
import { raftPanic, type StepError } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { appendToLog, createLog, lastIndex, lastTerm, logAppliedTo } from "./log.js";
import { applyChange, restoreConfState } from "./membership.js";
import {
  blankMessage,
  isLocalMessage,
  isResponseMessage,
  type Message,
  NO_MESSAGES,
} from "./message.js";
import { hardStateOf, type RawNode } from "./node.js";
import { createReadOnlyQueue } from "./read-only.js";
import { campaignFor, stepNode, tickNode } from "./step.js";
import { type MemoryStorage, storageLastIndex } from "./storage.js";
import { trace } from "./trace.js";
import { createTracker, findProgress, voterIds } from "./tracker.js";
import {
  type ConfState,
  EMPTY_HARD_STATE,
  isEmptyHardState,
  isLocalTarget,
  NONE,
  type RaftId,
} from "./types.js";

/**
 * Starts a member from what it has on disk; the storage belongs to it from here on.
 *
 * @param generator - the member's own; it draws election timeouts
 * @throws RaftPanic on settings or stored state that cannot work
 */
export function createRawNode<D, S>(
  config: RaftConfig,
  storage: MemoryStorage<D, S>,
  generator: Generator,
  facts: Sink<RaftFact>,
): RawNode<D, S> {
  const resolved = resolveConfig(config);
  const node: RawNode<D, S> = {
    config: resolved,
    id: resolved.id,
    term: 0,
    vote: NONE,
    lead: NONE,
    role: "follower",
    isLearner: false,
    log: createLog(storage, resolved.maxCommittedSizePerReady),
    tracker: createTracker(resolved.maxInflightMsgs, resolved.maxInflightBytes),
    messages: [],
    messagesAfterAppend: [],
    readStates: [],
    readOnly: createReadOnlyQueue(),
    pendingReads: [],
    leadTransferee: NONE,
    pendingConfIndex: 0,
    uncommittedSize: 0,
    electionElapsed: 0,
    heartbeatElapsed: 0,
    randomizedElectionTimeout: 0,
    generator,
    toldSoftState: { lead: NONE, role: "follower" },
    toldHardState: EMPTY_HARD_STATE,
    stepsOnAdvance: [],
  };
  if (resolved.trace) trace(node, "InitState", facts);
  restoreConfState(node, storage.snapshot.confState, facts);
  loadHardState(node);
  if (resolved.applied > 0) logAppliedTo(node.log, resolved.applied, 0);
  becomeFollower(node, node.term, NONE, facts);
  facts.push({
    kind: "raft.started",
    peers: voterIds(node.tracker.config),
    term: node.term,
    commit: node.log.committed,
    applied: node.log.applied,
    lastIndex: lastIndex(node.log),
    lastTerm: lastTerm(node.log),
  });
  node.toldHardState = hardStateOf(node);
  return node;
}

function loadHardState<D, S>(node: RawNode<D, S>): void {
  const { hardState } = node.log.storage;
  if (isEmptyHardState(hardState)) return;
  const { committed } = node.log;
  const last = lastIndex(node.log);
  if (hardState.commit < committed || hardState.commit > last) {
    const id = node.id.toString(16);
    raftPanic(`${id} state.commit ${hardState.commit} is out of range [${committed}, ${last}]`);
  }
  node.log.committed = hardState.commit;
  node.term = hardState.term;
  node.vote = hardState.vote;
}

/** Someone to begin a group with; `context` is an application's own. */
export interface Peer<D> {
  readonly id: RaftId;
  readonly context: D | null;
  readonly contextBytes: Bytes;
}

/**
 * Begins a group of `peers`: their addition is written into the log as committed in term 1. Every
 * member of the group begins with the same list. Returns etcd's error text if the member cannot.
 */
export function bootstrap<D, S>(
  node: RawNode<D, S>,
  peers: readonly Peer<D>[],
  facts: Sink<RaftFact>,
): string | null {
  if (peers.length === 0) return "must provide at least one peer to Bootstrap";
  if (storageLastIndex(node.log.storage) !== 0) return "can't bootstrap a nonempty Storage";
  node.toldHardState = EMPTY_HARD_STATE;
  becomeFollower(node, 1, NONE, facts);
  const changes = peers.map(
    ({ id, context, contextBytes }): ConfChange<D> => ({
      version: 1,
      type: "add-node",
      nodeId: id,
      context,
      contextBytes,
    }),
  );
  const entries = changes.map((change, i) => placedEntry(confChangeEntry(change), 1, i + 1));
  appendToLog(node.log, entries, 0, facts);
  // Applied here so that the member can campaign, and handed out to be applied once more.
  node.log.committed = entries.length;
  for (const change of changes) applyChange(node, change, facts);
  return null;
}

/** One tick of the member's clock: a leader may beat its heart, others may campaign. */
export function tick<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  tickNode(node, facts);
}

/** Takes in a message from another member, or from the member's storage threads. */
export function step<D, S>(
  node: RawNode<D, S>,
  message: Message<D, S>,
  facts: Sink<RaftFact>,
): StepError | null {
  const { type, from } = message;
  if (!isLocalTarget(from)) {
    if (isLocalMessage(type)) return "local-message";
    if (isResponseMessage(type) && findProgress(node.tracker, from) === undefined) {
      return "peer-not-found";
    }
  }
  return stepNode(node, message, facts);
}

/** Campaigns now, without waiting for a timeout. */
export function campaign<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  campaignFor(node, facts);
}

/**
 * Proposes one entry.
 *
 * @param data - an immutable value; null is an empty entry
 * @param bytes - length of its encoding
 */
export function propose<D, S>(
  node: RawNode<D, S>,
  data: D | null,
  bytes: Bytes,
  facts: Sink<RaftFact>,
): StepError | null {
  return proposeEntries(node, [proposedEntry(data, bytes)], facts);
}

/** Proposes several entries at once (made by `proposedEntry` or `confChangeEntry`): all are taken, or none. */
export function proposeEntries<D, S>(
  node: RawNode<D, S>,
  entries: readonly Entry<D>[],
  facts: Sink<RaftFact>,
): StepError | null {
  const message = blankMessage<D, S>("MsgProp", NONE);
  message.from = node.id;
  message.entries = entries;
  return stepNode(node, message, facts);
}

/** Proposes a conf change; null leaves a joint configuration. One that is refused becomes an empty entry. */
export function proposeConfChange<D, S>(
  node: RawNode<D, S>,
  change: ConfChange<D> | null,
  facts: Sink<RaftFact>,
): StepError | null {
  const message = blankMessage<D, S>("MsgProp", NONE);
  message.entries = [confChangeEntry(change)];
  return stepNode(node, message, facts);
}

/** Puts a committed conf change into force. The application calls this when it applies the entry, unless it rejects it. */
export function applyConfChange<D, S>(
  node: RawNode<D, S>,
  change: ConfChange<D>,
  facts: Sink<RaftFact>,
): ConfState {
  return applyChange(node, change, facts);
}

/**
 * Tells the member that the last Ready has been dealt with. Not for async storage writes, where
 * the responses of the storage threads tell.
 */
export function advance<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): void {
  if (node.config.asyncStorageWrites) {
    raftPanic("Advance must not be called when using AsyncStorageWrites");
  }
  if (node.stepsOnAdvance.length === 0) return;
  const steps = node.stepsOnAdvance;
  node.stepsOnAdvance = NO_MESSAGES;
  for (let i = 0; i < steps.length; i++) {
    const message = steps[i];
    if (message !== undefined) stepNode(node, message, facts);
  }
}

/** Asks for an index that a read may be served at; it comes back with `context` in a Ready, or never. */
export function readIndex<D, S>(node: RawNode<D, S>, context: D, facts: Sink<RaftFact>): void {
  const message = blankMessage<D, S>("MsgReadIndex", NONE);
  message.entries = [proposedEntry(context, 0)];
  stepNode(node, message, facts);
}

/** Asks the leader to hand its lead over to `transferee`. */
export function transferLeader<D, S>(
  node: RawNode<D, S>,
  transferee: RaftId,
  facts: Sink<RaftFact>,
): void {
  const message = blankMessage<D, S>("MsgTransferLeader", NONE);
  message.from = transferee;
  stepNode(node, message, facts);
}

/** Makes a follower forget its leader, so that it may vote for another within the lease. */
export function forgetLeader<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): StepError | null {
  return stepNode(node, blankMessage("MsgForgetLeader", NONE), facts);
}

/** Reports that the last message to `peer` did not get through. */
export function reportUnreachable<D, S>(
  node: RawNode<D, S>,
  peer: RaftId,
  facts: Sink<RaftFact>,
): void {
  const message = blankMessage<D, S>("MsgUnreachable", NONE);
  message.from = peer;
  stepNode(node, message, facts);
}

/** Reports what became of a snapshot sent to `peer`. */
export function reportSnapshot<D, S>(
  node: RawNode<D, S>,
  peer: RaftId,
  outcome: "finished" | "failed",
  facts: Sink<RaftFact>,
): void {
  const message = blankMessage<D, S>("MsgSnapStatus", NONE);
  message.from = peer;
  message.reject = outcome === "failed";
  stepNode(node, message, facts);
}
