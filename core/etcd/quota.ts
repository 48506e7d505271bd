import type { Bytes } from "../kernel/index.js";
import { fileBytes } from "./backend.js";
import type { EtcdProfile } from "./profile.js";
import type { Running } from "./state.js";
import { type RequestOp, type V3Request, type V3Write, v3Failure } from "./v3-api.js";

/** etcd's refusals of what is too much. */
export const LIMIT_ERROR = {
  noSpace: v3Failure("ResourceExhausted", "etcdserver: mvcc: database space exceeded"),
  tooLarge: v3Failure("InvalidArgument", "etcdserver: request is too large"),
  /** The server hands out the client's form of this error, which gRPC does not know the code of. */
  tooManyRequests: v3Failure("Unknown", "etcdserver: too many requests"),
  corrupt: v3Failure("DataLoss", "etcdserver: corrupt cluster"),
} as const;

/** How far applying may lag behind committing before requests are refused. */
export const APPLY_LAG_MAX = 5000;

/** What etcd counts for storing a key or a lease, besides the bytes of key and value. */
const KEY_BYTES = 256;
const LEASE_BYTES = 64;

/**
 * What a request takes of the quota: of a transaction the dearer branch, in which some releases forget what is
 * nested. 0 for what takes no room.
 */
export function costOf(
  request: V3Request | V3Write,
  profile: Pick<EtcdProfile, "nestedTxnFree">,
): Bytes {
  switch (request.op) {
    case "kv-put":
      return KEY_BYTES + request.key.length + request.value.length;
    case "kv-txn":
      return Math.max(costOfAll(request.success, profile), costOfAll(request.failure, profile));
    case "lease-grant":
      return LEASE_BYTES;
    default:
      return 0;
  }
}

function costOfAll(ops: readonly RequestOp[], profile: Pick<EtcdProfile, "nestedTxnFree">): Bytes {
  const counted = ops.filter(({ op }) => op !== "kv-txn" || !profile.nestedTxnFree);
  return counted.reduce((sum, op) => sum + costOf(op, profile), 0);
}

/** Whether there is room for a request on this member. */
export function hasRoomFor(run: Running, quotaBytes: Bytes, cost: Bytes): boolean {
  return cost === 0 || quotaBytes < 0 || fileBytes(run.stores.backend) + cost < quotaBytes;
}
