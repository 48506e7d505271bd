import { describe, expect, test } from "vitest";
import { growing, superlinear } from "./growth.js";
import { INPUT_MAX, inputOf, shrink } from "./mutate.js";
import { Run } from "./run.js";
import { TARGETS, type Target } from "./targets.js";

describe.each(TARGETS.map((target) => [target.name, target] as const))("%s", (_, target) => {
  test("answers bred inputs as it promises, and never with an exception", () => {
    const run = new Run(target, 1);
    expect(run.inputs(0, 60)).toBeNull();
    expect(run.tally.inputs).toBe(60);
    expect(run.tally.traits).toBeGreaterThan(3);
  });

  test("answers a text with no grammar, and an empty one", () => {
    for (const text of ["", "\n", "\0", "\ud800", "[a: {".repeat(800), "a\\\n".repeat(1_000)]) {
      expect(() => target.run(text)).not.toThrow();
    }
  });
});

test("an input is the same whenever it is asked for, and another under another number", () => {
  const corpus = { seeds: ["a=b\nc: d\n", "[x]\n"], words: ["w"] };
  const inputs = Array.from({ length: 50 }, (_, number) => inputOf(corpus, "t", 1, number));
  expect(Array.from({ length: 50 }, (_, number) => inputOf(corpus, "t", 1, number))).toEqual(
    inputs,
  );
  expect(new Set(inputs).size).toBeGreaterThan(25);
  for (const input of inputs) expect(input.length).toBeLessThanOrEqual(INPUT_MAX);
});

/** A target over lines of `key=value`, and what it does with them. */
const targetOf = (run: Target["run"]): Target => ({
  name: "broken",
  about: "for tests",
  corpus: () => ({ seeds: ["abc=1\ndef=2\n"], words: ["x", "y", "z", "=", "\n"] }),
  run,
});

test("a target that breaks its word is found out, and the input made small", () => {
  const target = targetOf((text) => {
    if (text.includes("x")) throw new Error("an x");
    return [];
  });
  const run = new Run(target, 1);
  const failure = run.inputs(0, 1_000);
  expect(failure).toMatchObject({ target: "broken", growth: false, input: "x" });
  expect(failure?.problem).toContain("an x");
  const again = new Run(target, 1).only(failure?.lineage ?? []);
  expect(again).toEqual({ ...failure, problem: again?.problem });
});

test("answers lead the way to an input that needs several steps", () => {
  const word = "xzyyxzzxyx";
  const target = targetOf((text) => {
    let reached = 0;
    while (reached < word.length && text.startsWith(word.slice(0, reached + 1))) reached++;
    if (reached === word.length) throw new Error("the whole word");
    return [`reached ${reached}`];
  });
  const led = new Run(target, 1).inputs(0, 60_000);
  expect(led?.problem).toContain("the whole word");
  expect(led?.lineage.length).toBeGreaterThan(1);
  const silent = targetOf((text) => target.run(text).slice(1));
  expect(new Run(silent, 1).inputs(0, 60_000)).toBeNull();
});

/** Steps as milliseconds: a clock that nothing else on the machine can slow down. */
const probed = (steps: (text: string) => number): string | null =>
  superlinear(growing("abc=1\ndef=2\n", 1, "t"), (text) => steps(text) / 1_000);

test("a time that grows with the square of the text is told from one that grows with it", () => {
  expect(probed((text) => text.length * 5)).toBeNull();
  expect(probed((text) => text.length * Math.log2(text.length))).toBeNull();
  expect(probed((text) => text.length ** 2 / 1_000)).toMatch(/grows faster/);
  expect(probed((text) => (text.length / 1_000) ** 3)).toMatch(/grows faster/);
});

test("a busy machine is not taken for a slow parser", () => {
  let calls = 0;
  // Every third time something else comes in between.
  expect(probed((text) => text.length * (calls++ % 3 === 1 ? 50 : 2))).toBeNull();
});

test("a text that grows holds more of the same, whatever its shape", () => {
  for (let i = 0; i < 40; i++) {
    const text = growing("abc=1\ndef=2\n", 7, `s${i}`);
    expect(text(8_000).length).toBeGreaterThanOrEqual(8_000);
    expect(text(16_000).length).toBeLessThan(text(8_000).length * 2.2);
    expect(text(8_000)).toBe(text(8_000));
  }
});

test("shrinking keeps what fails and leaves out the rest", () => {
  expect(shrink("one\ntwo\nthree bad thing\nfour", (text) => text.includes("bad"))).toBe("bad");
});
