import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sha1Hex } from "../kernel/index.js";
import { clusterIdOf, memberIdOf, raftIdOf } from "./membership.js";

test("ids are those that real etcd gives a default member and its cluster", () => {
  const member = memberIdOf(["http://localhost:2380"], "etcd-cluster", null);
  expect(member).toBe("8e9e05c52164694d");
  expect(clusterIdOf([member])).toBe("cdf818194e3a8c32");
});

test("raft ids are safe integers in the order of the ids", () => {
  expect(raftIdOf("ffffffffffffffff")).toBe(2 ** 52 - 1);
  expect(raftIdOf("0000000000001fff")).toBe(1);
  expect(raftIdOf("8e9e05c52164694d")).toBeGreaterThan(raftIdOf("8211f1d0f64f3269"));
});

test("SHA-1 agrees with the platform's on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = String.fromCharCode(...bytes);
      expect(sha1Hex(text)).toBe(createHash("sha1").update(bytes).digest("hex"));
    }),
  );
});
