import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  Compare,
  KeyValue,
  OpResponse,
  RequestOp,
  ResponseHeader,
  V3Response,
} from "../../core/etcd/v3-api.js";
import type { WatchMessage, WatchResponse } from "../../core/etcd/watch-api.js";
import { etcdMethods } from "./proto.js";
import { callAt, pathOf, readRequest, readResponse, writeRequest, writeResult } from "./wire.js";
import type { CallName, CallRequest, CallResult } from "./wire-calls.js";
import { codeNumber, failureOf, statusOf, WireRefusal } from "./wire-error.js";
import { isWire, type Wire } from "./wire-fields.js";
import {
  readWatchRequest,
  readWatchResponse,
  WATCH_PATH,
  watchRequestMessage,
  watchResponseMessage,
} from "./wire-watch.js";

const byteString = fc
  .uint8Array({ maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));
const text = fc.string({ maxLength: 10, unit: "grapheme" });
const id = fc
  .bigInt({ min: 1n, max: (1n << 64n) - 1n })
  .map((n) => n.toString(16).padStart(16, "0"));
const maybeId = fc.oneof(fc.constant(""), id);
const count = fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER));
const positive = fc.integer({ min: 1 });
const given = fc.constant<true>(true);

const keyValue: fc.Arbitrary<KeyValue> = fc.record({
  key: byteString,
  createRevision: count,
  modRevision: count,
  version: count,
  value: byteString,
  lease: maybeId,
});
const header: fc.Arbitrary<ResponseHeader> = fc.record({
  clusterId: id,
  memberId: id,
  revision: count,
  raftTerm: count,
});
const filled = byteString.filter((bytes) => bytes !== "");
const compare: fc.Arbitrary<Compare> = fc.record(
  {
    key: byteString,
    rangeEnd: filled,
    result: fc.constantFrom("equal", "not-equal", "greater", "less"),
    target: fc.oneof(
      fc.record({ field: fc.constantFrom("version", "create", "mod"), operand: count }),
      fc.record({ field: fc.constant("lease"), operand: maybeId }),
      fc.record({ field: fc.constant("value"), operand: byteString }),
    ),
  },
  { requiredKeys: ["key", "result", "target"] },
);

const { op } = fc.letrec<{ op: RequestOp }>((tie) => ({
  op: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record(
      {
        op: fc.constant("kv-range"),
        key: byteString,
        rangeEnd: filled,
        limit: positive,
        revision: fc.integer().filter((n) => n !== 0),
        sortTarget: fc.constantFrom("version", "create", "mod", "value"),
        sortOrder: fc.constantFrom("ascend", "descend"),
        serializable: given,
        keysOnly: given,
        countOnly: given,
        minModRevision: positive,
        maxModRevision: positive,
        minCreateRevision: positive,
        maxCreateRevision: positive,
      },
      { requiredKeys: ["op", "key"] },
    ),
    fc.record(
      {
        op: fc.constant("kv-put"),
        key: byteString,
        value: byteString,
        lease: id,
        prevKv: given,
        ignoreValue: given,
        ignoreLease: given,
      },
      { requiredKeys: ["op", "key", "value"] },
    ),
    fc.record(
      { op: fc.constant("kv-delete-range"), key: byteString, rangeEnd: filled, prevKv: given },
      { requiredKeys: ["op", "key"] },
    ),
    fc.record({
      op: fc.constant("kv-txn"),
      compare: fc.array(compare, { maxLength: 3 }),
      success: fc.array(tie("op"), { maxLength: 3 }),
      failure: fc.array(tie("op"), { maxLength: 3 }),
    }),
  ),
}));

const { answer } = fc.letrec<{ answer: OpResponse }>((tie) => ({
  answer: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      op: fc.constant("kv-range"),
      kvs: fc.array(keyValue, { maxLength: 3 }),
      more: fc.boolean(),
      count,
    }),
    fc.record({ op: fc.constant("kv-put"), prevKv: keyValue }, { requiredKeys: ["op"] }),
    fc.record({
      op: fc.constant("kv-delete-range"),
      deleted: count,
      prevKvs: fc.array(keyValue, { maxLength: 3 }),
    }),
    fc.record({
      op: fc.constant("kv-txn"),
      succeeded: fc.boolean(),
      responses: fc.array(tie("answer"), { maxLength: 3 }),
    }),
  ),
}));

