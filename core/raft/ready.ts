import type { Sink } from "../kernel/index.js";
import { type Entry, entriesSize, type Snapshot } from "./entry.js";
import { raftPanic } from "./errors.js";
import type { RaftFact } from "./facts.js";
import {
  acceptApplying,
  hasNextCommittedEntries,
  hasNextUnstableEntries,
  hasNextUnstableSnapshot,
  lastIndex,
  lastTerm,
  nextCommittedEntries,
  nextUnstableEntries,
} from "./log.js";
import { blankMessage, type Message, NO_MESSAGES } from "./message.js";
import { hardStateOf, type RawNode } from "./node.js";
import type { ReadState } from "./read-only.js";
import { trace } from "./trace.js";
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type HardState,
  isEmptyHardState,
  type SoftState,
} from "./types.js";
import { acceptInProgress } from "./unstable.js";

/**
 * What an application has to do for its member, in this order: write `entries`, `hardState` and
 * `snapshot` to disk (synchronously if `mustSync`), send `messages`, apply `snapshot` and
 * `committedEntries`, call `advance`. With async storage writes all of that is in `messages`.
 */
export interface Ready<D, S> {
  /** null: unchanged. */
  readonly softState: SoftState | null;
  /** null: unchanged. */
  readonly hardState: HardState | null;
  readonly readStates: readonly ReadState<D>[];
  readonly entries: readonly Entry<D>[];
  readonly snapshot: Snapshot<S> | null;
  readonly committedEntries: readonly Entry<D>[];
  readonly messages: readonly Message<D, S>[];
  readonly mustSync: boolean;
}

const NO_READS: readonly never[] = [];

/** True if `ready` has something to hand out. Costs a few comparisons. */
export function hasReady<D, S>(node: RawNode<D, S>): boolean {
  if (node.messages.length > 0 || node.messagesAfterAppend.length > 0) return true;
  const { log, toldSoftState, toldHardState } = node;
  if (toldSoftState.lead !== node.lead || toldSoftState.role !== node.role) return true;
  if (!sameHardState(node, toldHardState) && !isEmptyHardState(hardStateOf(node))) return true;
  if (hasNextUnstableSnapshot(log) || hasNextUnstableEntries(log)) return true;
  if (hasNextCommittedEntries(log, !node.config.asyncStorageWrites)) return true;
  return node.readStates.length > 0;
}

function sameHardState<D, S>(node: RawNode<D, S>, told: HardState): boolean {
  return told.commit === node.log.committed && told.term === node.term && told.vote === node.vote;
}

/** Hands out everything there is to do. Without async storage writes, `advance` must come before the next. */
export function ready<D, S>(node: RawNode<D, S>, facts: Sink<RaftFact>): Ready<D, S> {
  const { log, toldSoftState, toldHardState } = node;
  const async = node.config.asyncStorageWrites;
  const entries = nextUnstableEntries(log);
  const committedEntries = nextCommittedEntries(log, !async);
  const softChanged = toldSoftState.lead !== node.lead || toldSoftState.role !== node.role;
  const hardChanged = !sameHardState(node, toldHardState);
  const result = {
    softState: softChanged ? { lead: node.lead, role: node.role } : null,
    hardState: hardChanged ? hardStateOf(node) : null,
    readStates: node.readStates.length === 0 ? NO_READS : node.readStates,
    entries,
    snapshot: hasNextUnstableSnapshot(log) ? log.unstable.snapshot : null,
    committedEntries,
    messages: node.messages.length === 0 ? takePromises(node, async) : node.messages,
    mustSync:
      entries.length > 0 || toldHardState.vote !== node.vote || toldHardState.term !== node.term,
  };
  if (async) queueStorageMessages(node, result);
  else queueAfterAppend(node, result);
  accept(node, result);
  if (node.config.trace) trace(node, "Ready", facts);
  return result;
}

/**
 * What a Ready without messages of its own hands out: all that waits for the disk, if it is for
 * others, as it is for every acknowledgement of a follower. Else a list to collect them in.
 */
function takePromises<D, S>(node: RawNode<D, S>, async: boolean): Message<D, S>[] {
  const promises = node.messagesAfterAppend;
  if (async || promises.length === 0) return [];
  for (let i = 0; i < promises.length; i++) if (promises[i]?.to === node.id) return [];
  node.messagesAfterAppend = NO_MESSAGES;
  return promises;
}

