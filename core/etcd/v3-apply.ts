import type { Sink } from "../kernel/index.js";
import type { LeaseId, Revision } from "./client.js";
import { attachKey, type Lessor } from "./lease.js";
import {
  ApplyPanic,
  beginTxn,
  deleteKeys,
  endTxn,
  type Mvcc,
  putKey,
  type Row,
  rangeAt,
  txnRevision,
  valueAt,
  type WriteTxn,
} from "./mvcc.js";
import type { EtcdProfile } from "./profile.js";
import {
  type Compare,
  type DeleteRangeRequest,
  type KeyValue,
  type OpResponse,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type SortTarget,
  type TxnRequest,
  type V3Failure,
  v3Failure,
} from "./v3-api.js";

/** etcd's refusals of key-value requests. */
export const KV_ERROR = {
  emptyKey: v3Failure("InvalidArgument", "etcdserver: key is not provided"),
  keyNotFound: v3Failure("InvalidArgument", "etcdserver: key not found"),
  valueProvided: v3Failure("InvalidArgument", "etcdserver: value is provided"),
  leaseProvided: v3Failure("InvalidArgument", "etcdserver: lease is provided"),
  tooManyOps: v3Failure("InvalidArgument", "etcdserver: too many operations in txn request"),
  duplicateKey: v3Failure("InvalidArgument", "etcdserver: duplicate key given in txn request"),
  compacted: v3Failure("OutOfRange", "etcdserver: mvcc: required revision has been compacted"),
  future: v3Failure("OutOfRange", "etcdserver: mvcc: required revision is a future revision"),
  leaseNotFound: v3Failure("NotFound", "etcdserver: requested lease not found"),
  leaseExists: v3Failure("FailedPrecondition", "etcdserver: lease already exists"),
  leaseTtlTooLarge: v3Failure("OutOfRange", "etcdserver: too large lease TTL"),
} as const satisfies Record<string, V3Failure>;

/** Reads a range at the store's current revision, or at the one asked for. */
export function readRange(store: Mvcc, request: RangeRequest): OpResponse | V3Failure {
  return rangeOp(store, request, store.revision);
}

/**
 * Does one put, delete or transaction: all of it at one revision, or nothing. Throws an `ApplyPanic`
 * where etcd's process ends.
 */
export function applyKv(
  store: Mvcc,
  lessor: Lessor,
  profile: EtcdProfile,
  request: PutRequest | DeleteRangeRequest | TxnRequest,
  changed: Sink<readonly Row[]>,
): OpResponse | V3Failure {
  const choices: boolean[] = [];
  if (request.op === "kv-txn") choosePaths(store, request, choices);
  const refusal = refusalOf(store, lessor, profile, request, choices);
  if (refusal !== null) return refusal;
  const txn = beginTxn(store);
  const response = writeOp(store, lessor, txn, request, choices, { next: 0 });
  const rows = endTxn(store, txn);
  if (rows.length > 0) changed.push(rows);
  return response;
}

/** A transaction without the ranges of its first level. */
export function withoutRanges({ success, failure, ...txn }: TxnRequest): TxnRequest {
  const rest = (ops: readonly RequestOp[]) => ops.filter((op) => op.op !== "kv-range");
  return { ...txn, success: rest(success), failure: rest(failure) };
}

/** Deletes the keys of a dropped lease, in one revision. */
export function deleteLeasedKeys(
  store: Mvcc,
  keys: readonly string[],
  changed: Sink<readonly Row[]>,
): void {
  const txn = beginTxn(store);
  for (const key of keys) deleteKeys(store, txn, key, "");
  const rows = endTxn(store, txn);
  if (rows.length > 0) changed.push(rows);
}

/** Position in the choices of a transaction's tree, which is walked in the same order every time. */
interface Cursor {
  next: number;
}

/**
 * Decides every transaction of the tree before anything is done: nested comparisons see the state
 * before the whole transaction (etcd's compareToPath).
 */
function choosePaths(store: Mvcc, txn: TxnRequest, choices: boolean[]): void {
  const succeeded = txn.compare.every((compare) => holds(store, compare));
  choices.push(succeeded);
  for (const op of succeeded ? txn.success : txn.failure) {
    if (op.op === "kv-txn") choosePaths(store, op, choices);
  }
}

const MISSING: KeyValue = {
  key: "",
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: "",
  lease: "",
};

