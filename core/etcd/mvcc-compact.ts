import type { Sink } from "../kernel/index.js";
import type { Revision } from "./client.js";
import { hashAtCompaction, rememberHash } from "./hash-kv.js";
import { type Mvcc, type Row, rowsUpTo } from "./mvcc.js";
import { findKey, removeKey } from "./mvcc-index.js";
import { removeRow, visitRows } from "./mvcc-log.js";
import type { EtcdProfile } from "./profile.js";

/**
 * Forgets what no read at `revision` or later needs: of every key all rows before the newest one up
 * to `revision`, and that one too if it is a deletion; releases that keep a deletion at the very
 * revision drop it with the next compaction. etcd does the dropping in the background; nothing
 * that a client can ask for tells the difference.
 *
 * @param dropped - hears of every row that is forgotten
 */
export function compactMvcc(
  store: Mvcc,
  revision: Revision,
  profile: EtcdProfile,
  dropped: Sink<Row> = { push: () => {} },
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
    for (const row of rows.splice(0, staleRows(rows, revision, profile))) {
      removeRow(store.log, row);
      dropped.push(row);
    }
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

/** How many of a key's rows, from the oldest, no read at a revision or later needs. */
function staleRows(rows: readonly Row[], revision: Revision, profile: EtcdProfile): number {
  const upTo = rowsUpTo(rows, revision);
  const newest = rows[upTo - 1];
  if (newest === undefined) return 0;
  const isKept = newest.kv !== null || (profile.keepsTombstone && newest.main === revision);
  return isKept ? upTo - 1 : upTo;
}
