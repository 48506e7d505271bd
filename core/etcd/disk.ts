import type { Bytes } from "../kernel/index.js";
import {
  append,
  applySnapshot,
  createMemoryStorage,
  EMPTY_HARD_STATE,
  type Entry,
  entrySize,
  type HardState,
  type LogIndex,
  type MemoryStorage,
  type Snapshot,
  setHardState,
} from "../raft/index.js";
import type { LogData } from "./log-data.js";
import type { Scar } from "./moments.js";
import type { StoreImage } from "./snapshot.js";

/** Who wrote the WAL: its first record. Ids in hex. */
export interface DiskIdentity {
  readonly memberId: string;
  readonly clusterId: string;
}

/** One write, as it goes to the WAL or to a snapshot file. */
export type DiskRecord =
  | { readonly kind: "identity"; readonly identity: DiskIdentity }
  | { readonly kind: "entries"; readonly entries: readonly Entry<LogData>[] }
  | { readonly kind: "hard-state"; readonly hardState: HardState }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot<StoreImage> };

/**
 * What a crash leaves: the WAL since the snapshot, the hard state, the snapshot file.
 *
 * There is no database beside them. A real member has one, bbolt, that it commits every 100 ms or 10,000
 * writes together with the index of the last entry it holds (the consistent index). After a crash it plays the
 * log again from its last snapshot, and passes over the entries that the database holds already. Applying is a
 * function of the stores and the entry, so a member that has no database, and plays every entry again, comes to
 * the same stores: when the database was committed last is immaterial. It matters only with a defect that
 * commits the index without the data, or the reverse. What those do is kept as scars.
 */
export interface Durable {
  identity: DiskIdentity | null;
  hardState: HardState;
  snapshot: Snapshot<StoreImage> | null;
  /** Consecutive; the first follows the snapshot. */
  entries: Entry<LogData>[];
  /** What crashes did to the database, of the entries that no snapshot covers. */
  scars: Scar[];
}

/**
 * The disk under one member: what is durable, and what was written after that and may be lost, in
 * order of writing. `written` numbers the records ever written, `synced` those that are durable.
 */
export interface Disk {
  durable: Durable;
  pending: DiskRecord[];
  written: number;
  synced: number;
  /** How often a member was started on this disk. */
  starts: number;
}

export function createDisk(): Disk {
  return {
    durable: {
      identity: null,
      hardState: EMPTY_HARD_STATE,
      snapshot: null,
      entries: [],
      scars: [],
    },
    pending: [],
    written: 0,
    synced: 0,
    starts: 0,
  };
}

/** Writes a record without waiting; returns its number, which a sync can be asked up to. */
export function write(disk: Disk, record: DiskRecord): number {
  // Most often one record is on its way: a list of one has room for one, not for many.
  if (disk.pending.length === 0) disk.pending = [record];
  else disk.pending.push(record);
  disk.written++;
  return disk.written;
}

/** About the length of a record on disk. */
export function recordBytes(record: DiskRecord): Bytes {
  switch (record.kind) {
    case "identity":
      return 40;
    case "entries": {
      let bytes = 0;
      for (const entry of record.entries) bytes += 16 + entrySize(entry);
      return bytes;
    }
    case "hard-state":
      return 32;
    case "snapshot":
      return record.snapshot.data?.bytes ?? 64;
  }
}

/** Makes everything up to record number `upTo` durable. */
export function sync(disk: Disk, upTo: number): void {
  const count = Math.min(upTo - disk.synced, disk.pending.length);
  if (count <= 0) return;
  for (let i = 0; i < count; i++) {
    const record = disk.pending[i];
    if (record !== undefined) settle(disk.durable, record);
  }
  if (count === disk.pending.length) disk.pending = [];
  else disk.pending.splice(0, count);
  disk.synced += count;
}

/** How many single writes a crash could cut between: every entry is one. */
export function pendingWrites(disk: Disk): number {
  let writes = 0;
  for (const record of disk.pending) {
    writes += record.kind === "entries" ? record.entries.length : 1;
  }
  return writes;
}

/** Power is gone: of what was not synced the first `surviving` single writes last, the rest never was. */
export function loseUnsynced(disk: Disk, surviving: number): void {
  let left = surviving;
  for (const record of disk.pending) {
    if (left <= 0) break;
    if (record.kind === "entries") {
      settle(disk.durable, { kind: "entries", entries: record.entries.slice(0, left) });
      left -= record.entries.length;
    } else {
      settle(disk.durable, record);
      left--;
    }
  }
  disk.pending = [];
  disk.synced = disk.written;
}

function settle(durable: Durable, record: DiskRecord): void {
  switch (record.kind) {
    case "identity":
      durable.identity = record.identity;
      return;
    case "hard-state":
      durable.hardState = record.hardState;
      return;
    case "entries":
      settleEntries(durable, record.entries);
      return;
    case "snapshot":
      settleSnapshot(durable, record.snapshot);
  }
}

/** Reading a WAL, a later entry of an index replaces the earlier one and all after it. */
function settleEntries(durable: Durable, entries: readonly Entry<LogData>[]): void {
  const start = (durable.snapshot?.index ?? 0) + 1;
  for (const entry of entries) {
    const position = entry.index - start;
    if (position < 0) continue;
    if (position < durable.entries.length) durable.entries.length = position;
    durable.entries.push(entry);
  }
}

/** A snapshot releases the WAL up to its index. */
function settleSnapshot(durable: Durable, snapshot: Snapshot<StoreImage>): void {
  const covered = snapshot.index - (durable.snapshot?.index ?? 0);
  if (covered <= 0) return;
  const last = durable.entries[covered - 1];
  // A leader's snapshot replaces a log that does not lead up to it.
  if (last !== undefined && last.term === snapshot.term) durable.entries.splice(0, covered);
  else durable.entries = [];
  durable.snapshot = snapshot;
  if (durable.scars.length > 0) {
    durable.scars = durable.scars.filter(({ index }) => index > snapshot.index);
  }
}

/** What raft starts from: a storage of its own over what is durable. */
export function storageFrom(durable: Durable): MemoryStorage<LogData, StoreImage> {
  const storage = createMemoryStorage<LogData, StoreImage>();
  if (durable.snapshot !== null) applySnapshot(storage, durable.snapshot);
  append(storage, durable.entries);
  setHardState(storage, loadableHardState(durable));
  return storage;
}

/**
 * The hard state of the last sync, its commit index within the log: one that came to disk without
 * the entries or snapshot it speaks of is taken back to what is there, as etcd's WAL reader does by
 * reading only whole records up to the last valid snapshot.
 */
function loadableHardState(durable: Durable): HardState {
  const first = durable.snapshot?.index ?? 0;
  const last: LogIndex = first + durable.entries.length;
  const { term, vote, commit } = durable.hardState;
  return { term, vote, commit: Math.min(Math.max(commit, first), last) };
}