/** A range must satisfy the comparison with every key; one without keys counts as a missing key. */
function holds(store: Mvcc, compare: Compare): boolean {
  const { kvs } = rangeAt(store, compare.key, compare.rangeEnd ?? "", store.revision);
  // Nothing can be said of the value of a key that is not there.
  if (kvs.length === 0) return compare.target.field !== "value" && holdsFor(MISSING, compare);
  return kvs.every((kv) => holdsFor(kv, compare));
}

function holdsFor(kv: KeyValue, { target, result }: Compare): boolean {
  const order = orderOf(kv, target);
  switch (result) {
    case "equal":
      return order === 0;
    case "not-equal":
      return order !== 0;
    case "greater":
      return order > 0;
    case "less":
      return order < 0;
  }
}

function orderOf(kv: KeyValue, target: Compare["target"]): number {
  switch (target.field) {
    case "value":
      return compareOrder(kv.value, target.operand);
    case "lease":
      return compareOrder(signedLease(kv.lease), signedLease(target.operand));
    default:
      return compareOrder(fieldOf(kv, target.field), target.operand);
  }
}

function signedLease(id: LeaseId): bigint {
  return BigInt.asIntN(64, BigInt(`0x${id === "" ? "0" : id}`));
}

function fieldOf(kv: KeyValue, field: "version" | "create" | "mod"): number {
  switch (field) {
    case "version":
      return kv.version;
    case "create":
      return kv.createRevision;
    case "mod":
      return kv.modRevision;
  }
}

function compareOrder<T extends string | number | bigint>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function chosen(
  txn: TxnRequest,
  choices: readonly boolean[],
  cursor: Cursor,
): readonly RequestOp[] {
  return choices[cursor.next++] === true ? txn.success : txn.failure;
}

/** What would stop the request half way, found before it begins. */
function refusalOf(
  store: Mvcc,
  lessor: Lessor,
  profile: EtcdProfile,
  request: PutRequest | DeleteRangeRequest | TxnRequest,
  choices: readonly boolean[],
): V3Failure | null {
  if (request.op === "kv-delete-range") return null;
  // A put by itself is looked at for its lease first.
  if (request.op === "kv-put") {
    return leaseRefusal(lessor, request) ?? keyRefusal(store, request);
  }
  const ops = chosenOps(request, choices, { next: 0 });
  const puts = ops.filter((op) => op.op === "kv-put");
  const ranges = ops.filter((op) => op.op === "kv-range");
  for (const op of profile.checksPutsFirst ? [...puts, ...ranges] : ops) {
    const refusal =
      op.op === "kv-put"
        ? (keyRefusal(store, op) ?? leaseRefusal(lessor, op))
        : op.op === "kv-range"
          ? checkRevision(store, op.revision ?? 0)
          : null;
    if (refusal !== null) return refusal;
  }
  return null;
}

/** The operations that a transaction will do, in order, those of nested ones in their places. */
function chosenOps(
  txn: TxnRequest,
  choices: readonly boolean[],
  cursor: Cursor,
): Exclude<RequestOp, TxnRequest>[] {
  return chosen(txn, choices, cursor).flatMap((op) =>
    op.op === "kv-txn" ? chosenOps(op, choices, cursor) : [op],
  );
}

/** Who keeps a value or a lease must have one. */
function keyRefusal(store: Mvcc, put: PutRequest): V3Failure | null {
  if (put.ignoreValue !== true && put.ignoreLease !== true) return null;
  return valueAt(store, put.key, store.revision) === null ? KV_ERROR.keyNotFound : null;
}

function leaseRefusal(lessor: Lessor, { lease = "" }: PutRequest): V3Failure | null {
  return lease !== "" && !lessor.leases.has(lease) ? KV_ERROR.leaseNotFound : null;
}

/** Takes negative revisions as they are, other than a range by itself does (#13871). */
function checkRevision(store: Mvcc, revision: Revision): V3Failure | null {
  if (revision === 0) return null;
  if (revision > store.revision) return KV_ERROR.future;
  return revision < store.compactRevision ? KV_ERROR.compacted : null;
}

