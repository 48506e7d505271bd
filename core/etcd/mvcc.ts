import type { LeaseId, Revision } from "./client.js";
import type { KvHash } from "./hash-kv.js";
import {
  addToIndex,
  createKeyIndex,
  findKey,
  type KeyIndex,
  type KeyRows,
  visitKeys,
} from "./mvcc-index.js";
import { appendRow, createRowLog, type RowLog, rowsFrom } from "./mvcc-log.js";
import type { EtcdProfile } from "./profile.js";
import type { KeyValue } from "./v3-api.js";

/** One change of one key: what etcd stores under (main, sub). `kv` is null for a deletion. */
export interface Row {
  readonly main: Revision;
  readonly sub: number;
  readonly key: string;
  readonly kv: KeyValue | null;
  /** A compaction took it from the backend, though the index still points at it: to read it ends the process. */
  readonly lost?: true;
}

/**
 * Ends the process as Go's panic does, where etcd finds what it has ruled out. Members that apply the log
 * to the same end come to the same point, and again after a restart.
 */
export class ApplyPanic extends Error {
  override readonly name = "ApplyPanic";
}

/**
 * The v3 key space with its history since the last compaction. Source: etcd 3.4 mvcc, whose tree
 * index and backend are kept here as rows by key and rows by revision.
 */
export interface Mvcc {
  /** Of the last change; 1 in the beginning. */
  revision: Revision;
  /** -1 if nothing was ever compacted. */
  compactRevision: Revision;
  /** Rows by key. */
  index: KeyIndex;
  /** Rows by revision: what watchers catch up from. */
  log: RowLog;
  /** What compactions found before they dropped rows, by revision; etcd keeps it since 3.5, in memory only. */
  hashes: KvHash[];
}

/** A store as snapshots carry it. */
export interface MvccImage {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly rows: readonly Row[];
}

/** Changes that share one revision. */
export interface WriteTxn {
  /** Revision of the changes made here, whether or not there are any yet. */
  readonly main: Revision;
  changes: Row[];
}

export function createMvcc(): Mvcc {
  return {
    revision: 1,
    compactRevision: -1,
    index: createKeyIndex(),
    log: createRowLog(),
    hashes: [],
  };
}

/** Begins a write. Nothing else may change the store until `endTxn`. */
export function beginTxn(store: Mvcc): WriteTxn {
  return { main: store.revision + 1, changes: [] };
}

/** Ends a write: a revision is used up if anything changed. Returns the changes in order. */
export function endTxn(store: Mvcc, txn: WriteTxn): readonly Row[] {
  if (txn.changes.length > 0) store.revision = txn.main;
  return txn.changes;
}

/** The revision that reads within the write see. */
export function txnRevision(store: Mvcc, txn: WriteTxn): Revision {
  return txn.changes.length > 0 ? txn.main : store.revision;
}

/** Sets a key. A key that is alive keeps its createRevision and counts its version on. */
export function putKey(
  store: Mvcc,
  txn: WriteTxn,
  key: string,
  value: string,
  lease: LeaseId,
): KeyValue {
  const old = indexedAt(store, key, txn.main);
  const kv: KeyValue = {
    key,
    createRevision: old?.createRevision ?? txn.main,
    modRevision: txn.main,
    version: (old?.version ?? 0) + 1,
    value,
    lease,
  };
  addRow(store, txn, { main: txn.main, sub: txn.changes.length, key, kv });
  return kv;
}

/** Deletes every live key in a range, in key order, and returns them. */
export function deleteKeys(
  store: Mvcc,
  txn: WriteTxn,
  key: string,
  rangeEnd: string,
): readonly string[] {
  const keys = keysAt(store, key, rangeEnd, txn.main);
  for (const each of keys) {
    addRow(store, txn, { main: txn.main, sub: txn.changes.length, key: each, kv: null });
  }
  return keys;
}

function keysAt(store: Mvcc, key: string, rangeEnd: string, revision: Revision): string[] {
  const keys: string[] = [];
  const end = rangeEnd === "" ? `${key}\0` : isOpenEnded(rangeEnd) ? null : rangeEnd;
  visitKeys(store.index, key, end, {
    key(entry) {
      if ((rowAt(entry, revision)?.kv ?? null) !== null) keys.push(entry.key);
      return true;
    },
  });
  return keys;
}

/** Whether `rangeEnd` asks for everything from a key on. */
function isOpenEnded(rangeEnd: string): boolean {
  return rangeEnd === "\0";
}

/** The live keys of a range at a revision. */
export interface Found {
  /** In key order, at most as many as were wanted. */
  readonly kvs: KeyValue[];
  /** All there are. */
  readonly count: number;
}

