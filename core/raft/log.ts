import type { Bytes, Sink } from "../kernel/index.js";
import { type Entry, entriesSize, type Snapshot, sliceWithin } from "./entry.js";
import { raftPanic, STORAGE_ERROR_TEXT } from "./errors.js";
import type { RaftFact } from "./facts.js";
import {
  type MemoryStorage,
  storageEntries,
  storageFirstIndex,
  storageLastIndex,
  storageSnapshot,
  storageTerm,
} from "./storage.js";
import type { LogIndex, Term } from "./types.js";
import {
  restoreUnstable,
  truncateAndAppend,
  type Unstable,
  unstableLastIndex,
  unstableTerm,
} from "./unstable.js";

/** A member's log: what is on disk, what is not yet, and how far it is committed and applied. */
export interface RaftLog<D, S> {
  storage: MemoryStorage<D, S>;
  unstable: Unstable<D, S>;
  /** Highest index known to be on disk at a quorum. */
  committed: LogIndex;
  /** Highest index handed out for application. `applied <= applying <= committed`. */
  applying: LogIndex;
  applied: LogIndex;
  /** Bound on the encoded size of what is handed out and not applied yet. */
  readonly maxApplyingEntsSize: Bytes;
  applyingEntsSize: Bytes;
  applyingEntsPaused: boolean;
}

const NO_ENTRIES: readonly never[] = [];

/** A log over what is stored, committed and applied up to the last compaction. */
export function createLog<D, S>(
  storage: MemoryStorage<D, S>,
  maxApplyingEntsSize: Bytes,
): RaftLog<D, S> {
  const compacted = storageFirstIndex(storage) - 1;
  const next = storageLastIndex(storage) + 1;
  return {
    storage,
    unstable: {
      snapshot: null,
      snapshotInProgress: false,
      entries: [],
      offset: next,
      offsetInProgress: next,
    },
    committed: compacted,
    applying: compacted,
    applied: compacted,
    maxApplyingEntsSize,
    applyingEntsSize: 0,
    applyingEntsPaused: false,
  };
}

export function firstIndex<D, S>(log: RaftLog<D, S>): LogIndex {
  const { snapshot } = log.unstable;
  return snapshot === null ? storageFirstIndex(log.storage) : snapshot.index + 1;
}

export function lastIndex<D, S>(log: RaftLog<D, S>): LogIndex {
  return unstableLastIndex(log.unstable) ?? storageLastIndex(log.storage);
}

/** The term at `index`, from the last compacted entry to the end; or why it is not known. */
export function termAt<D, S>(
  log: RaftLog<D, S>,
  index: LogIndex,
): Term | "compacted" | "unavailable" {
  const unstable = unstableTerm(log.unstable, index);
  if (unstable !== null) return unstable;
  if (index + 1 < firstIndex(log)) return "compacted";
  if (index > lastIndex(log)) return "unavailable";
  return storageTerm(log.storage, index);
}

/** The term at `index`, or 0 if it is not known. */
export function termOrZero<D, S>(log: RaftLog<D, S>, index: LogIndex): Term {
  const term = termAt(log, index);
  return typeof term === "number" ? term : 0;
}

/** The term of the last entry. */
export function lastTerm<D, S>(log: RaftLog<D, S>): Term {
  const term = termAt(log, lastIndex(log));
  if (typeof term !== "number") {
    raftPanic(`unexpected error when getting the last term (${STORAGE_ERROR_TEXT[term]})`);
  }
  return term;
}

/** True if a log that ends in (term, index) holds everything committed that this one holds. */
export function isUpToDate<D, S>(log: RaftLog<D, S>, term: Term, index: LogIndex): boolean {
  const own = lastTerm(log);
  return term > own || (term === own && index >= lastIndex(log));
}

export function matchesTerm<D, S>(log: RaftLog<D, S>, index: LogIndex, term: Term): boolean {
  return termAt(log, index) === term;
}

/**
 * Appends a leader's entries after (index, logTerm) if the log has that entry, and takes in its
 * commit index. Returns the last index of the leader's entries, or null if the logs do not meet.
 */
export function maybeAppend<D, S>(
  log: RaftLog<D, S>,
  index: LogIndex,
  logTerm: Term,
  entries: readonly Entry<D>[],
  commit: LogIndex,
  facts: Sink<RaftFact>,
): LogIndex | null {
  if (!matchesTerm(log, index, logTerm)) return null;
  const last = index + entries.length;
  const conflict = findConflict(log, entries, facts);
  if (conflict !== 0) {
    if (conflict <= log.committed) {
      raftPanic(`entry ${conflict} conflict with committed entry [committed(${log.committed})]`);
    }
    const offset = conflict - (index + 1);
    if (offset > entries.length) raftPanic(`index, ${offset}, is out of range [${entries.length}]`);
    appendToLog(log, entries, offset, facts);
  }
  commitTo(log, Math.min(commit, last));
  return last;
}

