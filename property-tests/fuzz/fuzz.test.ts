import { describe, expect, test } from "vitest";
import { createGenerator } from "../../core/kernel/index.js";
import { grown, INPUT_MAX, inputOf, shrink } from "./mutate.js";
import { fuzz, noTally } from "./run.js";
import { TARGETS } from "./targets.js";

describe.each(TARGETS.map((target) => [target.name, target] as const))("%s", (_, target) => {
  test("answers bred inputs as it promises, and never with an exception", () => {
    const tally = noTally();
    expect(fuzz(target, target.corpus(), 1, 0, 60, tally)).toBeNull();
    expect(tally.inputs).toBe(60);
  });

  test("answers a text with no grammar, and an empty one", () => {
    const g = createGenerator(1, target.name);
    for (const text of [
      "",
      "\n",
      "\0",
      "\ud800",
      grown("[a: {", g, 4_000),
      grown("a\\\n", g, 4_000),
    ]) {
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

test("a target that breaks its word is found out, and the input made small", () => {
  const target = {
    name: "broken",
    about: "throws at every x",
    corpus: () => ({ seeds: ["abc\ndef\n"], words: ["x"] }),
    run(text: string) {
      if (text.includes("x")) throw new Error("an x");
    },
  };
  const failure = fuzz(target, target.corpus(), 1, 0, 1_000, noTally());
  expect(failure).toMatchObject({ target: "broken", input: "x" });
  expect(failure?.problem).toContain("an x");
});

test("shrinking keeps what fails and leaves out the rest", () => {
  expect(shrink("one\ntwo\nthree bad thing\nfour", (text) => text.includes("bad"))).toBe("bad");
});
