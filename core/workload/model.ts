import type { KeyValue, OpResponse, Revision, V3Result } from "../etcd/index.js";
import { ILLEGAL, type Model, type Step } from "../linearizability/index.js";
import { describeRequest, describeResult } from "./describe.js";
import { perform, withLease } from "./perform.js";
import {
  type Change,
  EMPTY_STORE,
  onlyReads,
  REFUSED,
  type StoreRequest,
  type StoreState,
} from "./request.js";

/** What is known of the outcome of a request that took effect or was refused. */
export interface StoreOutput {
  /** Of the header; null with a refusal, which has none. */
  readonly revision: Revision | null;
  /** Null where only the revision at which the request changed something is known, from who saw it. */
  readonly result: V3Result | null;
  /** etcd's text; null if it was not refused. */
  readonly refusal: string | null;
}

/**
 * A new etcd store that nobody else writes to, every revision told: the exact counterpart of
 * `etcdModel`, which knows less of the store and can do with less told. Since a revision names
 * one state of the store, nearly every request has one place in the order and the search runs straight.
 *
 * @param told - a request that nobody knows the outcome of made the changes that were told, or others
 *   only at a revision nobody was told of
 */
export function storeModel(told: ToldChanges): Model<StoreState, StoreRequest, StoreOutput> {
  return {
    name: "etcd store",
    init: () => EMPTY_STORE,
    step(state, request, output): Step<StoreState> {
      if (output?.refusal != null) return stepRefused(state, request, output.refusal);
      if (output?.revision != null) {
        const ahead = output.revision - state.revision;
        if (ahead !== 0 && ahead !== 1) return ILLEGAL;
      }
      const { state: after, result, refusal, changes } = perform(state, request);
      if (output === null) {
        const fits = changes.length === 0 || isTold(told, after.revision, changes);
        return fits ? { ok: true, state: after } : ILLEGAL;
      }
      if (refusal !== null || after.revision !== output.revision) return ILLEGAL;
      if (output.result === null) return changes.length > 0 ? { ok: true, state: after } : ILLEGAL;
      if (output.result.op === "lease-grant") {
        return { ok: true, state: withLease(after, output.result.id) };
      }
      // What a range at an earlier revision told is compared with that revision, not with this state.
      if (request.op === "kv-range" && (request.revision ?? 0) > 0)
        return { ok: true, state: after };
      return result !== null && sameResult(result, output.result)
        ? { ok: true, state: after }
        : ILLEGAL;
    },
    stateKey(state) {
      const keys = [...state.keys.values()]
        .map(({ key, modRevision, version, value, lease }) =>
          [key, modRevision, version, value, lease].join("\u0001"),
        )
        .sort();
      return `${state.revision}\u0002${keys.join("\u0002")}\u0003${[...state.leases].sort().join()}`;
    },
    readOnly(request, output) {
      if (onlyReads(request) || request.op === "kv-compact") return true;
      if (output === null) return false;
      if (output.refusal !== null) return true;
      return output.result !== null && toldNoChange(output.result);
    },
    describe(request, output) {
      const what =
        output === null
          ? "unknown"
          : output.refusal !== null
            ? output.refusal
            : `${describeResult(output.result)}@${output.revision}`;
      return `${describeRequest(request)} -> ${what}`;
    },
  };
}

/** What changed at a revision, by `changeName`: all of it; undefined where nobody was told of all keys. */
export type ToldChanges = (revision: Revision) => ReadonlySet<string> | undefined;

/** `put /k1` or `delete /k1`. */
export function changeName(key: string, isPut: boolean): string {
  return `${isPut ? "put" : "delete"} ${key}`;
}

function isTold(told: ToldChanges, revision: Revision, changes: readonly Change[]): boolean {
  const names = told(revision);
  if (names === undefined) return true;
  return (
    names.size === changes.length &&
    changes.every(({ key, kv }) => names.has(changeName(key, kv !== null)))
  );
}

/** Refusals follow from the store alone, but for `compacted`, which takes a compaction. */
function stepRefused(state: StoreState, request: StoreRequest, refusal: string): Step<StoreState> {
  if (refusal === REFUSED.compacted) return { ok: true, state };
  return perform(state, request).refusal === refusal ? { ok: true, state } : ILLEGAL;
}

/** Whether an answer says that nothing was changed. */
export function toldNoChange(result: V3Result): boolean {
  switch (result.op) {
    case "kv-range":
    case "kv-compact":
      return true;
    case "kv-delete-range":
      return result.deleted === 0;
    case "kv-txn":
      return result.responses.every(toldNoChange);
    default:
      return false;
  }
}

/** Whether two answers to one request are the same. */
export function sameResult(left: V3Result, right: V3Result): boolean {
  if (left.op !== right.op) return false;
  switch (left.op) {
    case "kv-range":
      return (
        right.op === "kv-range" &&
        left.count === right.count &&
        left.more === right.more &&
        sameList(left.kvs, right.kvs, sameKeyValue)
      );
    case "kv-put":
      return right.op === "kv-put" && sameKeyValue(left.prevKv ?? null, right.prevKv ?? null);
    case "kv-delete-range":
      return (
        right.op === "kv-delete-range" &&
        left.deleted === right.deleted &&
        sameList(left.prevKvs, right.prevKvs, sameKeyValue)
      );
    case "kv-txn":
      return (
        right.op === "kv-txn" &&
        left.succeeded === right.succeeded &&
        sameList<OpResponse>(left.responses, right.responses, sameResult)
      );
    default:
      return true;
  }
}

export function sameKeyValue(left: KeyValue | null, right: KeyValue | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.key === right.key &&
    left.value === right.value &&
    left.modRevision === right.modRevision &&
    left.createRevision === right.createRevision &&
    left.version === right.version &&
    left.lease === right.lease
  );
}

function sameList<T>(
  left: readonly T[],
  right: readonly T[],
  same: (left: T, right: T) => boolean,
): boolean {
  return (
    left.length === right.length &&
    left.every((item, i) => {
      const other = right[i];
      return other !== undefined && same(item, other);
    })
  );
}
