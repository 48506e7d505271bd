import fc from "fast-check";
import { expect, test } from "vitest";
import { type GoJson, readGoJson, toBytes } from "../go/index.js";
import { readMetadataOperations, readUnitBody } from "./api-bodies.js";

// What Go 1.26's encoding/json says to each body, decoded into fleet's schema.Unit.
const REFUSED: readonly [string, string][] = [
  ["", "EOF"],
  [" ", "EOF"],
  ["{", "unexpected EOF"],
  ["}", "invalid character '}' looking for beginning of value"],
  ["x", "invalid character 'x' looking for beginning of value"],
  ["nul", "unexpected EOF"],
  ["nulx", "invalid character 'x' in literal null (expecting 'l')"],
  ["true", "json: cannot unmarshal bool into Go value of type schema.Unit"],
  ["1 ", "json: cannot unmarshal number into Go value of type schema.Unit"],
  ['"a"', "json: cannot unmarshal string into Go value of type schema.Unit"],
  ["[]", "json: cannot unmarshal array into Go value of type schema.Unit"],
  ['{"name":1}', "json: cannot unmarshal number into Go struct field Unit.name of type string"],
  ['{"name":{}}', "json: cannot unmarshal object into Go struct field Unit.name of type string"],
  [
    '{"options":{}}',
    "json: cannot unmarshal object into Go struct field Unit.options of type []*schema.UnitOption",
  ],
  [
    '{"options":[1]}',
    "json: cannot unmarshal number into Go struct field Unit.options of type schema.UnitOption",
  ],
  [
    '{"options":[{"name":1}]}',
    "json: cannot unmarshal number into Go struct field UnitOption.options.name of type string",
  ],
  ['{"name":"a",}', "invalid character '}' looking for beginning of object key string"],
  ["{name:1}", "invalid character 'n' looking for beginning of object key string"],
  ['{"name" 1}', "invalid character '1' after object key"],
  ['{"name":"a" "b"}', "invalid character '\"' after object key:value pair"],
  ['{"options":[1 2]}', "invalid character '2' after array element"],
  ['{"name":"a\nb"}', "invalid character '\\n' in string literal"],
  ['{"name":"\\q"}', "invalid character 'q' in string escape code"],
  ['{"name":"\\u12g4"}', "invalid character 'g' in \\u hexadecimal character escape"],
  ['{"name":-}', "invalid character '}' in numeric literal"],
  ['{"name":01}', "invalid character '1' after object key:value pair"],
  ['{"name":1.x}', "invalid character 'x' after decimal point in numeric literal"],
  ['{"name":1e}', "invalid character '}' in exponent of numeric literal"],
  ['{"name":tru}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"name":"a"', "unexpected EOF"],
  ['{"x":{"y":[1,{"z":tru}]}}', "invalid character '}' in literal true (expecting 'e')"],
  ['{"name":"a\u0000"}', "invalid character '\\x00' in string literal"],
  ["\ufeff{}", "invalid character 'ï' looking for beginning of value"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  [
    '{"options":[[]]}',
    "json: cannot unmarshal array into Go struct field Unit.options of type schema.UnitOption",
  ],
  ['{"a":\u0001}', "invalid character '\\x01' looking for beginning of value"],
];

test("bodies that Go refuses are refused in its words", () => {
  for (const [body, message] of REFUSED) {
    expect([body, readUnitBody(toBytes(body))]).toEqual([body, { ok: false, error: message }]);
  }
});

test("bodies that Go takes are taken as it takes them", () => {
  const read = (body: string) => {
    const unit = readUnitBody(toBytes(body));
    if (!unit.ok) throw new Error(unit.error);
    return unit.body;
  };
  const empty = { name: "", desiredState: "", options: [] };
  for (const body of ["null", "{}", "{} trailing", '{"name":null}', '{"\\u212a":1}']) {
    expect(read(body)).toEqual(empty);
  }
  expect(read('{"Name":"a","NAME":"b"}').name).toBe("b");
  expect(read('{"name":"\\u0041\\/"}').name).toBe("A/");
  expect(read('{"name":"\\ud800"}').name).toBe("\ufffd");
  expect(read('{"name":"\\ud83d\\ude00"}').name).toBe("\u{1f600}");
  expect(readUnitBody('{"name":"\u00ff"}')).toMatchObject({ body: { name: "\ufffd" } });
  expect(read('{"de\\u017firedState":"loaded"}').desiredState).toBe("loaded");
  expect(read('{"options":[null]}').options).toEqual([null]);
  expect(read('{"options":[{}],"options":[]}').options).toEqual([]);
  // What the second list leaves out stays as the first had it.
  expect(read('{"options":[{"name":"a"}],"options":[{"value":"b"}]}').options).toEqual([
    { section: "", name: "a", value: "b" },
  ]);
});

test("operations of a PATCH are read as Go reads them", () => {
  const value = 'struct { Value string "json:\\"value\\"" }';
  const refused: readonly [string, string][] = [
    ["", "EOF"],
    ["{}", "json: cannot unmarshal object into Go value of type []api.machineMetadataOp"],
    [
      '[{"value":"x"}]',
      `json: cannot unmarshal string into Go struct field machineMetadataOp.Value of type ${value}`,
    ],
    [
      '[{"op":1}]',
      "json: cannot unmarshal number into Go struct field machineMetadataOp.op of type string",
    ],
    ["[1]", "json: cannot unmarshal number into Go value of type api.machineMetadataOp"],
    [
      '[{"value":{"value":1}}]',
      "json: cannot unmarshal number into Go struct field .Value.value of type string",
    ],
  ];
  for (const [body, message] of refused) {
    expect(readMetadataOperations(body)).toEqual({ ok: false, error: message });
  }
  expect(readMetadataOperations('[null,{"op":"add","VALUE":{"value":"v"}}]')).toEqual({
    ok: true,
    body: [
      { op: "", path: "", value: "" },
      { op: "add", path: "", value: "v" },
    ],
  });
});

test("what JSON.stringify writes is read as it was", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const read = readGoJson(toBytes(text));
      if (!read.ok) throw new Error(read.error);
      expect(plain(read.value)).toEqual(JSON.parse(text));
    }),
  );
});

function plain(json: GoJson): unknown {
  switch (json.type) {
    case "null":
      return null;
    case "bool":
    case "string":
      return json.value;
    case "number":
      return Number(json.text);
    case "array":
      return json.items.map(plain);
    case "object":
      return Object.fromEntries(json.entries.map(([key, value]) => [key, plain(value)]));
  }
}

test("JSON is read as deep as Go reads it, whatever the stack bears", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  const read = readGoJson(nested(10_000));
  let depth = 0;
  for (let value = read.ok ? read.value : undefined; value?.type === "array"; depth++) {
    value = value.items[0];
  }
  expect(depth).toBe(10_000);
  expect(readGoJson(nested(10_001))).toEqual({ ok: false, error: "exceeded max depth" });
  expect(readGoJson('{"a":'.repeat(10_001))).toEqual({ ok: false, error: "exceeded max depth" });
});
