import fc from "fast-check";
import { produce } from "immer";
import { expect, test } from "vitest";
import { answerHashKv } from "./hash-kv.js";
import {
  ApplyPanic,
  beginTxn,
  createMvcc,
  deleteKeys,
  endTxn,
  imageOfMvcc,
  type Mvcc,
  putKey,
  rangeAt,
  restoreMvcc,
  rowsSince,
  valueAt,
} from "./mvcc.js";
import { compactMvcc } from "./mvcc-compact.js";
import { type EtcdProfile, profileOf } from "./profile.js";
import type { KeyValue } from "./v3-api.js";

const ETCD_34 = profileOf("3.4.23");
const ETCD_36 = profileOf("3.6.16");

function put(store: Mvcc, key: string, value = "v"): void {
  const txn = beginTxn(store);
  putKey(store, txn, key, value, "");
  endTxn(store, txn);
}

function remove(store: Mvcc, key: string, rangeEnd = ""): void {
  const txn = beginTxn(store);
  deleteKeys(store, txn, key, rangeEnd);
  endTxn(store, txn);
}

type Change =
  | { readonly put: string }
  | { readonly remove: string; readonly rangeEnd: string }
  | { readonly compact: number };

// Hundreds of keys, so that nodes split and join.
const key = fc.nat({ max: 400 }).map((number) => `k${String(number).padStart(3, "0")}`);
const change = fc.oneof(
  { weight: 12, arbitrary: fc.record({ put: key }) },
  { weight: 3, arbitrary: fc.record({ remove: key, rangeEnd: fc.oneof(fc.constant(""), key) }) },
  { weight: 1, arbitrary: fc.record({ compact: fc.nat({ max: 5 }) }) },
) satisfies fc.Arbitrary<Change>;
const changes = fc.array(change, { maxLength: 600, size: "max" });

function make(store: Mvcc, list: readonly Change[], profile: EtcdProfile): void {
  for (const each of list) {
    if ("put" in each) put(store, each.put);
    else if ("remove" in each) remove(store, each.remove, each.rangeEnd);
    else compactMvcc(store, store.revision - each.compact, profile);
  }
}

/** The same by the plainest means: what every key held after every revision. */
function states(list: readonly Change[]): readonly ReadonlyMap<string, KeyValue>[] {
  const all: Map<string, KeyValue>[] = [new Map(), new Map()];
  for (const each of list) {
    const last = all.at(-1) ?? new Map<string, KeyValue>();
    const next = new Map(last);
    const main = all.length;
    if ("put" in each) {
      const old = last.get(each.put);
      next.set(each.put, {
        key: each.put,
        createRevision: old?.createRevision ?? main,
        modRevision: main,
        version: (old?.version ?? 0) + 1,
        value: "v",
        lease: "",
      });
      all.push(next);
    } else if ("remove" in each) {
      const { remove: from, rangeEnd } = each;
      for (const name of last.keys()) {
        if (rangeEnd === "" ? name === from : name >= from && name < rangeEnd) next.delete(name);
      }
      if (next.size < last.size) all.push(next);
    }
  }
  return all;
}

test("every revision since the last compaction reads as it was, in order and counted", () => {
  fc.assert(
    fc.property(changes, key, key, fc.nat({ max: 20 }), (list, from, end, limit) => {
      const store = createMvcc();
      make(store, list, ETCD_34);
      const expected = states(list);
      expect(store.revision).toBe(expected.length - 1);
      for (const back of [0, 1, 2, 5]) {
        const revision = Math.max(store.revision - back, store.compactRevision, 1);
        const then = [...(expected[revision]?.values() ?? [])];
        const within = then
          .filter((kv) => kv.key >= from && kv.key < end)
          .sort((left, right) => (left.key < right.key ? -1 : 1));
        const found = rangeAt(store, from, end, revision, limit);
        expect(found.kvs).toEqual(within.slice(0, limit));
        expect(found.count).toBe(within.length);
        expect(rangeAt(store, "", "\0", revision, 0).count).toBe(then.length);
        expect(valueAt(store, from, revision)).toEqual(expected[revision]?.get(from) ?? null);
      }
    }),
  );
});

