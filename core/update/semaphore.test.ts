import fc from "fast-check";
import { expect, test } from "vitest";
import {
  compareUtf8,
  decodeSemaphore,
  durationToStartNs,
  encodeSemaphore,
  HOLDER_DOES_NOT_EXIST,
  HOLDER_EXISTS,
  lock,
  NEW_SEMAPHORE,
  nextPeriod,
  parseWindow,
  previousPeriod,
  type Semaphore,
  semaphoreKey,
  setMax,
  UTC,
  unlock,
  type ZoneTable,
  zoneOf,
} from "./index.js";

const HOUR_NS = 3_600_000_000_000;

/** Texts of what JSON escapes, what UTF-8 and UTF-16 order differently, and what neither allows. */
const text = fc.string({
  unit: fc.constantFrom(...'ab<&>"\\\n\u0000\u007f\u2028é\uffff😀\ue000', "\ud800", "\udc00"),
});
const wellFormed = (value: string) => value.replace(/\p{Surrogate}/gu, "\ufffd");

type Operation = readonly ["lock" | "unlock", string] | readonly ["setMax", number];

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(fc.constantFrom("lock", "unlock"), fc.constantFrom("a", "b", "c", "é", "😀", "\uffff")),
  fc.tuple(fc.constant("setMax" as const), fc.integer({ min: -2, max: 5 })),
);

function apply(s: Semaphore, operation: Operation): Semaphore {
  const result =
    operation[0] === "setMax"
      ? setMax(s, operation[1])
      : operation[0] === "lock"
        ? lock(s, operation[1])
        : unlock(s, operation[1]);
  return result.ok ? result.semaphore : s;
}

// Catches a permit that is lost or made up, and a list that bisection cannot search.
test("permits and holders always add up to the maximum, and holders stay sorted by their bytes", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: "max" }), (operations) => {
      let s = NEW_SEMAPHORE;
      for (const op of operations) {
        s = apply(s, op);
        const holders = s.holders ?? [];
        expect(s.semaphore + holders.length).toBe(s.max);
        expect([...holders].sort((x, y) => Buffer.from(x).compare(Buffer.from(y)))).toEqual(
          holders,
        );
        expect(new Set(holders).size).toBe(holders.length);
      }
    }),
  );
});

test("a semaphore survives its JSON, and JavaScript reads it alike", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), fc.array(text), (semaphore, max, names) => {
      const s = { semaphore, max, holders: names.map(wellFormed) };
      const encoded = encodeSemaphore(s);
      expect(decodeSemaphore(encoded)).toEqual(s);
      expect(JSON.parse(encoded)).toEqual(s);
    }),
  );
});

test("the order of holders is that of their UTF-8 bytes", () => {
  fc.assert(
    fc.property(text, text, (left, right) => {
      const [a, b] = [wellFormed(left), wellFormed(right)];
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.from(a).compare(Buffer.from(b)));
    }),
  );
});

test("a holder that asks again hears that it exists only while permits are left", () => {
  const one: Semaphore = { semaphore: 1, max: 2, holders: ["a"] };
  expect(lock(one, "a")).toEqual({ ok: false, error: HOLDER_EXISTS });
  const none: Semaphore = { semaphore: 0, max: 1, holders: ["a"] };
  expect(lock(none, "a")).toEqual({ ok: false, error: "semaphore is at 0" });
  expect(unlock(none, "b")).toEqual({ ok: false, error: HOLDER_DOES_NOT_EXIST });
});

test("bisection misses a holder in a list that somebody left unsorted", () => {
  const s: Semaphore = { semaphore: 0, max: 2, holders: ["b", "a"] };
  expect(unlock(s, "b")).toEqual({ ok: false, error: HOLDER_DOES_NOT_EXIST });
});

test("what Go cannot decode into a semaphore is none", () => {
  const bad = [
    "",
    "[]",
    '"x"',
    "1",
    "{",
    '{"max":1.0}',
    '{"max":1e2}',
    '{"holders":"a"}',
    '{"holders":[1]}',
    '{"max":01}',
    "{} x",
  ];
  expect(bad.map(decodeSemaphore)).toEqual(bad.map(() => null));
  expect(decodeSemaphore("null")).toEqual({ semaphore: 0, max: 0, holders: null });
  expect(decodeSemaphore('{"MAX":2,"x":[{}],"holders":[null],"max":3}')).toEqual({
    semaphore: 0,
    max: 3,
    holders: [""],
  });
});

