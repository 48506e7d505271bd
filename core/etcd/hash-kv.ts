import type { LeaseId, Revision } from "./client.js";
import type { MaintenanceResult } from "./maintenance-api.js";
import { type Mvcc, type Row, survivorOf } from "./mvcc.js";
import { visitKeys } from "./mvcc-index.js";
import { visitRows } from "./mvcc-log.js";
import type { EtcdProfile } from "./profile.js";
import type { V3Failure } from "./v3-api.js";
import { KV_ERROR } from "./v3-apply.js";

/** A hash over the key space: equal on members with the same history, and on a real etcd. */
export interface KvHash {
  /** CRC-32C, unsigned. */
  readonly hash: number;
  /** The last compaction when it was taken; -1 for none. */
  readonly compactRevision: Revision;
  /** Rows up to here count. */
  readonly revision: Revision;
}

/** How many hashes of compactions etcd remembers. */
const HASHES_KEPT = 10;

/** What HashKV answers. */
type HashAnswer = Omit<Extract<MaintenanceResult, { readonly op: "hash-kv" }>, "op">;

/** Answers HashKV: the hash at a revision, 0 for the current one. */
export function answerHashKv(
  store: Mvcc,
  revision: Revision,
  profile: EtcdProfile,
): HashAnswer | V3Failure {
  const found = findHash(store, revision, profile);
  if ("ok" in found) return found;
  const { hash, compactRevision } = found;
  return { hash, compactRevision, hashRevision: profile.tellsHashRevision ? found.revision : 0 };
}

function findHash(store: Mvcc, revision: Revision, profile: EtcdProfile): KvHash | V3Failure {
  // etcd looks here before it looks at the revision, so that a compacted one, and even 0, may be found.
  const known = store.hashes.find((each) => each.revision === revision);
  if (known !== undefined) return known;
  const { compactRevision } = store;
  const oldest = profile.hashesCompacted ? compactRevision : compactRevision + 1;
  if (revision > 0 && revision < oldest) return KV_ERROR.compacted;
  if (revision > store.revision) return KV_ERROR.future;
  // Below zero there are no rows, and etcd hashes none.
  const at = revision === 0 ? store.revision : revision;
  return hashRows(store, at, profile, hasLive(store, at, profile));
}

/** The hash that a compaction finds on its way, while the rows it drops are still there. */
export function hashAtCompaction(store: Mvcc, revision: Revision, profile: EtcdProfile): KvHash {
  const keepsAny =
    hasLive(store, revision, profile) || (profile.keepsTombstone && hasRowAt(store, revision));
  return hashRows(store, revision, profile, keepsAny);
}

/** Remembers the hash of a compaction, the newest ten by revision. */
export function rememberHash(store: Mvcc, hash: KvHash): void {
  const { hashes } = store;
  hashes.push(hash);
  hashes.sort((left, right) => left.revision - right.revision);
  if (hashes.length > HASHES_KEPT) hashes.splice(0, hashes.length - HASHES_KEPT);
}

/**
 * CRC-32C over the name of etcd's bucket and its rows up to a revision, as bytes. Of the rows that
 * the last compaction left only those count that a compaction now would leave too, unless it would
 * leave none at all (etcd 3.4 mvcc/kvstore.go, 3.6 storage/mvcc/hash.go).
 */
function hashRows(
  store: Mvcc,
  revision: Revision,
  profile: EtcdProfile,
  keepsAny: boolean,
): KvHash {
  const { compactRevision } = store;
  const newest = compactRevision > 0 && keepsAny ? newestRows(store, revision) : null;
  const crc: Crc = { value: 0xffff_ffff };
  addText(crc, "key");
  let place = 0;
  visitRows(store.log, 0, (row) => {
    if (row.main > revision) return false;
    const isNewest = newest === null || newest.get(row.key) === place;
    place++;
    if (row.main <= compactRevision && newest !== null && !(isNewest && row.kv !== null)) {
      return true;
    }
    // Members that keep such a deletion and members that do not must agree.
    if (profile.keepsTombstone && row.main === compactRevision && row.kv === null) return true;
    addRow(crc, row);
    return true;
  });
  return { hash: (crc.value ^ 0xffff_ffff) >>> 0, compactRevision, revision };
}

/** Whether a compaction at a revision would leave any key. */
function hasLive(store: Mvcc, revision: Revision, profile: EtcdProfile): boolean {
  let found = false;
  visitKeys(store.index, "", null, {
    key({ rows }) {
      const row = rows[survivorOf(rows, revision, profile)];
      found = row !== undefined && row.kv !== null;
      return !found;
    },
  });
  return found;
}

function hasRowAt(store: Mvcc, revision: Revision): boolean {
  let found = false;
  visitRows(store.log, revision, ({ main }) => {
    found = main === revision;
    return false;
  });
  return found;
}

/** By key the place in the log of its last row up to a revision. */
function newestRows(store: Mvcc, revision: Revision): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  let place = 0;
  visitRows(store.log, 0, ({ main, key }) => {
    if (main > revision) return false;
    newest.set(key, place++);
    return true;
  });
  return newest;
}

/** CRC-32C over byte strings, one after the other. */
export function crc32c(texts: Iterable<string>): number {
  const crc: Crc = { value: 0xffff_ffff };
  for (const text of texts) addText(crc, text);
  return (crc.value ^ 0xffff_ffff) >>> 0;
}

/** A checksum under way. */
interface Crc {
  value: number;
}

/** Reflected polynomial of Castagnoli. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

function addByte(crc: Crc, byte: number): void {
  crc.value = (crc.value >>> 8) ^ (TABLE[(crc.value ^ byte) & 0xff] ?? 0);
}

function addText(crc: Crc, text: string): void {
  for (let i = 0; i < text.length; i++) addByte(crc, text.charCodeAt(i));
}

/** A row as etcd's backend has it: (main, "_", sub) with a "t" for a deletion, then a protobuf KeyValue. */
function addRow(crc: Crc, { main, sub, key, kv }: Row): void {
  addWord(crc, main);
  addByte(crc, 0x5f);
  addWord(crc, sub);
  if (kv === null) addByte(crc, 0x74);
  addBytesField(crc, 1, key);
  if (kv === null) return;
  addIntField(crc, 2, kv.createRevision);
  addIntField(crc, 3, kv.modRevision);
  addIntField(crc, 4, kv.version);
  addBytesField(crc, 5, kv.value);
  addLeaseField(crc, 6, kv.lease);
}

/** 64 bits, the highest byte first. */
function addWord(crc: Crc, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  for (let shift = 24; shift >= 0; shift -= 8) addByte(crc, (high >>> shift) & 0xff);
  for (let shift = 24; shift >= 0; shift -= 8) addByte(crc, (value >>> shift) & 0xff);
}

function addBytesField(crc: Crc, field: number, text: string): void {
  if (text === "") return;
  addByte(crc, (field << 3) | 2);
  addVarint(crc, text.length);
  addText(crc, text);
}

function addIntField(crc: Crc, field: number, value: number): void {
  if (value === 0) return;
  addByte(crc, field << 3);
  addVarint(crc, value);
}

function addLeaseField(crc: Crc, field: number, lease: LeaseId): void {
  if (lease === "") return;
  addByte(crc, field << 3);
  for (let rest = BigInt(`0x${lease}`); ; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    if (rest < 0x80n) {
      addByte(crc, byte);
      return;
    }
    addByte(crc, byte | 0x80);
  }
}

/** Seven bits at a time, the lowest first. */
function addVarint(crc: Crc, value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    addByte(crc, (rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  addByte(crc, rest);
}
