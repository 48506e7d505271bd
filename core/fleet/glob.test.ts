import * as fc from "fast-check";
import { expect, test } from "vitest";
import { toBytes } from "../go/index.js";
import { globMatches } from "./glob.js";

test("globs match as Go's path.Match does", () => {
  const cases: [glob: string, name: string, matches: boolean][] = [
    ["abc", "abc", true],
    ["*", "abc", true],
    ["*c", "abc", true],
    ["a*/b", "abc/b", true],
    ["a*", "ab/c", false],
    ["a?c", "a/c", false],
    ["a*b*c*d*e*", "axbxcxdxe", true],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "ab", false],
    ["a[\\-x]b", "a-b", true],
    ["*x", "xxx", true],
    ["a???b", "aébb", false],
    ["a?b", "aéb", true],
    ["a[^a]b", "a☺b", true],
    ["", "", true],
    ["", "a", false],
  ];
  for (const [glob, name, matches] of cases) {
    expect([glob, name, globMatches(toBytes(glob), toBytes(name))]).toEqual([glob, name, matches]);
  }
});

test("a malformed glob matches nothing", () => {
  for (const glob of [
    "[",
    "[^",
    "[a",
    "[a-",
    "[-x]",
    "[]a]",
    "[x-]",
    "a[",
    "[a-b-c]",
    "\\",
    "[\\",
  ]) {
    expect([glob, globMatches(glob, "a"), globMatches(glob, "x")]).toEqual([glob, false, false]);
  }
});

// Would catch a matcher that took the last chunk for matched before the end of the name.
test("a star stands for any text without a slash", () => {
  const text = fc.stringMatching(/^[a-c.@]{0,6}$/);
  fc.assert(
    fc.property(text, text, text, (head, middle, tail) => {
      expect(globMatches(`${head}*${tail}`, head + middle + tail)).toBe(true);
    }),
  );
});
