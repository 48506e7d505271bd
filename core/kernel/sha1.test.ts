import { expect, test } from "vitest";
import { sha1Hex } from "./sha1.js";

test("sha1 gives the digests of FIPS 180-4's examples", () => {
  expect(sha1Hex("")).toBe("da39a3ee5e6b4b0d3255bfef95601890afd80709");
  expect(sha1Hex("abc")).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
  expect(sha1Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).toBe(
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
  );
  expect(sha1Hex("a".repeat(1_000_000))).toBe("34aa973cd4c4daa4f61eeb2bdbad27316534016f");
});

test("sha1 pads correctly around every block boundary", () => {
  const seen = new Set(Array.from({ length: 130 }, (_, n) => sha1Hex("x".repeat(n))));
  expect(seen.size).toBe(130);
  expect(sha1Hex("x".repeat(55))).toBe("cef734ba81a024479e09eb5a75b6ddae62e6abf1");
  expect(sha1Hex("x".repeat(64))).toBe("bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
});

test("sha1 refuses what is not a byte", () => {
  expect(() => sha1Hex("é→")).toThrow(RangeError);
});