/** Appends `entries[start …]`, replacing what stands in their place. */
export function appendToLog<D, S>(
  log: RaftLog<D, S>,
  entries: readonly Entry<D>[],
  start: number,
  facts: Sink<RaftFact>,
): void {
  const head = entries[start];
  if (head === undefined) return;
  if (head.index - 1 < log.committed) {
    raftPanic(`after(${head.index - 1}) is out of range [committed(${log.committed})]`);
  }
  truncateAndAppend(log.unstable, entries, start, facts);
}

/** The index of the first of `entries` the log does not hold, or 0 if it holds them all. */
function findConflict<D, S>(
  log: RaftLog<D, S>,
  entries: readonly Entry<D>[],
  facts: Sink<RaftFact>,
): LogIndex {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || matchesTerm(log, entry.index, entry.term)) continue;
    if (entry.index <= lastIndex(log)) {
      facts.push({
        kind: "raft.conflict-found",
        index: entry.index,
        existingTerm: termOrZero(log, entry.index),
        conflictingTerm: entry.term,
      });
    }
    return entry.index;
  }
  return 0;
}

/**
 * The best guess of where this log and another meet, given that the other holds (index, term): the
 * highest index up to `index` whose term here is at most `term`, or is not known (term 0).
 */
export function findConflictByTerm<D, S>(
  log: RaftLog<D, S>,
  index: LogIndex,
  term: Term,
): { index: LogIndex; term: Term } {
  for (let guess = index; guess > 0; guess--) {
    const own = termAt(log, guess);
    if (typeof own !== "number") return { index: guess, term: 0 };
    if (own <= term) return { index: guess, term: own };
  }
  return { index: 0, term: 0 };
}

/** A copy of the entries that wait to be written. */
export function nextUnstableEntries<D, S>(log: RaftLog<D, S>): readonly Entry<D>[] {
  if (!hasNextUnstableEntries(log)) return NO_ENTRIES;
  const { entries, offset, offsetInProgress } = log.unstable;
  return entries.slice(offsetInProgress - offset);
}

export function hasNextUnstableEntries<D, S>(log: RaftLog<D, S>): boolean {
  const { entries, offset, offsetInProgress } = log.unstable;
  return entries.length > offsetInProgress - offset;
}

export function hasNextUnstableSnapshot<D, S>(log: RaftLog<D, S>): boolean {
  return log.unstable.snapshot !== null && !log.unstable.snapshotInProgress;
}

/**
 * True if there are committed entries to hand out. Not while a snapshot is pending: what would be
 * applied first?
 */
export function hasNextCommittedEntries<D, S>(log: RaftLog<D, S>, allowUnstable: boolean): boolean {
  if (log.applyingEntsPaused || log.unstable.snapshot !== null) return false;
  return log.applying < maxAppliableIndex(log, allowUnstable);
}

/** A copy of the committed entries to hand out, as far as the size limit goes. */
export function nextCommittedEntries<D, S>(
  log: RaftLog<D, S>,
  allowUnstable: boolean,
): readonly Entry<D>[] {
  if (!hasNextCommittedEntries(log, allowUnstable)) return NO_ENTRIES;
  const { maxApplyingEntsSize, applyingEntsSize } = log;
  const maxSize = maxApplyingEntsSize - applyingEntsSize;
  if (maxSize <= 0) {
    raftPanic(
      `applying entry size (${maxApplyingEntsSize}-${applyingEntsSize})=${maxSize} not positive`,
    );
  }
  const entries = sliceLog(
    log,
    log.applying + 1,
    maxAppliableIndex(log, allowUnstable) + 1,
    maxSize,
  );
  if (entries === "compacted") {
    raftPanic(`unexpected error when getting unapplied entries (${STORAGE_ERROR_TEXT.compacted})`);
  }
  return entries;
}

function maxAppliableIndex<D, S>(log: RaftLog<D, S>, allowUnstable: boolean): LogIndex {
  if (allowUnstable) return log.committed;
  return Math.min(log.committed, log.unstable.offset - 1);
}

/** The snapshot to send to a peer that lags behind the log. */
export function logSnapshot<D, S>(
  log: RaftLog<D, S>,
): Snapshot<S> | "snapshot-temporarily-unavailable" {
  return log.unstable.snapshot ?? storageSnapshot(log.storage);
}

