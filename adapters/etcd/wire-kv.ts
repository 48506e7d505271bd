import type {
  Compare,
  CompareResult,
  KeyValue,
  OpResponse,
  RangeRequest,
  RequestOp,
  SortOrder,
  SortTarget,
  TxnRequest,
} from "../../core/etcd/v3-api.js";
import type { Call, CallResult, Calls } from "./wire-calls.js";
import { WireRefusal } from "./wire-error.js";
import {
  bytes,
  bytesAt,
  choiceAt,
  flagAt,
  idAt,
  intAt,
  messageAt,
  messagesAt,
  present,
  signedId,
  type Wire,
} from "./wire-fields.js";

const range: Call<"kv-range"> = {
  path: "/etcdserverpb.KV/Range",
  writeRequest: (request) => ({
    key: bytes(request.key),
    ...rangeEndMessage(request.rangeEnd),
    limit: String(request.limit ?? 0),
    revision: String(request.revision ?? 0),
    sort_order: (request.sortOrder ?? "none").toUpperCase(),
    sort_target: (request.sortTarget ?? "key").toUpperCase(),
    serializable: request.serializable === true,
    keys_only: request.keysOnly === true,
    count_only: request.countOnly === true,
    min_mod_revision: String(request.minModRevision ?? 0),
    max_mod_revision: String(request.maxModRevision ?? 0),
    min_create_revision: String(request.minCreateRevision ?? 0),
    max_create_revision: String(request.maxCreateRevision ?? 0),
  }),
  readRequest: (message) => readRange(message, false),
  writeResult: (result) => ({
    kvs: result.kvs.map(keyValueMessage),
    more: result.more,
    count: String(result.count),
  }),
  readResult: (message) => ({
    op: "kv-range",
    kvs: messagesAt(message, "kvs").map(readKeyValue),
    more: flagAt(message, "more"),
    count: intAt(message, "count"),
  }),
};

/**
 * Left out when there is none: etcd takes an end that is there and empty for "\0", everything from the
 * key on, as long as the request does not go through the log, which drops what is empty.
 */
function rangeEndMessage(rangeEnd = ""): Wire {
  return rangeEnd === "" ? {} : { range_end: bytes(rangeEnd) };
}

function readRangeEnd(message: Wire, logged: boolean): string {
  const given = message.range_end;
  return !logged && given instanceof Uint8Array && given.length === 0
    ? "\0"
    : bytesAt(message, "range_end");
}

/** A number without a name sorts as if it were not given, as in etcd 3.4. */
const SORT_ORDERS = {
  NONE: "none",
  ASCEND: "ascend",
  DESCEND: "descend",
} as const satisfies Record<string, SortOrder>;

const SORT_TARGETS = {
  KEY: "key",
  VERSION: "version",
  CREATE: "create",
  MOD: "mod",
  VALUE: "value",
} as const satisfies Record<string, SortTarget>;

/** @param logged - it is part of a transaction that writes, and so goes through the log */
function readRange(message: Wire, logged: boolean): RangeRequest {
  return { op: "kv-range", key: bytesAt(message, "key"), ...rangeOptions(message, logged) };
}

function rangeOptions(message: Wire, logged: boolean): Omit<RangeRequest, "op" | "key"> {
  const order = choiceAt<SortOrder>(message, "sort_order", SORT_ORDERS, "none");
  const target = choiceAt<SortTarget>(message, "sort_target", SORT_TARGETS, "key");
  return {
    ...present({
      rangeEnd: readRangeEnd(message, logged),
      limit: intAt(message, "limit"),
      revision: intAt(message, "revision"),
      serializable: flagAt(message, "serializable"),
      keysOnly: flagAt(message, "keys_only"),
      countOnly: flagAt(message, "count_only"),
      minModRevision: intAt(message, "min_mod_revision"),
      maxModRevision: intAt(message, "max_mod_revision"),
      minCreateRevision: intAt(message, "min_create_revision"),
      maxCreateRevision: intAt(message, "max_create_revision"),
    }),
    ...(order === "none" ? {} : { sortOrder: order }),
    ...(target === "key" ? {} : { sortTarget: target }),
  };
}

