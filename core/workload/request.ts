import type {
  CompactRequest,
  DeleteRangeRequest,
  KeyValue,
  LeaseId,
  PutRequest,
  RangeRequest,
  Revision,
  V3Result,
} from "../etcd/index.js";

/** The part of etcd's v3 API that clients of a workload use, and that `perform` knows to the letter. */
export type StoreRange = Pick<
  RangeRequest,
  "op" | "key" | "rangeEnd" | "limit" | "revision" | "serializable"
>;
export type StorePut = Pick<PutRequest, "op" | "key" | "value" | "lease" | "prevKv">;
export type StoreDelete = Pick<DeleteRangeRequest, "op" | "key" | "rangeEnd" | "prevKv">;

/** A condition of a transaction on one key; an absent key has version and revisions 0 and no value. */
export interface StoreCompare {
  readonly key: string;
  readonly result: "equal" | "not-equal" | "greater" | "less";
  readonly target:
    | { readonly field: "version" | "create" | "mod"; readonly operand: number }
    | { readonly field: "value"; readonly operand: string };
}

export type StoreOp = StoreRange | StorePut | StoreDelete;

/** Transactions are not nested. */
export interface StoreTxn {
  readonly op: "kv-txn";
  readonly compare: readonly StoreCompare[];
  readonly success: readonly StoreOp[];
  readonly failure: readonly StoreOp[];
}

export type StoreRequest =
  | StoreOp
  | StoreTxn
  | CompactRequest
  /** The member chooses the id. */
  | { readonly op: "lease-grant"; readonly ttl: number }
  | { readonly op: "lease-revoke"; readonly id: LeaseId };

/** One change of one key. `kv` is null for a deletion, `before` for a key that was not there. */
export interface Change {
  readonly key: string;
  readonly kv: KeyValue | null;
  readonly before: KeyValue | null;
}

/** A v3 store between two requests. Never changed. */
export interface StoreState {
  /** Of the last change; 1 in a new store. */
  readonly revision: Revision;
  readonly keys: ReadonlyMap<string, KeyValue>;
  readonly leases: ReadonlySet<LeaseId>;
}

/** What a request does to a store and answers. */
export interface Performed {
  readonly state: StoreState;
  /** Null where the answer is a refusal; the message tells which. */
  readonly result: V3Result | null;
  readonly refusal: string | null;
  /** Of this request, in order; all at the state's revision. */
  readonly changes: readonly Change[];
}

/** etcd's texts of the refusals that follow from a store's content. */
export const REFUSED = {
  leaseNotFound: "etcdserver: requested lease not found",
  futureRevision: "etcdserver: mvcc: required revision is a future revision",
  compacted: "etcdserver: mvcc: required revision has been compacted",
} as const;

export const EMPTY_STORE: StoreState = { revision: 1, keys: new Map(), leases: new Set() };

/** Whether a key lies in a request's range, as etcd has it: one key, `[key, rangeEnd)`, or from the key on. */
export function inStoreRange(key: string, from: string, rangeEnd: string | undefined): boolean {
  if (rangeEnd === undefined || rangeEnd === "") return key === from;
  return key >= from && (rangeEnd === "\0" || key < rangeEnd);
}

/** True for requests that change nothing, whatever the store holds. */
export function onlyReads(request: StoreRequest): boolean {
  if (request.op === "kv-range") return true;
  if (request.op !== "kv-txn") return false;
  return [...request.success, ...request.failure].every((op) => op.op === "kv-range");
}

/** The keys a request may put. */
export function keysPut(request: StoreRequest): string[] {
  if (request.op === "kv-put") return [request.key];
  if (request.op !== "kv-txn") return [];
  return [...request.success, ...request.failure].flatMap((op) => keysPut(op));
}

/** The values a request may put: each of them says, where it is seen, that the request took effect. */
export function valuesOf(request: StoreRequest): string[] {
  if (request.op === "kv-put") return [request.value];
  if (request.op !== "kv-txn") return [];
  return [...request.success, ...request.failure].flatMap((op) => valuesOf(op));
}

/**
 * Whether the request can have deleted this key, which hung on `lease` (null: not known), though none
 * of the values it may have put was seen.
 */
export function mayDelete(request: StoreRequest, key: string, lease: LeaseId | null): boolean {
  switch (request.op) {
    case "kv-delete-range":
      return inStoreRange(key, request.key, request.rangeEnd);
    case "kv-txn":
      return [request.success, request.failure].some(
        (ops) =>
          ops.every((op) => op.op !== "kv-put") &&
          ops.some((op) => op.op === "kv-delete-range" && mayDelete(op, key, lease)),
      );
    case "lease-revoke":
      return lease === null || lease === request.id;
    default:
      return false;
  }
}