test("a compaction leaves the rows that one found by looking at every key would leave", () => {
  fc.assert(
    fc.property(changes, fc.constantFrom(ETCD_34, ETCD_36), (list, profile) => {
      const store = createMvcc();
      make(store, list, profile);
      const before = rowsSince(store, 0);
      const revision = store.revision;
      if (compactMvcc(store, revision, profile) !== null) return;
      const newest = new Map(before.map((row) => [row.key, row]));
      const left = before.filter(
        (row) =>
          newest.get(row.key) === row &&
          (row.kv !== null || (profile.keepsTombstone && row.main === revision)),
      );
      expect(rowsSince(store, 0)).toEqual(left);
    }),
  );
});

test("a store made anew from its image answers and hashes alike, and an image does not change", () => {
  fc.assert(
    fc.property(changes, changes, (list, more) => {
      const store = createMvcc();
      make(store, list, ETCD_34);
      const image = imageOfMvcc(store);
      const copy = structuredClone(image);
      const other = createMvcc();
      restoreMvcc(other, image);
      expect(answerHashKv(other, 0, ETCD_34)).toEqual(answerHashKv(store, 0, ETCD_34));
      make(store, more, ETCD_34);
      make(other, more, ETCD_34);
      expect(image).toEqual(copy);
      expect(imageOfMvcc(other)).toEqual(imageOfMvcc(store));
    }),
    { numRuns: 30 },
  );
});

test("under immer the same changes make the same store, and leave the one before as it was", () => {
  fc.assert(
    fc.property(changes, changes, (list, more) => {
      const store = createMvcc();
      make(store, list, ETCD_36);
      const copy = structuredClone(store);
      const next = produce(store, (draft) => make(draft, more, ETCD_36));
      expect(store).toEqual(copy);
      make(copy, more, ETCD_36);
      expect(next).toEqual(copy);
    }),
    { numRuns: 20 },
  );
});

test("the hash of an empty key space is that of etcd's bucket name", () => {
  const store = createMvcc();
  expect(answerHashKv(store, 0, ETCD_34)).toEqual({
    hash: 1084519789,
    compactRevision: -1,
    hashRevision: 0,
  });
});

test("3.6 finds the hash of a compaction again, at revisions that are compacted too", () => {
  const store = createMvcc();
  for (const value of ["1", "2", "3", "4"]) put(store, "k", value);
  const before = answerHashKv(store, 3, ETCD_36);
  expect(compactMvcc(store, 3, ETCD_36)).toBeNull();
  expect(compactMvcc(store, 4, ETCD_36)).toBeNull();
  expect(answerHashKv(store, 3, ETCD_36)).toEqual(before);
  expect(answerHashKv(store, 2, ETCD_36)).toMatchObject({ code: "OutOfRange" });
  expect(answerHashKv(store, 6, ETCD_36)).toMatchObject({ code: "OutOfRange" });
});

test("a key deleted and put again at the revision of a compaction is lost where deletions are kept", () => {
  const lose = (profile: EtcdProfile): Mvcc => {
    const store = createMvcc();
    put(store, "k");
    const txn = beginTxn(store);
    deleteKeys(store, txn, "k", "\0");
    putKey(store, txn, "k", "again", "");
    endTxn(store, txn);
    compactMvcc(store, txn.main, profile);
    return store;
  };
  expect(valueAt(lose(ETCD_34), "k", 3)?.value).toBe("again");
  const lost = lose(ETCD_36);
  expect(rangeAt(lost, "k", "", 3, 0).count).toBe(1);
  expect(() => valueAt(lost, "k", 3)).toThrow(ApplyPanic);
});