const put: Call<"kv-put"> = {
  path: "/etcdserverpb.KV/Put",
  writeRequest: (request) => ({
    key: bytes(request.key),
    value: bytes(request.value),
    lease: signedId(request.lease ?? ""),
    prev_kv: request.prevKv === true,
    ignore_value: request.ignoreValue === true,
    ignore_lease: request.ignoreLease === true,
  }),
  readRequest: (message) => ({
    op: "kv-put",
    key: bytesAt(message, "key"),
    value: bytesAt(message, "value"),
    ...present({
      lease: idAt(message, "lease"),
      prevKv: flagAt(message, "prev_kv"),
      ignoreValue: flagAt(message, "ignore_value"),
      ignoreLease: flagAt(message, "ignore_lease"),
    }),
  }),
  writeResult: ({ prevKv }) => (prevKv === undefined ? {} : { prev_kv: keyValueMessage(prevKv) }),
  readResult: (message) => {
    const prevKv = messageAt(message, "prev_kv");
    return { op: "kv-put", ...(prevKv === null ? {} : { prevKv: readKeyValue(prevKv) }) };
  },
};

const deleteRange: Call<"kv-delete-range"> = {
  path: "/etcdserverpb.KV/DeleteRange",
  writeRequest: (request) => ({
    key: bytes(request.key),
    ...rangeEndMessage(request.rangeEnd),
    prev_kv: request.prevKv === true,
  }),
  readRequest: (message) => ({
    op: "kv-delete-range",
    key: bytesAt(message, "key"),
    ...present({ rangeEnd: bytesAt(message, "range_end"), prevKv: flagAt(message, "prev_kv") }),
  }),
  writeResult: (result) => ({
    deleted: String(result.deleted),
    prev_kvs: result.prevKvs.map(keyValueMessage),
  }),
  readResult: (message) => ({
    op: "kv-delete-range",
    deleted: intAt(message, "deleted"),
    prevKvs: messagesAt(message, "prev_kvs").map(readKeyValue),
  }),
};

const txn: Call<"kv-txn"> = {
  path: "/etcdserverpb.KV/Txn",
  writeRequest: txnMessage,
  readRequest: readTxn,
  writeResult: (result, header) => ({
    succeeded: result.succeeded,
    responses: new TxnRevisions(header.revision, result).write(result.responses),
  }),
  readResult: readTxnResult,
};

function txnMessage(request: TxnRequest): Wire {
  return {
    compare: request.compare.map(compareMessage),
    success: request.success.map(requestOpMessage),
    failure: request.failure.map(requestOpMessage),
  };
}

function readTxn(message: Wire): TxnRequest {
  const ops = [...messagesAt(message, "success"), ...messagesAt(message, "failure")];
  return readTxnPart(
    message,
    ops.some((op) => messageAt(op, "request_range") === null),
  );
}

function readTxnPart(message: Wire, logged: boolean): TxnRequest {
  const read = (op: Wire): RequestOp => readRequestOp(op, logged);
  return {
    op: "kv-txn",
    compare: messagesAt(message, "compare").map((compare) => readCompare(compare, logged)),
    success: messagesAt(message, "success").map(read),
    failure: messagesAt(message, "failure").map(read),
  };
}

function requestOpMessage(op: RequestOp): Wire {
  switch (op.op) {
    case "kv-range":
      return { request_range: range.writeRequest(op) };
    case "kv-put":
      return { request_put: put.writeRequest(op) };
    case "kv-delete-range":
      return { request_delete_range: deleteRange.writeRequest(op) };
    case "kv-txn":
      return { request_txn: txnMessage(op) };
  }
}

function readRequestOp(message: Wire, logged: boolean): RequestOp {
  const ranged = messageAt(message, "request_range");
  if (ranged !== null) return readRange(ranged, logged);
  const given = messageAt(message, "request_put");
  if (given !== null) return put.readRequest(given);
  const deleted = messageAt(message, "request_delete_range");
  if (deleted !== null) return deleteRange.readRequest(deleted);
  const nested = messageAt(message, "request_txn");
  if (nested !== null) return readTxnPart(nested, logged);
  // etcd's own words for an operation that says nothing.
  throw new WireRefusal("InvalidArgument", "etcdserver: key not found");
}

const RESULTS = {
  EQUAL: "equal",
  GREATER: "greater",
  LESS: "less",
  NOT_EQUAL: "not-equal",
} as const satisfies Record<string, CompareResult>;

type TargetField = Compare["target"]["field"];

const TARGETS = {
  VERSION: "version",
  CREATE: "create",
  MOD: "mod",
  VALUE: "value",
  LEASE: "lease",
} as const satisfies Record<string, TargetField>;

function compareMessage(compare: Compare): Wire {
  return {
    result: compare.result === "not-equal" ? "NOT_EQUAL" : compare.result.toUpperCase(),
    target: compare.target.field.toUpperCase(),
    key: bytes(compare.key),
    ...rangeEndMessage(compare.rangeEnd),
    ...operandMessage(compare.target),
  };
}

function operandMessage(target: Compare["target"]): Wire {
  switch (target.field) {
    case "version":
      return { version: String(target.operand) };
    case "create":
      return { create_revision: String(target.operand) };
    case "mod":
      return { mod_revision: String(target.operand) };
    case "lease":
      return { lease: signedId(target.operand) };
    case "value":
      return { value: bytes(target.operand) };
  }
}