/** Tells the storage threads what to write and to apply, and what to deliver when they have. */
function queueStorageMessages<D, S>(
  node: RawNode<D, S>,
  {
    entries,
    hardState,
    snapshot,
    committedEntries,
    messages,
  }: Ready<D, S> & { messages: Message<D, S>[] },
): void {
  const promises = node.messagesAfterAppend;
  if (entries.length > 0 || hardState !== null || snapshot !== null || promises.length > 0) {
    const message = blankMessage<D, S>("MsgStorageAppend", APPEND_THREAD);
    message.from = node.id;
    message.entries = entries;
    if (hardState !== null) {
      message.term = hardState.term;
      message.vote = hardState.vote;
      message.commit = hardState.commit;
    }
    message.snapshot = snapshot;
    // The response about the entries comes last: the leader's acknowledgement to itself looks
    // their terms up while they are still unstable.
    const written = storageAppendResponse(node, snapshot);
    message.responses = written === null ? [...promises] : [...promises, written];
    messages.push(message);
  }
  if (committedEntries.length > 0) {
    const message = blankMessage<D, S>("MsgStorageApply", APPLY_THREAD);
    message.from = node.id;
    message.entries = committedEntries;
    message.responses = [storageApplyResponse(node, committedEntries)];
    messages.push(message);
  }
}

/** Sends what waits for the disk, to others with this Ready and to the member itself on `advance`. */
function queueAfterAppend<D, S>(
  node: RawNode<D, S>,
  { snapshot, committedEntries, messages }: Ready<D, S> & { messages: Message<D, S>[] },
): void {
  if (node.stepsOnAdvance.length > 0) {
    raftPanic("two accepted Ready structs without call to Advance");
  }
  const promises = node.messagesAfterAppend;
  for (let i = 0; i < promises.length; i++) {
    const message = promises[i];
    if (message === undefined) continue;
    if (message.to === node.id) stepOnAdvance(node, message);
    else messages.push(message);
  }
  const written = storageAppendResponse(node, snapshot);
  if (written !== null) stepOnAdvance(node, written);
  if (committedEntries.length > 0) {
    stepOnAdvance(node, storageApplyResponse(node, committedEntries));
  }
}

function stepOnAdvance<D, S>(node: RawNode<D, S>, message: Message<D, S>): void {
  // A list of one has room for one; pushing to an empty one would reserve room for many.
  if (node.stepsOnAdvance.length === 0) node.stepsOnAdvance = [message];
  else node.stepsOnAdvance.push(message);
}

/**
 * What tells the member that all it has handed out so far is on disk, or null if there is nothing
 * to tell. It names the end of the whole unstable log, not of this Ready's entries: a response of
 * an earlier term is ignored, and a later one must make up for it (see etcd's newStorageAppendResp
 * on the ABA problem this avoids).
 */
function storageAppendResponse<D, S>(
  node: RawNode<D, S>,
  snapshot: Snapshot<S> | null,
): Message<D, S> | null {
  const unstable = node.log.unstable.entries.length > 0;
  if (!unstable && snapshot === null) return null;
  const message = blankMessage<D, S>("MsgStorageAppendResp", node.id);
  message.from = APPEND_THREAD;
  message.term = node.term;
  if (unstable) {
    message.index = lastIndex(node.log);
    message.logTerm = lastTerm(node.log);
  }
  message.snapshot = snapshot;
  return message;
}

function storageApplyResponse<D, S>(
  node: RawNode<D, S>,
  entries: readonly Entry<D>[],
): Message<D, S> {
  const message = blankMessage<D, S>("MsgStorageApplyResp", node.id);
  message.from = APPLY_THREAD;
  message.entries = entries;
  return message;
}

/** Takes note of what has been handed out. */
function accept<D, S>(node: RawNode<D, S>, handed: Ready<D, S>): void {
  if (handed.softState !== null) node.toldSoftState = handed.softState;
  if (handed.hardState !== null) node.toldHardState = handed.hardState;
  if (handed.readStates.length > 0) node.readStates = [];
  if (node.messages.length > 0) node.messages = NO_MESSAGES;
  if (node.messagesAfterAppend.length > 0) node.messagesAfterAppend = NO_MESSAGES;
  acceptInProgress(node.log.unstable);
  const { committedEntries } = handed;
  // Looking for item -1 of an empty list takes an engine longer than the rest of this.
  if (committedEntries.length === 0) return;
  const last = committedEntries[committedEntries.length - 1];
  if (last !== undefined) {
    const size = entriesSize(committedEntries);
    acceptApplying(node.log, last.index, size, !node.config.asyncStorageWrites);
  }
}
