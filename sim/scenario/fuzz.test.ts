import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DIAGNOSTIC_CODES, type Diagnostic, type Parsed } from "../../core/kernel/index.js";
import { parseScenario } from "./parse.js";
import type { Scenario } from "./scenario.js";
import { SMALL } from "./testing.js";
import { decodeText } from "./text.js";

const FOLDER = new URL("../../scenarios/", import.meta.url).pathname;
const GOOD = [
  SMALL,
  ...readdirSync(FOLDER)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => readFileSync(join(FOLDER, file), "utf8")),
];

/** Parses bytes as the loader does. */
function parse(bytes: Uint8Array): Parsed<Scenario> {
  const text = decodeText(bytes, "fuzz.yaml");
  return text.ok ? parseScenario(text.value, { file: "fuzz.yaml" }) : text;
}

function mustAnswer(parsed: Parsed<Scenario>, lines: number): void {
  const diagnostics: readonly Diagnostic[] = parsed.ok ? parsed.warnings : parsed.diagnostics;
  if (!parsed.ok) expect(diagnostics.some((each) => each.severity === "error")).toBe(true);
  expect(diagnostics.length).toBeLessThanOrEqual(200);
  for (const { code, position, found, expected, advice } of diagnostics) {
    expect(DIAGNOSTIC_CODES).toHaveProperty(code);
    expect(position.line).toBeGreaterThanOrEqual(1);
    expect(position.line).toBeLessThanOrEqual(lines + 1);
    expect(position.column).toBeGreaterThanOrEqual(1);
    expect(found).not.toBe("");
    // A message that quotes the input must not be as long as the input.
    expect(`${found}${expected}${advice}`.length).toBeLessThan(2_000);
  }
}

const lineCount = (text: string): number => text.split(/\r\n|\r|\n/).length;

const SPICE = [
  ..."{}[]:,&*!|>-#%@`'\"\\\n\t 0",
  "<<: *x",
  "&a [*a, *a]",
  "!!binary ",
  "!!js/function ",
  "---\n",
  "...\n",
  "null",
  "~",
  "NaN",
  ".inf",
  "-1",
  "1e999",
  "0x7fffffffffffffff",
  "99999999999999999999",
  "__proto__: ",
  "constructor: ",
  "? ",
  "\u2028",
  "\ufeff",
  "\r",
  "é",
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.oneof(fc.constant(0), fc.nat(12), fc.nat(400)),
  put: fc.oneof(
    fc.constantFrom(...SPICE),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc
      .constantFrom(...GOOD)
      .chain((text) => fc.nat(text.length).map((from) => text.slice(from, from + 60))),
  ),
});

test("a good scenario with anything changed is a scenario or a list of problems, never an exception", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...GOOD),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      (good, edits) => {
        let text = good;
        for (const { at, drop, put } of edits) {
          const from = Math.floor(at * text.length);
          text = text.slice(0, from) + put + text.slice(from + drop);
        }
        mustAnswer(parseScenario(text, { file: "fuzz.yaml" }), lineCount(text));
      },
    ),
    { numRuns: 400 },
  );
});

/** Every place in a tree of plain values, as paths. */
function places(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  const here = [[...path]];
  if (Array.isArray(value)) {
    return [...here, ...value.flatMap((item, i) => places(item, [...path, i]))];
  }
  if (value === null || typeof value !== "object") return here;
  return [...here, ...Object.entries(value).flatMap(([key, item]) => places(item, [...path, key]))];
}

function put(value: unknown, path: readonly (string | number)[], put_: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return put_;
  if (Array.isArray(value))
    return value.map((item, i) => (i === step ? put(item, rest, put_) : item));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === step ? put(item, rest, put_) : item]),
  );
}

test("any value in the place of any other is a problem with a place, or fine", async () => {
  const { parse: parseYaml } = await import("yaml");
  const trees: unknown[] = GOOD.map((text) => parseYaml(text));
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(
      "-5s",
      "1..0",
      "..",
      "*",
      "zone:",
      "all",
      "5m..",
      "{1..999999}",
      "1ppm",
      -1,
      1.5,
    ),
  );
  const mutant = fc
    .constantFrom(...trees)
    .chain((tree) => fc.tuple(fc.constant(tree), fc.constantFrom(...places(tree)), odd));
  fc.assert(
    fc.property(mutant, ([tree, path, value]) => {
      const text = JSON.stringify(put(tree, path, value), null, 1);
      mustAnswer(parseScenario(text, { file: "fuzz.yaml" }), lineCount(text));
    }),
    { numRuns: 400 },
  );
});

test("any bytes are answered", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      mustAnswer(parse(bytes), bytes.length + 1);
    }),
    { numRuns: 300 },
  );
  const start = new TextEncoder().encode(SMALL);
  fc.assert(
    fc.property(fc.nat(start.length - 1), fc.nat(255), (at, byte) => {
      const bytes = start.slice();
      bytes[at] = byte;
      mustAnswer(parse(bytes), lineCount(SMALL) + 1);
    }),
    { numRuns: 300 },
  );
});

/** Inputs that make careless parsers take quadratic time or memory. */
const LARGE: readonly (readonly [string, (bytes: number) => string])[] = [
  ["keys", (n) => Array.from({ length: n / 12 }, (_, i) => `key${i}: 1\n`).join("")],
  ["the same key", (n) => "a: 1\n".repeat(n / 5)],
  ["list items", (n) => "- a\n".repeat(n / 4)],
  ["open brackets", (n) => "[".repeat(n)],
  ["open braces", (n) => "{".repeat(n)],
  ["dashes", (n) => "- ".repeat(n / 2)],
  ["question marks", (n) => "? ".repeat(n / 2)],
  ["colons", (n) => ": ".repeat(n / 2)],
  ["anchors", (n) => Array.from({ length: n / 20 }, (_, i) => `- &a${i} x\n- *a${i}\n`).join("")],
  ["one alias", (n) => `- &a x\n${"- *a\n".repeat(n / 6)}`],
  ["quotes", (n) => '"'.repeat(n)],
  ["backslashes", (n) => `"${"\\".repeat(n - 3)}`],
  ["comments", (n) => "# c\n".repeat(n / 4)],
  ["blank lines", (n) => "\n".repeat(n)],
  ["one long line", (n) => `name: ${"x".repeat(n - 10)}`],
  ["a long block", (n) => `about: |\n${"  line\n".repeat(n / 8)}`],
  [
    "indentation",
    (n) =>
      Array.from({ length: 1_000 }, (_, i) => `${" ".repeat(i)}a:\n`)
        .join("")
        .slice(0, n),
  ],
  ["documents", (n) => "---\n".repeat(n / 4)],
  ["tags", (n) => "- !a x\n".repeat(n / 8)],
  ["flow pairs", (n) => `[${"a: b,".repeat(n / 6)}]`],
  ["hosts", (n) => `hosts:\n${"- {group: a, count: 9}\n".repeat(n / 24)}`],
];

test.each(LARGE)("a file full of %s is answered", (_, make) => {
  const text = make(100_000);
  const parsed = parseScenario(text, { file: "large.yaml" });
  expect(parsed.ok).toBe(false);
  mustAnswer(parsed, lineCount(text));
});
