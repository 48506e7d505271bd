import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";

/**
 * The part of etcd's v3 API that Orrery speaks, by the field numbers of etcd's public
 * `rpc.proto` and `kv.proto` (unchanged from 3.0 to 3.6). Fields left out are skipped on the wire.
 */
type FieldSpec = readonly [number, string, "repeated"?];
type MessageSpec = Readonly<Record<string, FieldSpec>>;

interface MessageJson {
  readonly fields: Record<string, { id: number; type: string; rule?: "repeated" }>;
  readonly oneofs?: Record<string, { oneof: string[] }>;
}

const message = (
  fields: MessageSpec,
  oneofs?: Readonly<Record<string, readonly string[]>>,
): MessageJson => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [id, type, rule]]) => [
      name,
      { id, type, ...(rule === undefined ? {} : { rule }) },
    ]),
  ),
  ...(oneofs === undefined
    ? {}
    : {
        oneofs: Object.fromEntries(
          Object.entries(oneofs).map(([name, oneof]) => [name, { oneof: [...oneof] }]),
        ),
      }),
});

const method = (requestType: string, responseType: string, stream = false) => ({
  requestType,
  responseType,
  requestStream: stream,
  responseStream: stream,
  comment: "",
});

const kvMessages = {
  KeyValue: message({
    key: [1, "bytes"],
    create_revision: [2, "int64"],
    mod_revision: [3, "int64"],
    version: [4, "int64"],
    value: [5, "bytes"],
    lease: [6, "int64"],
  }),
  Event: {
    ...message({ type: [1, "EventType"], kv: [2, "KeyValue"], prev_kv: [3, "KeyValue"] }),
    nested: { EventType: { values: { PUT: 0, DELETE: 1 } } },
  },
};

const header: FieldSpec = [1, "ResponseHeader"];
const keyValues = "mvccpb.KeyValue";

const kvCalls = {
  ResponseHeader: message({
    cluster_id: [1, "uint64"],
    member_id: [2, "uint64"],
    revision: [3, "int64"],
    raft_term: [4, "uint64"],
  }),
  RangeRequest: message({
    key: [1, "bytes"],
    range_end: [2, "bytes"],
    limit: [3, "int64"],
    revision: [4, "int64"],
    sort_order: [5, "int32"],
    sort_target: [6, "int32"],
    serializable: [7, "bool"],
    keys_only: [8, "bool"],
    count_only: [9, "bool"],
  }),
  RangeResponse: message({
    header,
    kvs: [2, keyValues, "repeated"],
    more: [3, "bool"],
    count: [4, "int64"],
  }),
  PutRequest: message({
    key: [1, "bytes"],
    value: [2, "bytes"],
    lease: [3, "int64"],
    prev_kv: [4, "bool"],
  }),
  PutResponse: message({ header, prev_kv: [2, keyValues] }),
  DeleteRangeRequest: message({ key: [1, "bytes"], range_end: [2, "bytes"], prev_kv: [3, "bool"] }),
  DeleteRangeResponse: message({
    header,
    deleted: [2, "int64"],
    prev_kvs: [3, keyValues, "repeated"],
  }),
  RequestOp: message(
    {
      request_range: [1, "RangeRequest"],
      request_put: [2, "PutRequest"],
      request_delete_range: [3, "DeleteRangeRequest"],
      request_txn: [4, "TxnRequest"],
    },
    { request: ["request_range", "request_put", "request_delete_range", "request_txn"] },
  ),
  ResponseOp: message(
    {
      response_range: [1, "RangeResponse"],
      response_put: [2, "PutResponse"],
      response_delete_range: [3, "DeleteRangeResponse"],
      response_txn: [4, "TxnResponse"],
    },
    { response: ["response_range", "response_put", "response_delete_range", "response_txn"] },
  ),
  Compare: message(
    {
      /** EQUAL 0, GREATER 1, LESS 2, NOT_EQUAL 3. */
      result: [1, "int32"],
      /** VERSION 0, CREATE 1, MOD 2, VALUE 3, LEASE 4. */
      target: [2, "int32"],
      key: [3, "bytes"],
      version: [4, "int64"],
      create_revision: [5, "int64"],
      mod_revision: [6, "int64"],
      value: [7, "bytes"],
      lease: [8, "int64"],
      range_end: [64, "bytes"],
    },
    { target_union: ["version", "create_revision", "mod_revision", "value", "lease"] },
  ),
  TxnRequest: message({
    compare: [1, "Compare", "repeated"],
    success: [2, "RequestOp", "repeated"],
    failure: [3, "RequestOp", "repeated"],
  }),
  TxnResponse: message({
    header,
    succeeded: [2, "bool"],
    responses: [3, "ResponseOp", "repeated"],
  }),
  CompactionRequest: message({ revision: [1, "int64"], physical: [2, "bool"] }),
  CompactionResponse: message({ header }),
};