const permission = fc.record({
  type: fc.constantFrom("read", "write", "read-write"),
  key: byteString,
  rangeEnd: byteString,
});
const member = fc.record({
  id,
  name: text,
  peerUrls: fc.array(text),
  clientUrls: fc.array(text),
  learner: fc.boolean(),
});
const alarm = fc.constantFrom("none", "nospace", "corrupt");
const members = fc.record({ members: fc.array(member), member: fc.option(member) });

type AnyRequest = CallRequest<CallName>;
type AnyResult = CallResult<CallName>;

const request: fc.Arbitrary<AnyRequest> = fc.oneof(
  op,
  fc.record({ op: fc.constant("kv-compact"), revision: fc.integer() }),
  fc.record(
    { op: fc.constant("lease-grant"), ttl: fc.integer(), id },
    { requiredKeys: ["op", "ttl"] },
  ),
  fc.record({ op: fc.constantFrom("lease-revoke", "lease-keep-alive"), id: maybeId }),
  fc.record(
    { op: fc.constant("lease-time-to-live"), id: maybeId, keys: given },
    { requiredKeys: ["op", "id"] },
  ),
  fc.record({
    op: fc.constantFrom(
      "lease-list",
      "auth-enable",
      "auth-disable",
      "auth-status",
      "auth-user-list",
      "auth-role-list",
      "status",
      "defragment",
      "hash",
    ),
  }),
  fc.record(
    { op: fc.constant("auth-user-add"), name: text, password: text, noPassword: given },
    { requiredKeys: ["op", "name", "password"] },
  ),
  fc.record({
    op: fc.constantFrom("auth-user-change-password", "authenticate"),
    name: text,
    password: text,
  }),
  fc.record({
    op: fc.constantFrom("auth-user-get", "auth-user-delete", "auth-role-add"),
    name: text,
  }),
  fc.record({ op: fc.constantFrom("auth-role-get", "auth-role-delete"), role: text }),
  fc.record({ op: fc.constant("auth-user-grant-role"), user: text, role: text }),
  fc.record({ op: fc.constant("auth-user-revoke-role"), name: text, role: text }),
  fc.record({ op: fc.constant("auth-role-grant-permission"), name: text, permission }),
  fc.record({
    op: fc.constant("auth-role-revoke-permission"),
    role: text,
    key: byteString,
    rangeEnd: byteString,
  }),
  fc.record({ op: fc.constant("member-list"), linearizable: given }, { requiredKeys: ["op"] }),
  fc.record(
    { op: fc.constant("member-add"), peerUrls: fc.array(text), learner: given },
    { requiredKeys: ["op", "peerUrls"] },
  ),
  fc.record({ op: fc.constantFrom("member-remove", "member-promote"), member: maybeId }),
  fc.record({ op: fc.constant("member-update"), member: maybeId, peerUrls: fc.array(text) }),
  fc.record({
    op: fc.constant("alarm"),
    action: fc.constantFrom("get", "activate", "deactivate"),
    member: maybeId,
    alarm,
  }),
  fc.record({ op: fc.constant("hash-kv"), revision: fc.integer() }),
  fc.record({ op: fc.constant("move-leader"), to: maybeId }),
  fc.record({
    op: fc.constant("downgrade"),
    action: fc.constantFrom("validate", "enable", "cancel"),
    version: text,
  }),
);

