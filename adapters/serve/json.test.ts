import fc from "fast-check";
import { expect, test } from "vitest";
import { etcdMethods, methodTypes } from "../etcd/proto.js";
import { isWire } from "../etcd/wire-fields.js";
import { JsonSplitter } from "./gateway.js";
import { fromJson, JsonProblem, parseJson, toJson } from "./json.js";

const RANGE = "etcdserverpb.RangeRequest";

test("a message becomes the JSON of etcd's gateway: no zeros, long integers and bytes as text", () => {
  const response = {
    header: { cluster_id: "14841639068965178418", member_id: "0", revision: "2", raft_term: "2" },
    kvs: [
      {
        key: Buffer.from("a"),
        create_revision: "2",
        mod_revision: "2",
        version: "1",
        value: Buffer.from("b"),
        lease: "0",
      },
    ],
    more: false,
    count: "1",
  };
  expect(JSON.stringify(toJson(response, "etcdserverpb.RangeResponse"))).toBe(
    '{"header":{"cluster_id":"14841639068965178418","revision":"2","raft_term":"2"},' +
      '"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1","value":"Yg=="}],"count":"1"}',
  );
});

test("an event that is a put does not say so, one that is a deletion does", () => {
  const response = { events: [{ type: "PUT" }, { type: "DELETE" }] };
  expect(toJson(response, "etcdserverpb.WatchResponse")).toEqual({
    events: [{}, { type: "DELETE" }],
  });
});

test("names may be as in the proto or in camel case, and numbers with quotes or without", () => {
  const expected = { key: Buffer.from("a"), range_end: Buffer.from("b"), limit: "3" };
  for (const json of [
    '{"key":"YQ==","range_end":"Yg==","limit":3}',
    '{"key":"YQ==","rangeEnd":"Yg==","limit":"3"}',
  ]) {
    expect(fromJson(parseJson(json), RANGE)).toEqual(expected);
  }
});

test("what etcd's gateway refuses is refused in its words", () => {
  const refusals: readonly (readonly [string, string])[] = [
    ['{"key":"YQ"}', "illegal base64 data at input byte 0"],
    ['{"key":1}', "json: cannot unmarshal number into Go value of type []uint8"],
    ["{", "unexpected EOF"],
    ["[1]", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"],
    ['{"revision":"abc"}', "invalid character 'a' looking for beginning of value"],
    ['{"sort_order":"UP"}', 'unknown value "UP" for enum etcdserverpb.RangeRequest_SortOrder'],
  ];
  for (const [json, text] of refusals) {
    expect(() => fromJson(parseJson(json), RANGE), json).toThrow(text);
  }
});

test("any JSON is a message of any method, or refused", () => {
  const types = [...etcdMethods().keys()].map((path) => methodTypes(path)?.request ?? "");
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...types), (json, type) => {
      try {
        expect(isWire(fromJson(json, type))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(JsonProblem);
      }
    }),
  );
});

test("a message that has been through JSON is the message that it was", () => {
  const bytes = fc.uint8Array({ maxLength: 8 }).map((one) => Buffer.from(one));
  const long = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String);
  const message = fc.record({
    key: bytes.filter((one) => one.length > 0),
    revision: long.filter((one) => one !== "0"),
    sort_order: fc.constantFrom("ASCEND", "DESCEND"),
    serializable: fc.constant(true),
  });
  fc.assert(
    fc.property(message, (given) => {
      expect(fromJson(parseJson(JSON.stringify(toJson(given, RANGE))), RANGE)).toEqual(given);
    }),
  );
});

test("objects that come one after the other are told apart, however they are cut", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 4 });
  fc.assert(
    fc.property(objects, fc.array(fc.integer({ min: 1, max: 9 })), (given, cuts) => {
      const text = Buffer.from(given.map((one) => JSON.stringify(one)).join(" \n")).toString(
        "latin1",
      );
      const splitter = new JsonSplitter();
      const found: string[] = [];
      let at = 0;
      for (const cut of cuts) {
        found.push(...splitter.push(text.slice(at, at + cut)));
        at += cut;
      }
      found.push(...splitter.push(text.slice(at)));
      const read = found.map((one) => JSON.parse(Buffer.from(one, "latin1").toString("utf8")));
      expect(read).toEqual(given.map((one) => JSON.parse(JSON.stringify(one))));
    }),
  );
});
