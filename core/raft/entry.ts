import type { Bytes } from "../kernel/index.js";
import {
  type ConfChange,
  type ConfChangeV1,
  type ConfChangeV2,
  confChangeSize,
} from "./conf-change.js";
import { fieldSize, uintSize } from "./proto-size.js";
import { type ConfState, EMPTY_CONF_STATE, type LogIndex, type Term } from "./types.js";

interface EntryFields {
  readonly term: Term;
  readonly index: LogIndex;
  /**
   * Whether the encoding spells the type out. raft 3.7 leaves it absent for what `propose` makes, and
   * absent costs two bytes less; a limit in bytes therefore depends on it.
   */
  readonly typePresent: boolean;
  /** Length of the encoded payload; 0 for none. */
  readonly payloadBytes: Bytes;
}

/** What an application proposed; `data` is an immutable value, null for the empty entry of a new leader. */
export interface NormalEntry<D> extends EntryFields {
  readonly type: "EntryNormal";
  readonly data: D | null;
}

export interface ConfChangeEntryV1<D> extends EntryFields {
  readonly type: "EntryConfChange";
  readonly data: ConfChangeV1<D>;
}

export interface ConfChangeEntryV2<D> extends EntryFields {
  readonly type: "EntryConfChangeV2";
  /** null stands for the change a leader makes to leave a joint configuration by itself. */
  readonly data: ConfChangeV2<D> | null;
}

/** One position of the replicated log. Entries are never changed once made. */
export type Entry<D> = NormalEntry<D> | ConfChangeEntryV1<D> | ConfChangeEntryV2<D>;

/** State of an application at a position of the log. Index 0 stands for no snapshot. */
export interface Snapshot<S> {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
  /** An immutable value; null for none. */
  readonly data: S | null;
}

export const EMPTY_SNAPSHOT: Snapshot<never> = {
  index: 0,
  term: 0,
  confState: EMPTY_CONF_STATE,
  data: null,
};

/**
 * An entry as a proposer makes it; the leader gives it term and index. Here and below entries are literals
 * with the same fields in the same order: logs are read all the time, and quickly only if all have one shape.
 */
export function proposedEntry<D>(data: D | null, payloadBytes: Bytes): Entry<D> {
  return { term: 0, index: 0, typePresent: false, payloadBytes, type: "EntryNormal", data };
}

/** The entry that stands where a refused conf change would have stood. */
export function refusedChangeEntry<D>(): Entry<D> {
  return { term: 0, index: 0, typePresent: true, payloadBytes: 0, type: "EntryNormal", data: null };
}

/** A proposed conf change; null is the change that leaves a joint configuration and weighs nothing. */
export function confChangeEntry<D>(change: ConfChange<D> | null): Entry<D> {
  const payloadBytes = change === null ? 0 : confChangeSize(change);
  const typePresent = true;
  if (change !== null && change.version === 1) {
    return { term: 0, index: 0, typePresent, payloadBytes, type: "EntryConfChange", data: change };
  }
  return { term: 0, index: 0, typePresent, payloadBytes, type: "EntryConfChangeV2", data: change };
}

/** The change an entry carries, or null if it carries none. */
export function confChangeOf<D>(entry: Entry<D>): ConfChange<D> | null {
  if (entry.type === "EntryNormal") return null;
  return entry.data ?? LEAVE_JOINT;
}

const LEAVE_JOINT: ConfChangeV2<never> = {
  version: 2,
  transition: "auto",
  changes: [],
  context: null,
  contextBytes: 0,
};

/** The entry at its place in the log. */
export function placedEntry<D>(entry: Entry<D>, term: Term, index: LogIndex): Entry<D> {
  const { typePresent, payloadBytes } = entry;
  switch (entry.type) {
    case "EntryNormal":
      return { term, index, typePresent, payloadBytes, type: entry.type, data: entry.data };
    case "EntryConfChange":
      return { term, index, typePresent, payloadBytes, type: entry.type, data: entry.data };
    case "EntryConfChangeV2":
      return { term, index, typePresent, payloadBytes, type: entry.type, data: entry.data };
  }
}

/** Size of the protobuf encoding of an entry with term and index (raftpb 3.7). */
export function entrySize<D>(entry: Entry<D>): Bytes {
  const type = entry.typePresent ? 2 : 0;
  const data = entry.data === null ? 0 : fieldSize(entry.payloadBytes);
  return type + 2 + uintSize(entry.term) + uintSize(entry.index) + data;
}

/** Encoded size of all entries. */
export function entriesSize<D>(entries: readonly Entry<D>[]): Bytes {
  let size = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) size += entrySize(entry);
  }
  return size;
}

/** Payload of all entries; empty entries count nothing. */
export function payloadsSize<D>(entries: readonly Entry<D>[]): Bytes {
  let size = 0;
  for (let i = 0; i < entries.length; i++) size += entries[i]?.payloadBytes ?? 0;
  return size;
}

/**
 * A copy of `entries[start … end)` cut to the longest prefix that fits `maxBytes`, but of at least one entry.
 */
export function sliceWithin<D>(
  entries: readonly Entry<D>[],
  start: number,
  end: number,
  maxBytes: Bytes,
): Entry<D>[] {
  let size = 0;
  let stop = start;
  for (; stop < end; stop++) {
    const entry = entries[stop];
    if (entry === undefined) break;
    size += entrySize(entry);
    if (size > maxBytes && stop > start) break;
  }
  return entries.slice(start, stop);
}
