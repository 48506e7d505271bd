import type { KeyValue, LeaseId, OpResponse, Revision, V3Result } from "../etcd/index.js";
import { unreachable } from "../kernel/index.js";
import {
  type Change,
  inStoreRange,
  type Performed,
  REFUSED,
  type StoreCompare,
  type StoreDelete,
  type StoreOp,
  type StorePut,
  type StoreRange,
  type StoreRequest,
  type StoreState,
  type StoreTxn,
} from "./request.js";

/**
 * etcd's v3 store as a sequential object: what a request does and answers when nothing else goes
 * on. Written from the API's description (rpc.proto, api_guarantees.md) and apart from `core/etcd`,
 * so that the two can disagree. All changes of a request share one revision; one that changes
 * nothing takes none. Compactions change no answer but refusals, and are left to those who look at them.
 *
 * A range at an earlier revision is answered by `rangeAnswer` with the state of that revision.
 */
export function perform(state: StoreState, request: StoreRequest): Performed {
  switch (request.op) {
    case "kv-range":
      if ((request.revision ?? 0) > state.revision) return refused(state, REFUSED.futureRevision);
      return answered(state, rangeAnswer(state.keys, request));
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
      return write(state, request);
    case "kv-compact":
      if (request.revision > state.revision) return refused(state, REFUSED.futureRevision);
      return answered(state, { op: "kv-compact" });
    case "lease-grant":
      // Which id the member chooses is its own affair; the model adds the one it told.
      return answered(state, null);
    case "lease-revoke":
      return revoke(state, request.id);
    default:
      return unreachable(request);
  }
}

/** The store with one more lease. */
export function withLease(state: StoreState, id: LeaseId): StoreState {
  return { ...state, leases: new Set(state.leases).add(id) };
}

/** The answer to a range by these keys, in byte order of the keys. */
export function rangeAnswer(
  keys: ReadonlyMap<string, KeyValue>,
  request: StoreRange,
): OpResponse & { readonly op: "kv-range" } {
  const found: KeyValue[] = [];
  for (const kv of keys.values()) {
    if (inStoreRange(kv.key, request.key, request.rangeEnd)) found.push(kv);
  }
  found.sort((left, right) => (left.key < right.key ? -1 : 1));
  const limit = request.limit ?? 0;
  const more = limit > 0 && found.length > limit;
  return {
    op: "kv-range",
    kvs: more ? found.slice(0, limit) : found,
    more,
    count: found.length,
  };
}

function refused(state: StoreState, refusal: string): Performed {
  return { state, result: null, refusal, changes: [] };
}

function answered(state: StoreState, result: V3Result | null): Performed {
  return { state, result, refusal: null, changes: [] };
}

/** Keys as a write leaves them, and what it changed on the way. */
interface Draft {
  readonly revision: Revision;
  readonly keys: Map<string, KeyValue>;
  readonly changes: Change[];
}

function write(state: StoreState, request: StorePut | StoreDelete | StoreTxn): Performed {
  const txn = request.op === "kv-txn" ? request : null;
  const succeeded = txn?.compare.every((compare) => holds(state.keys, compare)) ?? true;
  const ops = txn === null ? [request as StoreOp] : succeeded ? txn.success : txn.failure;
  const unknown = ops.some((op) => op.op === "kv-put" && !hasLease(state, op.lease ?? ""));
  if (unknown) return refused(state, REFUSED.leaseNotFound);
  const draft: Draft = {
    revision: state.revision + 1,
    keys: new Map(state.keys),
    changes: [],
  };
  const responses = ops.map((op) => doOp(draft, op));
  const { keys, changes } = draft;
  const after = changes.length === 0 ? state : { ...state, revision: draft.revision, keys };
  const result: V3Result | null =
    txn === null ? (responses[0] ?? null) : { op: "kv-txn", succeeded, responses };
  return { state: after, result, refusal: null, changes };
}

function hasLease(state: StoreState, id: LeaseId): boolean {
  return id === "" || state.leases.has(id);
}

function doOp(draft: Draft, op: StoreOp): OpResponse {
  switch (op.op) {
    case "kv-range":
      return rangeAnswer(draft.keys, op);
    case "kv-put":
      return put(draft, op);
    case "kv-delete-range":
      return deleteRange(draft, op);
    default:
      return unreachable(op);
  }
}

function put({ revision, keys, changes }: Draft, request: StorePut): OpResponse {
  const { key, value, lease = "", prevKv } = request;
  const before = keys.get(key) ?? null;
  const kv: KeyValue = {
    key,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
    value,
    lease,
  };
  keys.set(key, kv);
  changes.push({ key, kv, before });
  return prevKv === true && before !== null ? { op: "kv-put", prevKv: before } : { op: "kv-put" };
}

function deleteRange({ keys, changes }: Draft, request: StoreDelete): OpResponse {
  const gone = rangeAnswer(keys, { op: "kv-range", key: request.key, ...endOf(request) }).kvs;
  for (const before of gone) {
    keys.delete(before.key);
    changes.push({ key: before.key, kv: null, before });
  }
  const prevKvs = request.prevKv === true ? gone : [];
  return { op: "kv-delete-range", deleted: gone.length, prevKvs };
}

function endOf({ rangeEnd }: StoreDelete): Pick<StoreRange, "rangeEnd"> {
  return rangeEnd === undefined ? {} : { rangeEnd };
}

/** A lease goes, and its keys with it, in one revision. */
function revoke(state: StoreState, id: LeaseId): Performed {
  if (!state.leases.has(id)) return refused(state, REFUSED.leaseNotFound);
  const leases = new Set(state.leases);
  leases.delete(id);
  const keys = new Map(state.keys);
  const changes: Change[] = [];
  for (const before of state.keys.values()) {
    if (before.lease !== id) continue;
    keys.delete(before.key);
    changes.push({ key: before.key, kv: null, before });
  }
  changes.sort((left, right) => (left.key < right.key ? -1 : 1));
  const revision = changes.length === 0 ? state.revision : state.revision + 1;
  return {
    state: { revision, keys, leases },
    result: { op: "lease-revoke" },
    refusal: null,
    changes,
  };
}

/** Nothing is true of the value of a key that is not there. */
function holds(keys: ReadonlyMap<string, KeyValue>, compare: StoreCompare): boolean {
  const { target, result } = compare;
  const kv = keys.get(compare.key) ?? null;
  if (target.field === "value") {
    return kv !== null && ordered(signOf(kv.value, target.operand), result);
  }
  const number =
    kv === null
      ? 0
      : target.field === "version"
        ? kv.version
        : target.field === "create"
          ? kv.createRevision
          : kv.modRevision;
  return ordered(signOf(number, target.operand), result);
}

function signOf<T extends string | number>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function ordered(sign: number, result: StoreCompare["result"]): boolean {
  switch (result) {
    case "equal":
      return sign === 0;
    case "not-equal":
      return sign !== 0;
    case "greater":
      return sign > 0;
    case "less":
      return sign < 0;
  }
}