const otherCalls = {
  WatchRequest: message(
    {
      create_request: [1, "WatchCreateRequest"],
      cancel_request: [2, "WatchCancelRequest"],
      progress_request: [3, "WatchProgressRequest"],
    },
    { request_union: ["create_request", "cancel_request", "progress_request"] },
  ),
  WatchCreateRequest: message({
    key: [1, "bytes"],
    range_end: [2, "bytes"],
    start_revision: [3, "int64"],
    progress_notify: [4, "bool"],
    prev_kv: [6, "bool"],
    watch_id: [7, "int64"],
    fragment: [8, "bool"],
  }),
  WatchCancelRequest: message({ watch_id: [1, "int64"] }),
  WatchProgressRequest: message({}),
  WatchResponse: message({
    header,
    watch_id: [2, "int64"],
    created: [3, "bool"],
    canceled: [4, "bool"],
    compact_revision: [5, "int64"],
    cancel_reason: [6, "string"],
    fragment: [7, "bool"],
    events: [11, "mvccpb.Event", "repeated"],
  }),
  LeaseGrantRequest: message({ TTL: [1, "int64"], ID: [2, "int64"] }),
  LeaseGrantResponse: message({
    header,
    ID: [2, "int64"],
    TTL: [3, "int64"],
    error: [4, "string"],
  }),
  LeaseRevokeRequest: message({ ID: [1, "int64"] }),
  LeaseRevokeResponse: message({ header }),
  StatusRequest: message({}),
  StatusResponse: message({
    header,
    version: [2, "string"],
    dbSize: [3, "int64"],
    leader: [4, "uint64"],
    raftIndex: [5, "uint64"],
    raftTerm: [6, "uint64"],
  }),
};

const services = {
  KV: {
    methods: {
      Range: method("RangeRequest", "RangeResponse"),
      Put: method("PutRequest", "PutResponse"),
      DeleteRange: method("DeleteRangeRequest", "DeleteRangeResponse"),
      Txn: method("TxnRequest", "TxnResponse"),
      Compact: method("CompactionRequest", "CompactionResponse"),
    },
  },
  Watch: { methods: { Watch: method("WatchRequest", "WatchResponse", true) } },
  Lease: {
    methods: {
      LeaseGrant: method("LeaseGrantRequest", "LeaseGrantResponse"),
      LeaseRevoke: method("LeaseRevokeRequest", "LeaseRevokeResponse"),
    },
  },
  Maintenance: { methods: { Status: method("StatusRequest", "StatusResponse") } },
};

/** Loads the definition. 64-bit integers become decimal strings: a JavaScript number cannot hold all of them. */
export function etcdPackage(): PackageDefinition {
  return fromJSON(
    {
      nested: {
        mvccpb: { nested: kvMessages },
        etcdserverpb: { nested: { ...kvCalls, ...otherCalls, ...services } },
      },
    },
    { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true },
  );
}
