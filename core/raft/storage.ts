import type { Bytes } from "../kernel/index.js";
import { EMPTY_SNAPSHOT, type Entry, type Snapshot, sliceWithin } from "./entry.js";
import { raftPanic, type StorageError } from "./errors.js";
import {
  type ConfState,
  EMPTY_HARD_STATE,
  type HardState,
  type LogIndex,
  type Term,
} from "./types.js";

/**
 * What a member has on disk, as plain state: hard state, latest snapshot and the log after the last
 * compaction (etcd's MemoryStorage). A world that models torn or lost writes keeps its own copy of
 * what is durable and starts a member from that.
 */
export interface MemoryStorage<D, S> {
  hardState: HardState;
  snapshot: Snapshot<S>;
  /** Index and term of the last entry that was compacted away; 0 and 0 in the beginning. */
  compactedIndex: LogIndex;
  compactedTerm: Term;
  /** `entries[i]` has index `compactedIndex + 1 + i`. */
  entries: Entry<D>[];
  /**
   * The snapshot a leader sends to a peer that lags behind the log, when it is another than
   * `snapshot`; "temporarily-unavailable" makes the leader ask again later. null: `snapshot`.
   */
  offered: Snapshot<S> | "temporarily-unavailable" | null;
}

export function createMemoryStorage<D, S>(): MemoryStorage<D, S> {
  return {
    hardState: EMPTY_HARD_STATE,
    snapshot: EMPTY_SNAPSHOT,
    compactedIndex: 0,
    compactedTerm: 0,
    entries: [],
    offered: null,
  };
}

export function setHardState<D, S>(storage: MemoryStorage<D, S>, hardState: HardState): void {
  storage.hardState = hardState;
}

/** Index of the first entry that is still there, or would be. */
export function storageFirstIndex<D, S>(storage: MemoryStorage<D, S>): LogIndex {
  return storage.compactedIndex + 1;
}

/** Index of the last entry, or of the last compacted one if none is left. */
export function storageLastIndex<D, S>(storage: MemoryStorage<D, S>): LogIndex {
  return storage.compactedIndex + storage.entries.length;
}

/** Term of the entry at `index`, of the last compacted one too; or why it is not known. */
export function storageTerm<D, S>(
  storage: MemoryStorage<D, S>,
  index: LogIndex,
): Term | "compacted" | "unavailable" {
  const position = index - storage.compactedIndex - 1;
  if (position === -1) return storage.compactedTerm;
  if (position < 0) return "compacted";
  return storage.entries[position]?.term ?? "unavailable";
}

/**
 * A copy of the entries in [low, high) that fit `maxBytes`, at least one.
 *
 * @throws RaftPanic if `high` is beyond the end
 */
export function storageEntries<D, S>(
  storage: MemoryStorage<D, S>,
  low: LogIndex,
  high: LogIndex,
  maxBytes: Bytes,
): Entry<D>[] | "compacted" | "unavailable" {
  const { compactedIndex, entries } = storage;
  if (low <= compactedIndex) return "compacted";
  const last = storageLastIndex(storage);
  if (high > last + 1) {
    raftPanic(`entries' hi(${high}) is out of bound lastindex(${last})`);
  }
  if (entries.length === 0) return "unavailable";
  const first = compactedIndex + 1;
  return sliceWithin(entries, low - first, high - first, maxBytes);
}

/** The snapshot to send to a peer that lags behind the log. */
export function storageSnapshot<D, S>(
  storage: MemoryStorage<D, S>,
): Snapshot<S> | "snapshot-temporarily-unavailable" {
  if (storage.offered === "temporarily-unavailable") return "snapshot-temporarily-unavailable";
  return storage.offered ?? storage.snapshot;
}

/** Puts a snapshot in the place of everything stored; refused if it is not newer than what is there. */
export function applySnapshot<D, S>(
  storage: MemoryStorage<D, S>,
  snapshot: Snapshot<S>,
): StorageError | null {
  const current = storage.snapshot.index;
  if (current !== 0 && current >= snapshot.index) return "snapshot-out-of-date";
  storage.snapshot = snapshot;
  storage.compactedIndex = snapshot.index;
  storage.compactedTerm = snapshot.term;
  storage.entries = [];
  return null;
}

/**
 * Records the application's state at `index`. The log stays; `compact` shortens it.
 *
 * @param confState - what the last `applyConfChange` returned; null if there was none since the last snapshot
 * @throws RaftPanic if `index` is beyond the end of the log
 */
export function createSnapshot<D, S>(
  storage: MemoryStorage<D, S>,
  index: LogIndex,
  confState: ConfState | null,
  data: S | null,
): StorageError | null {
  if (index <= storage.snapshot.index) return "snapshot-out-of-date";
  const term = storageTerm(storage, index);
  if (term === "unavailable") {
    raftPanic(`snapshot ${index} is out of bound lastindex(${storageLastIndex(storage)})`);
  }
  if (term === "compacted") return "compacted";
  const kept = storage.snapshot.confState;
  storage.snapshot = { index, term, confState: confState ?? kept, data };
  return null;
}

/**
 * Drops all entries up to and including `index`, which must have been applied.
 *
 * @throws RaftPanic if `index` is beyond the end of the log
 */
export function compact<D, S>(storage: MemoryStorage<D, S>, index: LogIndex): StorageError | null {
  if (index <= storage.compactedIndex) return "compacted";
  const term = storageTerm(storage, index);
  if (typeof term !== "number") {
    raftPanic(`compact ${index} is out of bound lastindex(${storageLastIndex(storage)})`);
  }
  storage.entries.splice(0, index - storage.compactedIndex);
  storage.compactedIndex = index;
  storage.compactedTerm = term;
  return null;
}

/**
 * Writes consecutive entries, replacing whatever stands at and after the first of them. Entries
 * that are compacted already are skipped.
 *
 * @throws RaftPanic if there is a gap between the log and the first entry
 */
export function append<D, S>(storage: MemoryStorage<D, S>, entries: readonly Entry<D>[]): void {
  const head = entries[0];
  if (head === undefined) return;
  const first = storageFirstIndex(storage);
  if (head.index + entries.length - 1 < first) return;
  const skip = Math.max(0, first - head.index);
  const position = head.index + skip - first;
  const stored = storage.entries;
  if (position > stored.length) {
    raftPanic(`missing log entry [last: ${storageLastIndex(storage)}, append at: ${head.index}]`);
  }
  if (position < stored.length) stored.length = position;
  for (let i = skip; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) stored.push(entry);
  }
}