const result: fc.Arbitrary<AnyResult> = fc.oneof(
  answer,
  fc.record({
    op: fc.constantFrom(
      "kv-compact",
      "lease-revoke",
      "auth-enable",
      "auth-user-add",
      "auth-role-revoke-permission",
      "defragment",
      "move-leader",
    ),
  }),
  fc.record({
    op: fc.constantFrom("lease-grant", "lease-keep-alive"),
    id: maybeId,
    ttl: fc.integer(),
  }),
  fc.record({
    op: fc.constant("lease-time-to-live"),
    id: maybeId,
    ttl: fc.integer(),
    grantedTtl: fc.nat(),
    keys: fc.array(byteString),
  }),
  fc.record({ op: fc.constant("lease-list"), leases: fc.array(id) }),
  fc.record({ op: fc.constant("auth-status"), enabled: fc.boolean(), authRevision: fc.nat() }),
  fc.record({ op: fc.constant("authenticate"), token: text }),
  fc.record({ op: fc.constant("auth-user-get"), roles: fc.array(text) }),
  fc.record({ op: fc.constant("auth-user-list"), users: fc.array(text) }),
  fc.record({ op: fc.constant("auth-role-get"), permissions: fc.array(permission) }),
  fc.record({ op: fc.constant("auth-role-list"), roles: fc.array(text) }),
  members.map((rest): AnyResult => ({ op: "member-add", ...rest })),
  members.map(({ members }): AnyResult => ({ op: "member-list", members, member: null })),
  fc.record({
    op: fc.constant("alarm"),
    alarms: fc.array(fc.record({ member: id, alarm })),
  }),
  fc.record({
    op: fc.constant("status"),
    version: text,
    dbSize: count,
    dbSizeInUse: count,
    leader: maybeId,
    raftIndex: count,
    raftTerm: count,
    raftAppliedIndex: count,
    errors: fc.array(text),
    learner: fc.boolean(),
  }),
  fc.record({ op: fc.constant("hash"), hash: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({
    op: fc.constant("hash-kv"),
    hash: fc.integer({ min: 0, max: 0xffffffff }),
    compactRevision: fc.integer({ min: -1 }),
    hashRevision: fc.nat(),
  }),
  fc.record({ op: fc.constant("downgrade"), version: text }),
);

/** There and back through the bytes. */
function throughRequest(path: string, message: Wire): Wire {
  const method = etcdMethods().get(path);
  if (method === undefined) throw new Error(path);
  const back = method.requestDeserialize(method.requestSerialize(message));
  return isWire(back) ? back : {};
}

function throughResponse(path: string, message: Wire): Wire {
  const method = etcdMethods().get(path);
  if (method === undefined) throw new Error(path);
  const back = method.responseDeserialize(method.responseSerialize(message));
  return isWire(back) ? back : {};
}

describe("messages of etcd's protos", () => {
  test("every request comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(request, (asked) => {
        const path = pathOf(asked.op);
        expect(callAt(path)).toBe(asked.op);
        const back = readRequest(asked.op, throughRequest(path, writeRequest(asked.op, asked)));
        expect(back).toEqual(asked);
      }),
    );
  });

  test("every answer comes back from its bytes as it was, with its header", () => {
    fc.assert(
      fc.property(header, result, (head, value) => {
        const path = pathOf(value.op);
        const message = throughResponse(path, writeResult(value.op, head, value));
        const expected: V3Response = { ok: true, header: head, result: value };
        expect(readResponse(value.op, message)).toEqual(expected);
      }),
    );
  });

  test("a stream of watches says the same on both sides", () => {
    const said: fc.Arbitrary<WatchMessage> = fc.oneof(
      fc.record(
        {
          type: fc.constant("create"),
          key: byteString,
          rangeEnd: filled,
          startRevision: fc.integer().filter((n) => n !== 0),
          progressNotify: given,
          prevKv: given,
          noPut: given,
          noDelete: given,
          watchId: positive,
          fragment: given,
        },
        { requiredKeys: ["type", "key"] },
      ),
      fc.record({ type: fc.constant("cancel"), watchId: fc.integer() }),
      fc.record({ type: fc.constant("progress") }),
    );
    const heard: fc.Arbitrary<WatchResponse> = fc.record({
      op: fc.constant("watch-response"),
      watchId: fc.integer({ min: -1 }),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compactRevision: count,
      cancelReason: text,
      fragment: fc.boolean(),
      events: fc.array(
        fc.record(
          { type: fc.constantFrom("put", "delete"), kv: keyValue, prevKv: keyValue },
          { requiredKeys: ["type", "kv"] },
        ),
        { maxLength: 3 },
      ),
    });
    fc.assert(
      fc.property(said, header, heard, (message, head, response) => {
        const asked = throughRequest(WATCH_PATH, watchRequestMessage(message));
        expect(readWatchRequest(asked)).toEqual(message);
        const told = throughResponse(WATCH_PATH, watchResponseMessage(head, response));
        expect(readWatchResponse(told)).toEqual(response);
      }),
    );
  });

  test("bytes that no client of etcd would send are refused or read, and break nothing", () => {
    const junk = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    // Valid messages with a byte changed or cut reach deeper than noise does.
    const spoilt = fc
      .tuple(request, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())
      .map(([asked, at, byte, cut]) => {
        const method = etcdMethods().get(pathOf(asked.op));
        const buffer = method?.requestSerialize(writeRequest(asked.op, asked)) ?? Buffer.alloc(0);
        if (buffer.length === 0) return buffer;
        if (cut) return buffer.subarray(0, at % buffer.length);
        buffer[at % buffer.length] = byte;
        return buffer;
      });
    const paths = [...etcdMethods().keys()];
    fc.assert(
      fc.property(fc.oneof(junk, spoilt), fc.constantFrom(...paths), (buffer, path) => {
        const method = etcdMethods().get(path);
        let message: unknown = null;
        try {
          message = method?.requestDeserialize(buffer);
        } catch {
          return; // gRPC answers by itself that it cannot read the request.
        }
        if (!isWire(message)) return;
        const name = callAt(path);
        try {
          if (name !== null) readRequest(name, message);
          if (path === WATCH_PATH) readWatchRequest(message);
        } catch (error) {
          expect(error).toBeInstanceOf(WireRefusal);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("lease and member ids keep all 64 bits, whether signed or not", () => {
    const asked = { op: "lease-revoke", id: "fffffffffffffffe" } as const;
    const message = throughRequest(pathOf(asked.op), writeRequest(asked.op, asked));
    expect(message.ID).toBe("-2");
    expect(readRequest("lease-revoke", message)).toEqual(asked);
    const other = { op: "member-remove", member: "f4a457008d1441f2" } as const;
    const removal = throughRequest(pathOf(other.op), writeRequest(other.op, other));
    expect(removal.ID).toBe("17628310501313495538");
    expect(readRequest("member-remove", removal)).toEqual(other);
  });

  test("a revision beyond what a number holds is read as the largest that it does", () => {
    const message = throughRequest("/etcdserverpb.KV/Range", { revision: "9223372036854775807" });
    expect(readRequest("kv-range", message).revision).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("an end of a range that is there and empty means everything from the key on, but in the log", () => {
    const end = Buffer.alloc(0);
    const key = Buffer.from("a");
    const path = "/etcdserverpb.KV/Range";
    expect(readRequest("kv-range", throughRequest(path, { key, range_end: end })).rangeEnd).toBe(
      "\0",
    );
    expect(readRequest("kv-range", throughRequest(path, { key })).rangeEnd).toBeUndefined();
    expect(writeRequest("kv-range", { op: "kv-range", key: "a" })).not.toHaveProperty("range_end");
    const read = { request_range: { key, range_end: end } };
    const txn = (success: readonly object[]) =>
      readRequest("kv-txn", throughRequest("/etcdserverpb.KV/Txn", { success })).success[0];
    expect(txn([read])).toMatchObject({ rangeEnd: "\0" });
    expect(txn([read, { request_put: { key } }])).not.toHaveProperty("rangeEnd");
  });

  test("an operation that says nothing is refused in etcd's words", () => {
    const message = throughRequest("/etcdserverpb.KV/Txn", { success: [{}] });
    expect(() => readRequest("kv-txn", message)).toThrow("etcdserver: key not found");
  });

  test("headers inside a transaction tell the revision before its first change, then its own", () => {
    const value: CallResult<"kv-txn"> = {
      op: "kv-txn",
      succeeded: true,
      responses: [
        { op: "kv-range", kvs: [], more: false, count: 0 },
        { op: "kv-put" },
        { op: "kv-range", kvs: [], more: false, count: 0 },
      ],
    };
    const head = { clusterId: "", memberId: "", revision: 9, raftTerm: 2 };
    const message = writeResult("kv-txn", head, value);
    expect(message.responses).toMatchObject([
      { response_range: { header: { revision: "8" } } },
      { response_put: { header: { revision: "9" } } },
      { response_range: { header: { revision: "9" } } },
    ]);
  });

  test("a refusal keeps its code and its text on the way", () => {
    const failure = failureOf(
      codeNumber("OutOfRange"),
      "etcdserver: mvcc: required revision has been compacted",
    );
    expect(failure?.code).toBe("OutOfRange");
    expect(failure === null ? null : statusOf(failure)).toEqual({
      code: 11,
      details: "etcdserver: mvcc: required revision has been compacted",
    });
    expect(failureOf(1, "cancelled")).toBeNull();
  });
});
