import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { BackendBucket } from "../../core/etcd/index.js";
import { readSnapshotFile, writeDatabase, writeSnapshotFile } from "./bbolt.js";

/** Rows of any length, by key, as a bucket has them. */
const rows = fc
  .uniqueArray(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), value()), {
    selector: ([key]) => Buffer.from(key).toString("hex"),
    maxLength: 300,
    size: "max",
  })
  .map((pairs) =>
    pairs
      .map(([key, bytes]) => [latin1(key), latin1(bytes)] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );

function value(): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 20, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 4000, maxLength: 9000 }) },
  );
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

test("buckets come out of a file as they went in, whatever their rows hold", () => {
  fc.assert(
    fc.property(rows, rows, (one, two) => {
      const buckets: BackendBucket[] = [
        { name: "empty", rows: [] },
        { name: "key", rows: one },
        { name: "meta", rows: two },
      ];
      const database = writeDatabase(buckets);
      expect(database.length % 4096).toBe(0);
      expect(readSnapshotFile(database)).toEqual(buckets);
      expect(readSnapshotFile(writeSnapshotFile(buckets))).toEqual(buckets);
    }),
    { numRuns: 40 },
  );
});

test("a tree of several levels holds its rows in order", () => {
  const many = Array.from({ length: 20_000 }, (_, i) => {
    const key = String(i).padStart(30, "0");
    return [key, `value ${i}`] as const;
  });
  const [bucket] = readSnapshotFile(writeDatabase([{ name: "key", rows: many }]));
  expect(bucket?.rows).toEqual(many);
});

test("behind a snapshot stands the SHA-256 of what is before it", () => {
  const file = writeSnapshotFile([{ name: "key", rows: [["k", "v"]] }]);
  const database = file.subarray(0, -32);
  const sum = createHash("sha256").update(database).digest();
  expect(Buffer.from(file.subarray(-32)).equals(sum)).toBe(true);
});

test("a file that was changed, is cut, or is something else is told apart from a snapshot", () => {
  const file = writeSnapshotFile([{ name: "key", rows: [["k", "v"]] }]);
  const changed = Uint8Array.from(file);
  changed[5000] = (changed[5000] ?? 0) ^ 1;
  expect(() => readSnapshotFile(changed)).toThrow(/checksum is [0-9a-f]{64}, expected/);
  const cut = file.subarray(0, 4096 * 3);
  expect(() => readSnapshotFile(cut)).toThrow(/lies beyond the 12288 bytes of the file: it is cut/);
  expect(() => readSnapshotFile(Buffer.from("no database"))).toThrow(/no valid meta page/);
});