test("a group's name becomes one element of the key, except for the two names that paths swallow", () => {
  const prefix = "/coreos.com/updateengine/rebootlock";
  expect(["", "..", ".", "web front", "a/b"].map(semaphoreKey)).toEqual([
    `${prefix}/semaphore`,
    `${prefix}/semaphore`,
    `${prefix}/groups/semaphore`,
    `${prefix}/groups/web+front/semaphore`,
    `${prefix}/groups/a%2Fb/semaphore`,
  ]);
});

const windows = fc
  .tuple(fc.integer({ min: -1, max: 6 }), fc.nat(23), fc.nat(59), fc.nat(23 * 60))
  .map(([dayOfWeek, hour, minute, lengthMinutes]) => ({
    dayOfWeek,
    hour,
    minute,
    lengthNs: lengthMinutes * 60_000_000_000,
  }));

/** Two changes a year apart from each other: an hour forward, an hour back. */
const SUMMER: ZoneTable = {
  offset: 3_600,
  changes: [
    { from: 1_711_846_800, offset: 7_200 },
    { from: 1_729_990_800, offset: 3_600 },
  ],
};

const instants = fc.integer({ min: 1_700_000_000, max: 1_740_000_000 });

// Catches an off-by-one day or week at the edges of a window.
test("in UTC the previous period started by now, the next one after it, one day or one week apart", () => {
  fc.assert(
    fc.property(windows, instants, (window, seconds) => {
      const now = seconds * 1_000_000;
      const previous = previousPeriod(window, now, UTC);
      const next = nextPeriod(window, now, UTC);
      expect(previous.start).toBeLessThanOrEqual(now);
      expect(next.start).toBeGreaterThan(now);
      const days = window.dayOfWeek === -1 ? 1 : 7;
      expect(next.start - previous.start).toBe(days * 86_400_000_000);
      const wait = durationToStartNs(window, now, UTC);
      const inside = (now - previous.start) * 1_000 <= window.lengthNs;
      expect(wait <= 0).toBe(inside);
    }),
  );
});

test("where clocks change, a period still starts at the window's wall-clock time, or right after the gap", () => {
  const zone = zoneOf(SUMMER);
  fc.assert(
    fc.property(windows, instants, (window, seconds) => {
      const { start } = nextPeriod(window, seconds * 1_000_000, zone);
      const local = start / 1_000_000 + zone(start / 1_000_000);
      const minutes = Math.floor(local / 60) % 1_440;
      const wanted = window.hour * 60 + window.minute;
      expect([0, 60]).toContain((minutes - wanted + 1_440) % 1_440);
    }),
  );
});

test("a start that the clocks skip comes an hour later, of one that comes twice the second is meant in the east", () => {
  const window = { dayOfWeek: -1, hour: 2, minute: 30, lengthNs: 0 };
  const zone = zoneOf(SUMMER);
  const [spring, autumn] = [1_711_846_800, 1_729_990_800];
  // 01:30 UTC is 03:30 in summer time; the clock never showed 02:30.
  expect(nextPeriod(window, (spring - 7_200) * 1_000_000, zone).start).toBe(
    (spring + 1_800) * 1_000_000,
  );
  expect(nextPeriod(window, (autumn - 7_200) * 1_000_000, zone).start).toBe(
    (autumn + 1_800) * 1_000_000,
  );
});

test("the end of a window is part of it, the moment after is not", () => {
  const parsed = parseWindow("Thu 04:00", "1h");
  if (!parsed.ok) throw new Error(parsed.error);
  const end = 5 * 3_600 * 1_000_000;
  expect(durationToStartNs(parsed.window, end, UTC)).toBe(-HOUR_NS);
  expect(durationToStartNs(parsed.window, end + 1, UTC)).toBe(167 * HOUR_NS - 1_000);
});

test("windows that cannot be are refused in locksmith's own words", () => {
  const error = (start: string, length: string) => {
    const parsed = parseWindow(start, length);
    return parsed.ok ? null : parsed.error;
  };
  expect(error("24:00", "1h")).toBe(
    'unable to parse start: invalid time of day "24:00": hour must be >= 0 and <= 23',
  );
  expect(error("Thursday 04:00", "1h")).toBe(
    'unable to parse start: invalid day of week "Thursday"',
  );
  expect(error("04:00", "24h")).toBe("duration cannot exceed period");
  expect(error("04:00", "1d")).toBe(
    'unable to parse duration: time: unknown unit "d" in duration "1d"',
  );
  expect(error("Thu 4:30pm", "24h")).toBeNull();
});

// Catches twice 2^63, which Go's 64 bits turn into nothing.
test("a duration that overflows twice is zero, as it is in Go", () => {
  const parsed = parseWindow("1:00", "9223372036854775808ns9223372036854775808ns");
  expect(parsed).toMatchObject({ ok: true, window: { lengthNs: 0 } });
});
