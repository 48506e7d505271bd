import type { Sink } from "../kernel/index.js";
import type { Entry, Snapshot } from "./entry.js";
import { raftPanic } from "./errors.js";
import type { RaftFact } from "./facts.js";
import type { LogIndex, Term } from "./types.js";

/**
 * The part of the log that is not known to be on disk: entries and at most one snapshot, either
 * waiting for a Ready or handed out by one and being written (etcd's log_unstable.go).
 */
export interface Unstable<D, S> {
  snapshot: Snapshot<S> | null;
  snapshotInProgress: boolean;
  /** `entries[i]` has index `offset + i`. `offset` may be below the end of storage: then storage gets truncated. */
  entries: Entry<D>[];
  offset: LogIndex;
  /** Entries before this index are being written. Never below `offset`. */
  offsetInProgress: LogIndex;
}

/** The last index of the unstable part, or null if it is empty. */
export function unstableLastIndex<D, S>(unstable: Unstable<D, S>): LogIndex | null {
  const { length } = unstable.entries;
  if (length !== 0) return unstable.offset + length - 1;
  return unstable.snapshot === null ? null : unstable.snapshot.index;
}

/** The term at `index`, or null if the unstable part does not know it. */
export function unstableTerm<D, S>(unstable: Unstable<D, S>, index: LogIndex): Term | null {
  if (index < unstable.offset) {
    const { snapshot } = unstable;
    return snapshot !== null && snapshot.index === index ? snapshot.term : null;
  }
  return unstable.entries[index - unstable.offset]?.term ?? null;
}

/** Marks everything as being written. */
export function acceptInProgress<D, S>(unstable: Unstable<D, S>): void {
  const { length } = unstable.entries;
  if (length > 0) unstable.offsetInProgress = unstable.offset + length;
  if (unstable.snapshot !== null) unstable.snapshotInProgress = true;
}

/**
 * Forgets entries up to (index, term), which are on disk now. Nothing happens if the entry has been
 * replaced since: its replacement is not on disk yet.
 */
export function stableTo<D, S>(
  unstable: Unstable<D, S>,
  index: LogIndex,
  term: Term,
  facts: Sink<RaftFact>,
): void {
  const found = unstableTerm(unstable, index);
  if (found === null) {
    facts.push({ kind: "raft.stable-entry-missing", index });
    return;
  }
  if (index < unstable.offset) {
    facts.push({ kind: "raft.stable-entry-in-snapshot", index });
    return;
  }
  if (found !== term) {
    facts.push({ kind: "raft.stable-entry-mismatched", index, term, unstableTerm: found });
    return;
  }
  const count = index + 1 - unstable.offset;
  if (count === unstable.entries.length) unstable.entries = [];
  else unstable.entries.splice(0, count);
  unstable.offset = index + 1;
  if (unstable.offsetInProgress < unstable.offset) unstable.offsetInProgress = unstable.offset;
}

/** Forgets the snapshot at `index`, which is applied now. */
export function stableSnapshotTo<D, S>(unstable: Unstable<D, S>, index: LogIndex): void {
  if (unstable.snapshot === null || unstable.snapshot.index !== index) return;
  unstable.snapshot = null;
  unstable.snapshotInProgress = false;
}

/** Replaces everything by a snapshot. */
export function restoreUnstable<D, S>(unstable: Unstable<D, S>, snapshot: Snapshot<S>): void {
  unstable.offset = snapshot.index + 1;
  unstable.offsetInProgress = unstable.offset;
  unstable.entries = [];
  unstable.snapshot = snapshot;
  unstable.snapshotInProgress = false;
}

/** Puts `entries[start …]` in place, dropping what stands at and after the first of them. */
export function truncateAndAppend<D, S>(
  unstable: Unstable<D, S>,
  entries: readonly Entry<D>[],
  start: number,
  facts: Sink<RaftFact>,
): void {
  const from = entries[start]?.index;
  if (from === undefined) return;
  const end = unstable.offset + unstable.entries.length;
  if (from > end)
    raftPanic(
      `unstable.slice[${unstable.offset},${from}) out of bound [${unstable.offset},${end}]`,
    );
  if (from !== end) {
    if (from <= unstable.offset) {
      facts.push({ kind: "raft.unstable-replaced", index: from });
      unstable.offset = from;
      unstable.offsetInProgress = from;
    } else {
      facts.push({ kind: "raft.unstable-truncated", index: from });
      // What was being written is written still, but no longer counts from `from` on.
      if (unstable.offsetInProgress > from) unstable.offsetInProgress = from;
    }
    unstable.entries.length = from - unstable.offset;
  }
  if (unstable.entries.length === 0) {
    unstable.entries = entries.slice(start);
    return;
  }
  for (let i = start; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) unstable.entries.push(entry);
  }
}