function readCompare(message: Wire, logged: boolean): Compare {
  return {
    key: bytesAt(message, "key"),
    ...present({ rangeEnd: readRangeEnd(message, logged) }),
    result: choiceAt<CompareResult>(message, "result", RESULTS, "equal"),
    target: readTarget(message),
  };
}

/** An operand of another target than the one named counts as zero, as in etcd. */
function readTarget(message: Wire): Compare["target"] {
  const field = choiceAt<TargetField>(message, "target", TARGETS, "version");
  switch (field) {
    case "version":
      return { field, operand: intAt(message, "version") };
    case "create":
      return { field, operand: intAt(message, "create_revision") };
    case "mod":
      return { field, operand: intAt(message, "mod_revision") };
    case "lease":
      return { field, operand: idAt(message, "lease") };
    case "value":
      return { field, operand: bytesAt(message, "value") };
  }
}

/**
 * Writes the responses inside a transaction. Each has a header with nothing but the revision that the
 * operation left or saw: the one before the transaction until its first change, then its own. Nested
 * transactions have an empty one. Source: etcd 3.4 etcdserver/apply.go, newTxnResp.
 */
class TxnRevisions {
  #revision: number;

  constructor(
    readonly after: number,
    result: CallResult<"kv-txn">,
  ) {
    this.#revision = result.responses.some(hasChanged) ? after - 1 : after;
  }

  write(responses: readonly OpResponse[]): Wire[] {
    return responses.map((response) => this.#one(response));
  }

  #one(response: OpResponse): Wire {
    if (response.op === "kv-txn") {
      const { succeeded, responses } = response;
      return { response_txn: { header: {}, succeeded, responses: this.write(responses) } };
    }
    if (hasChanged(response)) this.#revision = this.after;
    const header = { revision: String(this.#revision) };
    const outer = { clusterId: "", memberId: "", revision: this.#revision, raftTerm: 0 };
    switch (response.op) {
      case "kv-range":
        return { response_range: { header, ...range.writeResult(response, outer) } };
      case "kv-put":
        return { response_put: { header, ...put.writeResult(response, outer) } };
      case "kv-delete-range":
        return { response_delete_range: { header, ...deleteRange.writeResult(response, outer) } };
    }
  }
}

function hasChanged(response: OpResponse): boolean {
  switch (response.op) {
    case "kv-range":
      return false;
    case "kv-put":
      return true;
    case "kv-delete-range":
      return response.deleted > 0;
    case "kv-txn":
      return response.responses.some(hasChanged);
  }
}

function readTxnResult(message: Wire): CallResult<"kv-txn"> {
  return {
    op: "kv-txn",
    succeeded: flagAt(message, "succeeded"),
    responses: messagesAt(message, "responses").map(readOpResponse),
  };
}

function readOpResponse(message: Wire): OpResponse {
  const given = messageAt(message, "response_put");
  if (given !== null) return put.readResult(given);
  const deleted = messageAt(message, "response_delete_range");
  if (deleted !== null) return deleteRange.readResult(deleted);
  const nested = messageAt(message, "response_txn");
  if (nested !== null) return readTxnResult(nested);
  return range.readResult(messageAt(message, "response_range") ?? {});
}

const compact: Call<"kv-compact"> = {
  path: "/etcdserverpb.KV/Compact",
  writeRequest: (request) => ({ revision: String(request.revision) }),
  readRequest: (message) => ({ op: "kv-compact", revision: intAt(message, "revision") }),
  writeResult: () => ({}),
  readResult: () => ({ op: "kv-compact" }),
};

/** Service KV. */
export const kvCalls: Calls<"kv-range" | "kv-put" | "kv-delete-range" | "kv-txn" | "kv-compact"> = {
  "kv-range": range,
  "kv-put": put,
  "kv-delete-range": deleteRange,
  "kv-txn": txn,
  "kv-compact": compact,
};

/** A key with its value, as a message. */
export function keyValueMessage(kv: KeyValue): Wire {
  return {
    key: bytes(kv.key),
    create_revision: String(kv.createRevision),
    mod_revision: String(kv.modRevision),
    version: String(kv.version),
    value: bytes(kv.value),
    lease: signedId(kv.lease),
  };
}

export function readKeyValue(message: Wire): KeyValue {
  return {
    key: bytesAt(message, "key"),
    createRevision: intAt(message, "create_revision"),
    modRevision: intAt(message, "mod_revision"),
    version: intAt(message, "version"),
    value: bytesAt(message, "value"),
    lease: idAt(message, "lease"),
  };
}
