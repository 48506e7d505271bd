import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fromBytes, toBytes } from "../go/index.js";
import { requirements, unknownRequirements, validateOptions } from "./requirements.js";
import {
  parseUnit,
  parseUnitBytes,
  parseUnitHash,
  serializeOptions,
  type UnitFile,
  unitContents,
  unitFromOptions,
} from "./unit-file.js";
import { unitNameInfo, validateUnitName } from "./unit-name.js";

function unit(text: string): UnitFile {
  const parsed = parseUnit(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.unit;
}

function problem(text: string): string {
  const parsed = parseUnit(text);
  return parsed.ok ? "" : parsed.error;
}

test("a unit's hash is that of its options written out again", () => {
  expect(unit("").hash).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
  const hash = "1c6fb6f3684bafb0c173d8b8b957ceff031180c1";
  expect(unit("[Service]\nExecStart=/bin/sleep 100\n").hash).toBe(hash);
  expect(unit("# a comment\n\n[Service]\n  ExecStart = /bin/sleep 100").hash).toBe(hash);
});

test("a continuation keeps its backslash and its newline", () => {
  expect(unit("[A]\nk=a \\\n  b\n").options).toEqual([
    { section: "A", name: "k", value: "a \\\n  b" },
  ]);
});

test("sections that come twice are gathered under their first appearance", () => {
  expect(unit("[A]\nx=1\n[B]\ny=2\n[A]\nz=3\n").serialized).toBe("[A]\nx=1\nz=3\n\n[B]\ny=2\n");
});

test("what is wrong with a unit file is said in go-systemd's words", () => {
  expect(problem("[A")).toBe("unable to find end of section");
  expect(problem("[A] x\n")).toBe("found garbage after section name : [120]");
  expect(problem("[A]\nk\n")).toBe("unexpected newline encountered while parsing option name");
  expect(problem("[A]\nk")).toBe("EOF");
  expect(problem(`[A]\nk=1\nk=${"x".repeat(2100)}\n`)).toBe("line too long (max 2048 bytes)");
});

test("a line of 2048 bytes passes when it is the last that is buffered", () => {
  expect(problem(`[A]\nk=${"x".repeat(2040)}`)).toBe("");
});

test("bytes that are not UTF-8 survive in values", () => {
  const parsed = parseUnitBytes("[A]\nk=\u00ff\n");
  expect(parsed.ok && parsed.unit.options[0]?.value).toBe("\u00ff");
});

// Would catch a serializer that lost the blank line between sections.
test("what is written out reads back as the same options", () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/);
  const option = fc.record({
    section: word,
    name: word,
    value: fc.stringMatching(/^[a-z]( ?[a-z"%=]){0,9}$/),
  });
  fc.assert(
    fc.property(fc.array(option, { maxLength: 12 }), (options) => {
      const once = unit(serializeOptions(options));
      expect(once.serialized).toBe(serializeOptions(options));
      expect(unit(once.serialized).hash).toBe(once.hash);
    }),
  );
});

test("text and bytes convert into each other", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x10_ffff })), (runes) => {
      const text = String.fromCodePoint(...runes);
      expect(toBytes(text)).toBe(Buffer.from(text, "utf8").toString("latin1"));
      expect(fromBytes(toBytes(text))).toBe(Buffer.from(text, "utf8").toString("utf8"));
    }),
  );
});

test("quoted values are taken apart in X-Fleet only, and two spaces make an empty one", () => {
  const contents = unitContents(
    unit('[X-Fleet]\nMachineOf="a"  "b"\nConflicts=c d\n[Other]\nk="a" "b"\n'),
  );
  expect(contents["X-Fleet"]).toEqual({ MachineOf: ["a", "", "b"], Conflicts: ["c d"] });
  expect(contents.Other).toEqual({ k: ['"a" "b"'] });
});

