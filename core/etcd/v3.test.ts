import { expect, test } from "vitest";
import { createLessor, grantLease } from "./lease.js";
import { createMvcc, liveKvs, type Mvcc } from "./mvcc.js";
import { compactMvcc } from "./mvcc-compact.js";
import { profileOf } from "./profile.js";
import type { Compare, RequestOp, TxnRequest } from "./v3-api.js";
import { applyKv, readRange } from "./v3-apply.js";
import { checkKvRequest } from "./v3-check.js";

const ETCD_34 = profileOf("3.4.23");
const NOBODY = { push: (): void => {} };

function apply(store: Mvcc, request: Exclude<RequestOp, { readonly op: "kv-range" }>): unknown {
  return applyKv(store, createLessor(), ETCD_34, request, NOBODY);
}

function put(key: string, value = "v"): Extract<RequestOp, { readonly op: "kv-put" }> {
  return { op: "kv-put", key, value };
}

function txn(
  compare: readonly Compare[],
  success: readonly RequestOp[],
  failure: readonly RequestOp[] = [],
): TxnRequest {
  return { op: "kv-txn", compare, success, failure };
}

test("a put counts versions until the key is deleted, and one write is one revision", () => {
  const store = createMvcc();
  apply(store, put("k", "1"));
  apply(store, put("k", "2"));
  expect(readRange(store, { op: "kv-range", key: "k" })).toMatchObject({
    kvs: [{ createRevision: 2, modRevision: 3, version: 2, value: "2" }],
  });
  expect(apply(store, { op: "kv-delete-range", key: "k" })).toMatchObject({ deleted: 1 });
  expect(apply(store, { op: "kv-delete-range", key: "k" })).toMatchObject({ deleted: 0 });
  apply(store, txn([], [put("k"), put("l")]));
  expect(readRange(store, { op: "kv-range", key: "k" })).toMatchObject({
    kvs: [{ createRevision: 5, modRevision: 5, version: 1 }],
  });
  expect(store.revision).toBe(5);
});

test("a range counts all matches, cuts to the limit and reads the past until it is compacted", () => {
  const store = createMvcc();
  for (const key of ["a", "b", "c", "d"]) apply(store, put(key));
  apply(store, { op: "kv-delete-range", key: "a", rangeEnd: "c" });
  const range = { op: "kv-range", key: "a", rangeEnd: "\0" } as const;
  expect(readRange(store, range)).toMatchObject({ count: 2, kvs: [{ key: "c" }, { key: "d" }] });
  expect(readRange(store, { ...range, revision: 5, limit: 2 })).toMatchObject({
    count: 4,
    more: true,
    kvs: [{ key: "a" }, { key: "b" }],
  });
  expect(readRange(store, { ...range, revision: 7 })).toMatchObject({ code: "OutOfRange" });
  expect(compactMvcc(store, 6, ETCD_34)).toBeNull();
  expect(compactMvcc(store, 6, ETCD_34)).toBe("compacted");
  expect(compactMvcc(store, 7, ETCD_34)).toBe("future");
  expect(readRange(store, { ...range, revision: 5 })).toMatchObject({
    message: "etcdserver: mvcc: required revision has been compacted",
  });
  expect(readRange(store, { ...range, revision: 6 })).toMatchObject({ count: 2 });
  expect(liveKvs(store).map(({ key }) => key)).toEqual(["c", "d"]);
});

test("nested comparisons see the state before the transaction, nested ranges what it has done", () => {
  const store = createMvcc();
  const exists: Compare = {
    key: "k",
    result: "greater",
    target: { field: "version", operand: 0 },
  };
  const response = apply(
    store,
    txn([], [put("k"), txn([exists], [], [{ op: "kv-range", key: "k" }])]),
  );
  expect(response).toMatchObject({
    responses: [{ op: "kv-put" }, { succeeded: false, responses: [{ count: 1 }] }],
  });
});

test("the value of a key that is not there satisfies no comparison, its version is 0", () => {
  const store = createMvcc();
  const compare = (target: Compare["target"], result: Compare["result"]): unknown =>
    apply(store, txn([{ key: "k", result, target }], []));
  expect(compare({ field: "value", operand: "x" }, "not-equal")).toMatchObject({
    succeeded: false,
  });
  expect(compare({ field: "version", operand: 0 }, "equal")).toMatchObject({ succeeded: true });
});

test("a transaction may not put a key twice, and finds deletes before it but not after it", () => {
  const del: RequestOp = { op: "kv-delete-range", key: "a", rangeEnd: "z" };
  const duplicate = {
    code: "InvalidArgument",
    message: "etcdserver: duplicate key given in txn request",
  };
  expect(checkKvRequest(txn([], [put("k"), put("k")]))).toMatchObject(duplicate);
  expect(checkKvRequest(txn([], [put("k"), del]))).toMatchObject(duplicate);
  expect(checkKvRequest(txn([], [txn([], [put("k")]), txn([], [del])]))).toBeNull();
  expect(checkKvRequest(txn([], [txn([], [del]), txn([], [put("k")])]))).toMatchObject(duplicate);
  expect(checkKvRequest(txn([], [txn([], [put("k")], [put("k")])]))).toBeNull();
  const everything: RequestOp = { op: "kv-delete-range", key: "a", rangeEnd: "\0" };
  expect(checkKvRequest(txn([], [everything, put("k")]))).toBeNull();
});

test("a transaction that would fail half way changes nothing", () => {
  const store = createMvcc();
  const lessor = createLessor();
  grantLease(lessor, "01", 10, { minTtl: 2, checkpointInterval: null }, 0);
  const bad = txn(
    [],
    [
      { ...put("a"), lease: "01" },
      { ...put("b"), lease: "02" },
    ],
  );
  expect(applyKv(store, lessor, ETCD_34, bad, NOBODY)).toMatchObject({
    message: "etcdserver: requested lease not found",
  });
  expect(store.revision).toBe(1);
  expect(lessor.byKey.size).toBe(0);
});
