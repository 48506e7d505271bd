import { expect, test } from "vitest";
import { keyBytes, prefixEnd, renderKey, renderPair, renderValue } from "./index.js";

test("bytes that are not text go through base64 and come back the same", () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00]);
  expect(renderKey(bytes)).toEqual({ key: "//4A", keyEncoding: "base64" });
  expect(keyBytes(renderKey(bytes))).toEqual(bytes);
  expect(keyBytes(renderKey(Buffer.from("/ü")))).toEqual(Buffer.from("/ü"));
});

test("a long value is cut between characters and keeps its size and hash", () => {
  expect(renderValue(Buffer.from("aü"), 2)).toEqual({
    value: "a",
    size: 3,
    sha256: "e6617f785dcdbcc49b03df0884a9a84f63096d89bb2dbdbe6c3dca3b5ba20b55",
  });
  expect(renderValue(Buffer.from("aü"), 3)).toEqual({ value: "aü" });
});

test("a byte order mark is part of a value", () => {
  expect(renderValue(Buffer.from([0xef, 0xbb, 0xbf, 0x61]), 10)).toEqual({ value: "\ufeffa" });
});

test("leases above 2^53 and negative ones keep every bit", () => {
  const kv = {
    key: Buffer.from("a"),
    value: Buffer.from(""),
    create_revision: "2",
    mod_revision: "9007199254740991",
    version: "1",
    lease: "7587848390926470919",
  };
  expect(renderPair(kv, 10)).toMatchObject({
    lease: "694d73e8ceb10f07",
    revision: 9_007_199_254_740_991,
  });
  expect(() => renderPair({ ...kv, mod_revision: "9007199254740993" }, 10)).toThrow(RangeError);
  expect("lease" in renderPair({ ...kv, lease: "0" }, 10)).toBe(false);
});

test("the end of a prefix carries over bytes of 0xff", () => {
  expect(prefixEnd(Buffer.from("a"))).toEqual(Buffer.from("b"));
  expect(prefixEnd(Buffer.from([0x61, 0xff]))).toEqual(Buffer.from("b"));
  expect(prefixEnd(Buffer.from([0xff, 0xff]))).toEqual(Buffer.from([0]));
});
