import type { LeaseId, Revision } from "./client.js";
import type { KeyValue } from "./v3-api.js";

/** One change of one key: what etcd stores under (main, sub). `kv` is null for a deletion. */
export interface Row {
  readonly main: Revision;
  readonly sub: number;
  readonly key: string;
  readonly kv: KeyValue | null;
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
  /** Every key with a row, ascending by bytes. */
  keys: string[];
  /** Rows of a key, oldest first. */
  byKey: Map<string, Row[]>;
  /** All rows in order of revision: what watchers catch up from. */
  rows: Row[];
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
  return { revision: 1, compactRevision: -1, keys: [], byKey: new Map(), rows: [] };
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
  const old = valueAt(store, key, txn.main);
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

/** Deletes every live key in a range and returns what they held, in key order. */
export function deleteKeys(
  store: Mvcc,
  txn: WriteTxn,
  key: string,
  rangeEnd: string,
): readonly KeyValue[] {
  const old = rangeAt(store, key, rangeEnd, txn.main);
  for (const kv of old) {
    addRow(store, txn, { main: txn.main, sub: txn.changes.length, key: kv.key, kv: null });
  }
  return old;
}

/** Whether `rangeEnd` asks for everything from a key on. */
function isOpenEnded(rangeEnd: string): boolean {
  return rangeEnd === "\0";
}

/** Whether a key lies in a range as etcd's API states it. */
export function inRange(candidate: string, key: string, rangeEnd: string): boolean {
  if (rangeEnd === "") return candidate === key;
  return candidate >= key && (isOpenEnded(rangeEnd) || candidate < rangeEnd);
}

/** Every live key of a range at a revision, in key order. An end at or before the key is an empty range. */
export function rangeAt(
  store: Mvcc,
  key: string,
  rangeEnd: string,
  revision: Revision,
): KeyValue[] {
  if (rangeEnd === "") {
    const kv = valueAt(store, key, revision);
    return kv === null ? [] : [kv];
  }
  const found: KeyValue[] = [];
  const { keys } = store;
  for (let i = lowerBound(keys, key); i < keys.length; i++) {
    const candidate = keys[i];
    if (candidate === undefined) break;
    if (!isOpenEnded(rangeEnd) && candidate >= rangeEnd) break;
    const kv = valueAt(store, candidate, revision);
    if (kv !== null) found.push(kv);
  }
  return found;
}

/** What a key held at a revision, or null if it was not there. */
export function valueAt(store: Mvcc, key: string, revision: Revision): KeyValue | null {
  const rows = store.byKey.get(key);
  if (rows === undefined) return null;
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i];
    if (row !== undefined && row.main <= revision) return row.kv;
  }
  return null;
}

/** The rows since a revision, oldest first. */
export function rowsSince(store: Mvcc, revision: Revision): readonly Row[] {
  const { rows } = store;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.main ?? 0) < revision) low = middle + 1;
    else high = middle;
  }
  return rows.slice(low);
}

/**
 * Forgets what no read at `revision` or later needs: of every key all rows before the newest one up
 * to `revision`, and that one too if it is a deletion.
 */
export function compactMvcc(store: Mvcc, revision: Revision): "compacted" | "future" | null {
  if (revision <= store.compactRevision) return "compacted";
  if (revision > store.revision) return "future";
  store.compactRevision = revision;
  const kept: Row[] = [];
  const keys: string[] = [];
  const byKey = new Map<string, Row[]>();
  for (const key of store.keys) {
    const rows = rowsKept(store.byKey.get(key) ?? [], revision);
    if (rows.length === 0) continue;
    keys.push(key);
    byKey.set(key, rows);
    for (const row of rows) kept.push(row);
  }
  kept.sort((left, right) => left.main - right.main || left.sub - right.sub);
  store.keys = keys;
  store.byKey = byKey;
  store.rows = kept;
  return null;
}

function rowsKept(rows: readonly Row[], revision: Revision): Row[] {
  let newest = -1;
  for (let i = 0; i < rows.length; i++) {
    if ((rows[i]?.main ?? 0) <= revision) newest = i;
  }
  const start = newest >= 0 && rows[newest]?.kv !== null ? newest : newest + 1;
  return rows.slice(start);
}

function addRow(store: Mvcc, txn: WriteTxn, row: Row): void {
  indexRow(store, row);
  txn.changes.push(row);
}

function indexRow(store: Mvcc, row: Row): void {
  store.rows.push(row);
  const rows = store.byKey.get(row.key);
  if (rows !== undefined) {
    rows.push(row);
    return;
  }
  store.byKey.set(row.key, [row]);
  store.keys.splice(lowerBound(store.keys, row.key), 0, row.key);
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A copy of the store that nothing changes. */
export function imageOfMvcc(store: Mvcc): MvccImage {
  const { revision, compactRevision } = store;
  return { revision, compactRevision, rows: [...store.rows] };
}

/** Puts an image in the place of what the store holds. */
export function restoreMvcc(store: Mvcc, image: MvccImage): void {
  store.revision = image.revision;
  store.compactRevision = image.compactRevision;
  store.rows = [];
  store.keys = [];
  store.byKey = new Map();
  for (const row of image.rows) indexRow(store, row);
}
