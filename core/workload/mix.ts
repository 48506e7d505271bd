import type { KeyValue, LeaseId, Revision } from "../etcd/index.js";
import type { StoreRange, StoreRequest } from "./request.js";

/**
 * What clients do, in the terms of etcd's robustness tests (tests/robustness/traffic), and how often
 * against the rest:
 *
 * - `get`, `list`: one key, all keys, linearizable; `stale-get`, `stale-list`: from the member's own store;
 *   `past-get`: all keys as they were some revisions ago;
 * - `put`, `delete`: one key; `txn`: several keys at once, if one of them is of some version;
 * - `create`, `update`, `remove`: as Kubernetes does, if the key is absent or as it was last seen;
 * - `lease-put`, `revoke`: a key that hangs on a lease, the end of the lease;
 * - `compact`: up to some revisions ago.
 */
export const WORKLOAD_OPS = [
  "get",
  "list",
  "stale-get",
  "stale-list",
  "past-get",
  "put",
  "delete",
  "txn",
  "create",
  "update",
  "remove",
  "lease-put",
  "revoke",
  "compact",
] as const;

export type WorkloadOp = (typeof WORKLOAD_OPS)[number];

/** Weight of each operation. */
export type Mix = Readonly<Record<WorkloadOp, number>>;

/** No request of any kind: what a mix that names a few begins with. */
export const NO_REQUESTS: Mix = {
  get: 0,
  list: 0,
  "stale-get": 0,
  "stale-list": 0,
  "past-get": 0,
  put: 0,
  delete: 0,
  txn: 0,
  create: 0,
  update: 0,
  remove: 0,
  "lease-put": 0,
  revoke: 0,
  compact: 0,
};

/** What a client has learnt of the store. */
export interface Knowledge {
  /** The highest revision of any answer. */
  revision: Revision;
  /** Keys as last seen, by name. */
  keys: Map<string, KeyValue>;
  /** The lease it holds; "" for none. */
  lease: LeaseId;
}

/** The numbers that decide one request. */
export interface Choice {
  /** Below the sum of the weights. */
  readonly op: number;
  /** Two keys, each below the number of keys. */
  readonly key: number;
  readonly other: number;
  /** Below `OFFSETS`: how far back, which version. */
  readonly offset: number;
}

export const OFFSETS = 32;

/** Every key of a workload begins with this. */
const PREFIX = "/k";
export const keyName = (index: number): string => `${PREFIX}${index}`;
export const ALL_KEYS = { key: PREFIX, rangeEnd: "/l" } as const;

/** A lease outlives its run: what ends it is `revoke`. */
const LEASE_TTL_SECONDS = 3600;

export function weightOf(mix: Mix): number {
  return WORKLOAD_OPS.reduce((sum, op) => sum + mix[op], 0);
}

function chosenOp(mix: Mix, choice: number): WorkloadOp {
  let left = choice;
  for (const op of WORKLOAD_OPS) {
    left -= mix[op];
    if (left < 0) return op;
  }
  return "get";
}

/**
 * The request that a choice stands for. What a client lacks for it (a lease, a key's revision) it asks for
 * first. `value` is unique among all requests of the run.
 */
export function requestFor(
  mix: Mix,
  keys: number,
  choice: Choice,
  known: Knowledge,
  value: string,
): StoreRequest {
  const key = keyName(choice.key);
  const other = keyName(choice.other === choice.key ? (choice.key + 1) % keys : choice.other);
  const get: StoreRange = { op: "kv-range", key };
  const seen = known.keys.get(key);
  const unchanged = {
    key,
    result: "equal",
    target: { field: "mod", operand: seen?.modRevision ?? 0 },
  } as const;
  switch (chosenOp(mix, choice.op)) {
    case "get":
      return get;
    case "list":
      return { op: "kv-range", ...ALL_KEYS };
    case "stale-get":
      return { ...get, serializable: true };
    case "stale-list":
      return { op: "kv-range", ...ALL_KEYS, serializable: true };
    case "past-get": {
      const revision = Math.max(1, known.revision - choice.offset);
      const serializable = choice.other % 2 === 0;
      return { op: "kv-range", ...ALL_KEYS, revision, ...(serializable ? { serializable } : {}) };
    }
    case "put":
      return { op: "kv-put", key, value, prevKv: choice.offset % 2 === 0 };
    case "delete":
      return { op: "kv-delete-range", key, prevKv: choice.offset % 2 === 0 };
    case "txn":
      return severalKeys(key, other, choice.offset % 4, value);
    case "create":
      return guarded(
        { ...unchanged, target: { field: "create", operand: 0 } },
        { op: "kv-put", key, value },
      );
    case "update":
      return seen === undefined ? get : guarded(unchanged, { op: "kv-put", key, value });
    case "remove":
      return seen === undefined ? get : guarded(unchanged, { op: "kv-delete-range", key });
    case "lease-put":
      return known.lease === ""
        ? { op: "lease-grant", ttl: LEASE_TTL_SECONDS }
        : { op: "kv-put", key, value, lease: known.lease };
    case "revoke":
      return known.lease === "" ? get : { op: "lease-revoke", id: known.lease };
    case "compact": {
      const revision = known.revision - 4 * choice.offset;
      return revision < 2 ? get : { op: "kv-compact", revision };
    }
  }
}

function guarded(
  compare: Extract<StoreRequest, { readonly op: "kv-txn" }>["compare"][number],
  op: Extract<StoreRequest, { readonly op: "kv-txn" }>["success"][number],
): StoreRequest {
  const failure = [{ op: "kv-range", key: compare.key }] as const;
  return { op: "kv-txn", compare: [compare], success: [op], failure };
}

/** Two keys in one revision: put one and delete the other, if the first is of a later version; else put both. */
function severalKeys(key: string, other: string, version: number, value: string): StoreRequest {
  return {
    op: "kv-txn",
    compare: [{ key, result: "greater", target: { field: "version", operand: version } }],
    success: [
      { op: "kv-put", key, value: `${value}a` },
      { op: "kv-delete-range", key: other },
      { op: "kv-range", key: other },
    ],
    failure: [
      { op: "kv-put", key, value: `${value}b` },
      { op: "kv-put", key: other, value: `${value}c` },
    ],
  };
}