test("requirements: legacy keys, specifiers, metadata and the last word on Global", () => {
  const text = `[X-Fleet]
X-ConditionMachineID=old
MachineID=new
MachineOf=%p.socket
Conflicts=%p@*.service other
MachineMetadata=a=1
MachineMetadata="a=2" "b=3" "broken" "c=1=2"
Global=true
Global=no
`;
  expect(requirements("web@7.service", unit(text))).toEqual({
    requiredTarget: "new",
    metadata: [
      { key: "a", values: ["1", "2"] },
      { key: "b", values: ["3"] },
    ],
    peers: ["web.socket"],
    conflicts: ["web@*.service", "other"],
    replaces: [],
    global: false,
  });
});

test("an instance can make a unit global through a specifier", () => {
  expect(requirements("web@on.service", unit("[X-Fleet]\nGlobal=%i\n")).global).toBe(true);
});

test("unknown X-Fleet keys are named, known ones are not", () => {
  expect(unknownRequirements(unit("[X-Fleet]\nGlobal=1\nmachineof=x\n"))).toEqual([
    'unrecognized requirement in [X-Fleet] section: "machineof"',
  ]);
});

test("the API refuses options that contradict each other", () => {
  expect(validateOptions(unit("[X-Fleet]\nMachineOf=a\nConflicts=*\n"))).toEqual([
    'unresolvable requirements: peer "a" matches conflict "*"',
  ]);
  expect(validateOptions(unit("[X-Fleet]\nGlobal=1\nMachineID=x\n"))).toEqual([
    "MachineID cannot be used with Global",
  ]);
  expect(validateOptions(unit("[X-Fleet]\nGlobal=1\nConflicts=a\n"))).toEqual([]);
});

test("names are split at the first @ and the last dot", () => {
  expect(unitNameInfo("a@b@c.d.service")).toMatchObject({
    prefix: "a",
    instance: "b@c.d",
    template: "a@.service",
  });
  expect(unitNameInfo("web@.service")).toMatchObject({ isTemplate: true, isInstance: false });
  expect(unitNameInfo("web")).toBeNull();
});

test("names are checked in the API's order and words", () => {
  expect(validateUnitName("web@1.service")).toBeNull();
  expect(validateUnitName("")).toBe("unit name cannot be empty");
  expect(validateUnitName("web.")).toBe('unit name cannot end in "."');
  expect(validateUnitName("web@1.mount")).toBe('invalid unit type for template: "mount"');
  expect(validateUnitName("we b.service")).toBe("invalid character ' ' in unit name");
  expect(validateUnitName("@1.service")).toBe('unit name cannot start in "@"');
});

test("hashes are read from hex as Go reads them", () => {
  expect(parseUnitHash("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709")).toEqual({
    ok: true,
    hash: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
  });
  expect(parseUnitHash("abc")).toEqual({ ok: false, error: "encoding/hex: odd length hex string" });
  expect(parseUnitHash("0'")).toEqual({
    ok: false,
    error: "encoding/hex: invalid byte: U+0027 '''",
  });
  expect(parseUnitHash("0\n")).toEqual({ ok: false, error: "encoding/hex: invalid byte: U+000A" });
  expect(parseUnitHash("zz")).toEqual({
    ok: false,
    error: "encoding/hex: invalid byte: U+007A 'z'",
  });
});

test("a line may hold more values than a call takes arguments", () => {
  const value = Array.from({ length: 300_000 }, () => '""').join(" ");
  const unit = unitFromOptions([{ section: "X-Fleet", name: "MachineOf", value }]);
  expect(requirements("a.service", unit).peers).toHaveLength(300_000);
});

test("of the pairs at fault a thousand are told, however many there are", () => {
  const of = (name: string, count: number, value: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => ({ section: "X-Fleet", name, value: value(i) }));
  const peers = of("MachineOf", 2_000, (i) => `a${i}.service`);
  const globs = of("Conflicts", 2_000, (i) => `a${i}.serv*`);
  expect(validateOptions(unitFromOptions([...peers, ...globs]))).toHaveLength(1_000);
  const same = unitFromOptions([...peers, ...of("Conflicts", 2_000, () => "a7.service")]);
  expect(validateOptions(same)).toEqual([
    'unresolvable requirements: peer "a7.service" matches conflict "a7.service"',
  ]);
});
