import type { Revision } from "./client.js";
import { hashAtCompaction, rememberHash } from "./hash-kv.js";
import { type Mvcc, type Row, rowsUpTo, survivorOf } from "./mvcc.js";
import { findKey, removeKey } from "./mvcc-index.js";
import { removeRow, visitRows } from "./mvcc-log.js";
import type { EtcdProfile } from "./profile.js";

/**
 * Forgets what no read at `revision` or later needs: of every key all rows before the newest one up
 * to `revision`, and that one too if it is a deletion; releases that keep a deletion at the very
 * revision drop it with the next compaction. etcd does the dropping in the background; nothing
 * that a client can ask for tells the difference.
 */
export function compactMvcc(
  store: Mvcc,
  revision: Revision,
  profile: EtcdProfile,
): "compacted" | "future" | null {
  const previous = store.compactRevision;
  if (revision <= previous) return "compacted";
  if (revision > store.revision) return "future";
  if (profile.compactionHashes) rememberHash(store, hashAtCompaction(store, revision, profile));
  store.compactRevision = revision;
  // Rows that an earlier compaction left are superseded, if at all, by a row since; but for its deletions.
  for (const key of keysChanged(store, previous, revision)) {
    const entry = findKey(store.index, key);
    if (entry === undefined) continue;
    const { rows } = entry;
    const found = survivorOf(rows, revision, profile);
    const upTo = rowsUpTo(rows, revision);
    const isKept = found >= 0 && keeps(rows[found], revision, profile);
    if (isKept) loseRows(store, rows, found + 1, upTo);
    for (const row of rows.splice(0, isKept ? found : upTo)) removeRow(store.log, row);
    if (rows.length === 0) removeKey(store.index, key);
  }
  return null;
}

function keysChanged(store: Mvcc, from: Revision, to: Revision): ReadonlySet<string> {
  const keys = new Set<string>();
  visitRows(store.log, from, (row) => {
    if (row.main > to) return false;
    keys.add(row.key);
    return true;
  });
  return keys;
}

function keeps(row: Row | undefined, revision: Revision, profile: EtcdProfile): boolean {
  if (row === undefined) return false;
  return row.kv !== null || (profile.keepsTombstone && row.main === revision);
}

/** Rows behind the one that is kept go from the backend; etcd's index does not hear of it. */
function loseRows(store: Mvcc, rows: Row[], from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const row = rows[i];
    if (row === undefined || row.lost === true) continue;
    removeRow(store.log, row);
    rows[i] = { ...row, lost: true };
  }
}
