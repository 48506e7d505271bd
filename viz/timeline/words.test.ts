import fc from "fast-check";
import { expect, test } from "vitest";
import {
  compareNames,
  describe,
  formatDuration,
  formatTime,
  parseTime,
  printable,
} from "./index.js";

test("times are written as clocks and durations in two units", () => {
  expect(formatTime(3_723_004_999)).toBe("1:02:03.004");
  expect(formatTime(90_000_000_000)).toBe("1:01:00:00.000");
  expect(
    [750, 12_345, 4_250_000, 200_000_000, 7_500_000_000, 100_000 * 1e6].map(formatDuration),
  ).toEqual(["750 µs", "12 ms", "4.2 s", "3 m 20 s", "2 h 5 m", "1 d 3 h"]);
});

test("a time is read in each way people write it", () => {
  expect(["12.5s", "1m30s", "90", "1:30", "1:02:03.5", "250ms", "2d"].map(parseTime)).toEqual([
    12_500_000, 90_000_000, 90_000_000, 90_000_000, 3_723_500_000, 250_000, 172_800_000_000,
  ]);
  expect(["", "x", "1:2:3:4:5", "5parsecs", "-3s"].map(parseTime)).toEqual([
    null,
    null,
    null,
    null,
    null,
  ]);
});

test("a written time is read back to the millisecond", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (millis) => {
      expect(parseTime(formatTime(millis * 1000))).toBe(millis * 1000);
    }),
  );
});

test("nothing a log says can steer a terminal", () => {
  // Would have caught a unit name with an escape sequence in it, shown as it is.
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom("host.up", "fault.begin", "x.y", "fleet.task"),
      (text, kind) => {
        const data = {
          unit: text,
          reason: text,
          version: text,
          [text]: text,
          fault: { kind: text },
        };
        expect(describe(kind, data)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(printable(text)).not.toContain("\u001b");
      },
    ),
  );
});

test("numbers in names count as numbers", () => {
  expect(["web@10", "web@9", "api", "web@1", "web"].sort(compareNames)).toEqual([
    "api",
    "web",
    "web@1",
    "web@9",
    "web@10",
  ]);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(Math.sign(compareNames(a, b))).toBe(-Math.sign(compareNames(b, a)) + 0);
      expect(compareNames(a, b) === 0).toBe(a === b);
    }),
  );
});