/**
 * Every live key of a range at a revision. An end at or before the key is an empty range.
 *
 * @param limit - how many are wanted; the rest are only counted
 */
export function rangeAt(
  store: Mvcc,
  key: string,
  rangeEnd: string,
  revision: Revision,
  limit = Number.POSITIVE_INFINITY,
): Found {
  const kvs: KeyValue[] = [];
  if (rangeEnd === "") {
    const kv = limit > 0 ? valueAt(store, key, revision) : indexedAt(store, key, revision);
    if (kv !== null && limit > 0) kvs.push(kv);
    return { kvs, count: kv === null ? 0 : 1 };
  }
  let count = 0;
  const isNow = isLatest(store, revision);
  visitKeys(store.index, key, isOpenEnded(rangeEnd) ? null : rangeEnd, {
    key(entry) {
      const row = rowAt(entry, revision);
      if (row === undefined || row.kv === null) return true;
      count++;
      if (kvs.length < limit) kvs.push(read(row, row.kv));
      return true;
    },
    pass(live) {
      // How many are there now is known of whole branches.
      if (!isNow || kvs.length < limit) return false;
      count += live;
      return true;
    },
  });
  return { kvs, count };
}

/** Whether no row is younger than a revision. */
function isLatest({ log }: Mvcc, revision: Revision): boolean {
  const newest = log.chunks[log.chunks.length - 1]?.at(-1);
  return newest === undefined || newest.main <= revision;
}

/** What a key held at a revision, or null if it was not there. */
export function valueAt(store: Mvcc, key: string, revision: Revision): KeyValue | null {
  const entry = findKey(store.index, key);
  const row = entry === undefined ? undefined : rowAt(entry, revision);
  return row === undefined || row.kv === null ? null : read(row, row.kv);
}

/** What the index says of a key, without a look at the backend. */
function indexedAt(store: Mvcc, key: string, revision: Revision): KeyValue | null {
  const entry = findKey(store.index, key);
  return entry === undefined ? null : (rowAt(entry, revision)?.kv ?? null);
}

function read({ lost }: Row, kv: KeyValue): KeyValue {
  if (lost === true) throw new ApplyPanic("range failed to find revision pair");
  return kv;
}

/** The last row of a key up to a revision. */
function rowAt({ rows }: KeyRows, revision: Revision): Row | undefined {
  const last = rows[rows.length - 1];
  if (last === undefined || last.main <= revision) return last;
  return rows[rowsUpTo(rows, revision) - 1];
}

/** How many of a key's rows are not younger than a revision. */
export function rowsUpTo(rows: readonly Row[], revision: Revision): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row !== undefined && row.main <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Which of a key's rows a compaction at a revision would leave of those up to it; -1 for none. It may be a deletion.
 * Where deletions are kept at their own revision, the first one of that revision is found, and not what the same
 * transaction put after it.
 */
export function survivorOf(
  rows: readonly Row[],
  revision: Revision,
  { keepsTombstone }: EtcdProfile,
): number {
  const upTo = rowsUpTo(rows, revision);
  if (!keepsTombstone) return upTo - 1;
  let first = upTo;
  while (rows[first - 1]?.main === revision) first--;
  for (let i = first; i < upTo; i++) if (rows[i]?.kv === null) return i;
  return upTo - 1;
}

/** The rows since a revision, oldest first. */
export function rowsSince(store: Mvcc, revision: Revision): readonly Row[] {
  return rowsFrom(store.log, revision);
}

/** What is there now, in key order. */
export function liveKvs(store: Mvcc): readonly KeyValue[] {
  return rangeAt(store, "", "\0", store.revision).kvs;
}

function addRow(store: Mvcc, txn: WriteTxn, row: Row): void {
  keepRow(store, row);
  txn.changes.push(row);
}

function keepRow(store: Mvcc, row: Row): void {
  appendRow(store.log, row);
  addToIndex(store.index, row);
}

/** A copy of the store that nothing changes. */
export function imageOfMvcc(store: Mvcc): MvccImage {
  const { revision, compactRevision } = store;
  return { revision, compactRevision, rows: rowsSince(store, 0) };
}

/** Puts an image in the place of what the store holds. Hashes of compactions stay, as in etcd. */
export function restoreMvcc(store: Mvcc, image: MvccImage): void {
  store.revision = image.revision;
  store.compactRevision = image.compactRevision;
  store.index = createKeyIndex();
  store.log = createRowLog();
  for (const row of image.rows) keepRow(store, row);
}