/** Never lowers the commit index. */
export function commitTo<D, S>(log: RaftLog<D, S>, commit: LogIndex): void {
  if (log.committed >= commit) return;
  const last = lastIndex(log);
  if (last < commit) {
    raftPanic(
      `tocommit(${commit}) is out of range [lastIndex(${last})]. Was the raft log corrupted, truncated, or lost?`,
    );
  }
  log.committed = commit;
}

/** Commits up to `index` if that is an entry of `term`: a leader commits only entries of its own term. */
export function maybeCommitTo<D, S>(log: RaftLog<D, S>, term: Term, index: LogIndex): boolean {
  if (index <= log.committed || term === 0 || termOrZero(log, index) !== term) return false;
  commitTo(log, index);
  return true;
}

/** Takes note that entries up to `index`, of encoded size `size` since the last time, are applied. */
export function logAppliedTo<D, S>(log: RaftLog<D, S>, index: LogIndex, size: Bytes): void {
  if (log.committed < index || index < log.applied) {
    raftPanic(
      `applied(${index}) is out of range [prevApplied(${log.applied}), committed(${log.committed})]`,
    );
  }
  log.applied = index;
  if (log.applying < index) log.applying = index;
  log.applyingEntsSize = log.applyingEntsSize > size ? log.applyingEntsSize - size : 0;
  log.applyingEntsPaused = log.applyingEntsSize >= log.maxApplyingEntsSize;
}

/** Takes note that entries up to `index`, of encoded size `size`, are handed out for application. */
export function acceptApplying<D, S>(
  log: RaftLog<D, S>,
  index: LogIndex,
  size: Bytes,
  allowUnstable: boolean,
): void {
  if (log.committed < index) {
    raftPanic(
      `applying(${index}) is out of range [prevApplying(${log.applying}), committed(${log.committed})]`,
    );
  }
  log.applying = index;
  log.applyingEntsSize += size;
  // Paused at the limit, and also when the next entry would exceed it: then what was handed out
  // stops short of what could have been.
  log.applyingEntsPaused =
    log.applyingEntsSize >= log.maxApplyingEntsSize ||
    index < maxAppliableIndex(log, allowUnstable);
}

/** A copy of the entries from `index` to the end that fit `maxBytes`, at least one if there is any. */
export function entriesFrom<D, S>(
  log: RaftLog<D, S>,
  index: LogIndex,
  maxBytes: Bytes,
): readonly Entry<D>[] | "compacted" {
  const last = lastIndex(log);
  return index > last ? NO_ENTRIES : sliceLog(log, index, last + 1, maxBytes);
}

/** Replaces the whole log by a snapshot. */
export function restoreLog<D, S>(
  log: RaftLog<D, S>,
  snapshot: Snapshot<S>,
  facts: Sink<RaftFact>,
): void {
  facts.push({
    kind: "raft.snapshot-restoring",
    index: snapshot.index,
    term: snapshot.term,
    committed: log.committed,
    applied: log.applied,
    applying: log.applying,
    unstableOffset: log.unstable.offset,
    unstableOffsetInProgress: log.unstable.offsetInProgress,
    unstableEntries: log.unstable.entries.length,
  });
  log.committed = snapshot.index;
  restoreUnstable(log.unstable, snapshot);
}

/** A copy of the entries in [low, high) that fit `maxBytes`, at least one if there is any. */
export function sliceLog<D, S>(
  log: RaftLog<D, S>,
  low: LogIndex,
  high: LogIndex,
  maxBytes: Bytes,
): Entry<D>[] | "compacted" {
  if (low > high) raftPanic(`invalid slice ${low} > ${high}`);
  const first = firstIndex(log);
  if (low < first) return "compacted";
  const last = lastIndex(log);
  if (high > last + 1) raftPanic(`slice[${low},${high}) out of bound [${first},${last}]`);
  if (low === high) return [];
  const { offset, entries: unstable } = log.unstable;
  if (low >= offset) return sliceWithin(unstable, low - offset, high - offset, maxBytes);

  const cut = Math.min(high, offset);
  const stored = storageEntries(log.storage, low, cut, maxBytes);
  if (stored === "compacted") return stored;
  if (stored === "unavailable") raftPanic(`entries[${low}:${cut}) is unavailable from storage`);
  if (high <= offset || stored.length < cut - low) return stored;
  const size = entriesSize(stored);
  if (size >= maxBytes) return stored;
  const rest = sliceWithin(unstable, 0, high - offset, maxBytes - size);
  // `sliceWithin` gives one entry even if that is too many.
  if (rest.length === 1 && size + entriesSize(rest) > maxBytes) return stored;
  for (const entry of rest) stored.push(entry);
  return stored;
}