function writeOp(
  store: Mvcc,
  lessor: Lessor,
  txn: WriteTxn,
  request: RequestOp,
  choices: readonly boolean[],
  cursor: Cursor,
): OpResponse {
  switch (request.op) {
    case "kv-range": {
      const response = rangeOp(store, request, txnRevision(store, txn));
      if ("ok" in response)
        throw new ApplyPanic(`unexpected error during txn: ${response.message}`);
      return response;
    }
    case "kv-put":
      return putOp(store, lessor, txn, request);
    case "kv-delete-range":
      return deleteOp(store, lessor, txn, request);
    case "kv-txn": {
      const succeeded = choices[cursor.next] === true;
      const ops = chosen(request, choices, cursor);
      const responses = ops.map((op) => writeOp(store, lessor, txn, op, choices, cursor));
      return { op: "kv-txn", succeeded, responses };
    }
  }
}

function putOp(store: Mvcc, lessor: Lessor, txn: WriteTxn, put: PutRequest): OpResponse {
  const isKeeping = put.ignoreValue === true || put.ignoreLease === true;
  const old =
    isKeeping || put.prevKv === true ? valueAt(store, put.key, txnRevision(store, txn)) : null;
  if (old === null && isKeeping) {
    // Deleted by an earlier operation of the transaction, of which the check that went before knows nothing.
    throw new ApplyPanic(`unexpected error during txn: ${KV_ERROR.keyNotFound.message}`);
  }
  const value = put.ignoreValue === true ? (old?.value ?? "") : put.value;
  const lease: LeaseId = put.ignoreLease === true ? (old?.lease ?? "") : (put.lease ?? "");
  putKey(store, txn, put.key, value, lease);
  attachKey(lessor, put.key, lease);
  return put.prevKv === true && old !== null ? { op: "kv-put", prevKv: old } : { op: "kv-put" };
}

function deleteOp(
  store: Mvcc,
  lessor: Lessor,
  txn: WriteTxn,
  request: DeleteRangeRequest,
): OpResponse {
  const { key, rangeEnd = "" } = request;
  const prevKvs =
    request.prevKv === true ? rangeAt(store, key, rangeEnd, txnRevision(store, txn)).kvs : [];
  const gone = deleteKeys(store, txn, key, rangeEnd);
  for (const each of gone) attachKey(lessor, each, "");
  return { op: "kv-delete-range", deleted: gone.length, prevKvs };
}

function rangeOp(store: Mvcc, request: RangeRequest, current: Revision): OpResponse | V3Failure {
  const asked = request.revision ?? 0;
  if (asked > current) return KV_ERROR.future;
  const revision = asked > 0 ? asked : current;
  if (revision < store.compactRevision) return KV_ERROR.compacted;
  const limit = request.limit ?? 0;
  // etcd cuts to the limit first unless it has to see everything to sort or filter.
  const sorts = request.sortOrder !== undefined && request.sortOrder !== "none";
  const isCut = limit > 0 && !sorts && !filters(request);
  const wanted = request.countOnly === true ? 0 : isCut ? limit + 1 : Number.POSITIVE_INFINITY;
  const found = rangeAt(store, request.key, request.rangeEnd ?? "", revision, wanted);
  const { count } = found;
  let kvs = found.kvs.filter((kv) => passes(request, kv));
  sortKvs(request, kvs);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keysOnly === true) kvs = kvs.map((kv) => ({ ...kv, value: "" }));
  return { op: "kv-range", kvs, more, count };
}

function filters(request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const bounds = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision];
  return bounds.some((bound) => bound !== undefined && bound !== 0);
}

function passes(request: RangeRequest, kv: KeyValue): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (maxModRevision && kv.modRevision > maxModRevision) return false;
  if (minModRevision && kv.modRevision < minModRevision) return false;
  if (maxCreateRevision && kv.createRevision > maxCreateRevision) return false;
  return !(minCreateRevision && kv.createRevision < minCreateRevision);
}

/** By key they are sorted already. Any other target sorts, ascending unless told otherwise. */
function sortKvs(request: RangeRequest, kvs: KeyValue[]): void {
  const { sortTarget = "key", sortOrder = "none" } = request;
  if (sortTarget === "key" && sortOrder !== "descend") return;
  const sign = sortOrder === "descend" ? -1 : 1;
  kvs.sort((left, right) => sign * compareBy(sortTarget, left, right));
}

function compareBy(target: SortTarget, left: KeyValue, right: KeyValue): number {
  switch (target) {
    case "key":
      return compareOrder(left.key, right.key);
    case "value":
      return compareOrder(left.value, right.value);
    case "version":
    case "create":
    case "mod":
      return fieldOf(left, target) - fieldOf(right, target);
  }
}
