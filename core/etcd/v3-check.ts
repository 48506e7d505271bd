import type { DeleteRangeRequest, RequestOp, TxnRequest, V3Failure } from "./v3-api.js";
import { KV_ERROR } from "./v3-apply.js";

/** etcd's --max-txn-ops. */
const TXN_OPS_MAX = 128;

/**
 * What is wrong with a key-value request whatever the store holds, as etcd 3.4's
 * etcdserver/api/v3rpc/key.go finds it before anything is proposed; null if nothing is.
 */
export function checkKvRequest(request: RequestOp): V3Failure | null {
  if (request.op !== "kv-txn") return checkOp(request, TXN_OPS_MAX);
  const malformed = checkOp(request, TXN_OPS_MAX);
  if (malformed !== null) return malformed;
  for (const branch of [request.success, request.failure]) {
    if (touchedBy(branch) === null) return KV_ERROR.duplicateKey;
  }
  return null;
}

function checkOp(op: RequestOp, opsMax: number): V3Failure | null {
  switch (op.op) {
    case "kv-range":
    case "kv-delete-range":
      return op.key === "" ? KV_ERROR.emptyKey : null;
    case "kv-put":
      if (op.key === "") return KV_ERROR.emptyKey;
      if (op.ignoreValue === true && op.value !== "") return KV_ERROR.valueProvided;
      return op.ignoreLease === true && (op.lease ?? "") !== "" ? KV_ERROR.leaseProvided : null;
    case "kv-txn":
      return checkTxn(op, opsMax);
  }
}

/** A nested transaction may hold as many operations less as its parent has. */
function checkTxn(txn: TxnRequest, opsMax: number): V3Failure | null {
  const ops = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (ops > opsMax) return KV_ERROR.tooManyOps;
  if (txn.compare.some((compare) => compare.key === "")) return KV_ERROR.emptyKey;
  for (const branch of [txn.success, txn.failure]) {
    for (const op of branch) {
      const refusal = checkOp(op, opsMax - ops);
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

/** Which keys a branch puts and which ranges it deletes. */
interface Touched {
  readonly puts: Set<string>;
  readonly deletes: DeleteRangeRequest[];
}

/**
 * Collects what a branch touches, or null if it puts a key twice or puts one that it deletes. The two
 * branches of a nested transaction exclude each other. As in etcd the deletes of a nested
 * transaction count only for what comes after it, so a put before such a delete passes.
 */
function touchedBy(ops: readonly RequestOp[]): Touched | null {
  const puts = new Set<string>();
  const deletes: DeleteRangeRequest[] = [];
  const collides = (key: string): boolean =>
    puts.has(key) || deletes.some((del) => covers(del, key));
  for (const op of ops) if (op.op === "kv-delete-range") deletes.push(op);
  for (const op of ops) {
    if (op.op !== "kv-txn") continue;
    const success = touchedBy(op.success);
    const failure = touchedBy(op.failure);
    if (success === null || failure === null) return null;
    for (const key of success.puts) {
      if (collides(key)) return null;
      puts.add(key);
    }
    for (const key of failure.puts) {
      if (success.puts.has(key)) continue;
      if (collides(key)) return null;
      puts.add(key);
    }
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const op of ops) {
    if (op.op !== "kv-put") continue;
    if (collides(op.key)) return null;
    puts.add(op.key);
  }
  return { puts, deletes };
}

/**
 * Whether the check takes a delete to concern a key. As in etcd 3.4, whose interval tree does not know
 * that an end of "\0" means everything from the key on, such a delete concerns none.
 */
function covers(del: DeleteRangeRequest, key: string): boolean {
  const rangeEnd = del.rangeEnd ?? "";
  return rangeEnd === "" ? key === del.key : key >= del.key && key < rangeEnd;
}
