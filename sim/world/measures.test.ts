import { expect, test } from "vitest";
import { Measure, type Reading } from "./measures.js";

const MINUTE = { kind: "throughout", from: 60, until: 120 } as const;

/** What a measure says of readings at these times. */
function measured(kind: "terms" | "led" | "outage", readings: Readonly<Record<number, Reading>>) {
  const measure = new Measure(kind, MINUTE);
  for (const [at, reading] of Object.entries(readings)) measure.read(Number(at), reading);
  return measure.value();
}

const at = (changes: Partial<Reading>): Reading => ({
  term: 1,
  led: false,
  writtenAt: 0,
  ...changes,
});

test("terms are counted from the first moment of the interval to its last, and no further", () => {
  const terms = (readings: Readonly<Record<number, number>>) =>
    measured(
      "terms",
      Object.fromEntries(Object.entries(readings).map(([time, term]) => [time, at({ term })])),
    );
  expect(terms({ 0: 2, 60: 5, 80: 6, 120: 9, 130: 20 })).toBe(4);
  expect(terms({ 60: 5, 120: 5 })).toBe(0);
});

// Would have caught a share of readings instead of a share of time.
test("what is led counts for as long as it lasts, however many readings there are", () => {
  const led = { 60: at({}), 61: at({}), 62: at({}), 75: at({ led: true }), 90: at({}) };
  expect(measured("led", { ...led, 120: at({}) })).toBe(250_000);
  expect(measured("led", { 60: at({ led: true }), 120: at({}) })).toBe(1_000_000);
  expect(measured("led", { 50: at({ led: true }), 60: at({}), 120: at({ led: true }) })).toBe(0);
});

test("an outage is the longest time between two answered writes, ends of the interval included", () => {
  const written = (...times: readonly number[]) => {
    const readings: Record<number, Reading> = { 60: at({ writtenAt: times[0] ?? 0 }) };
    for (const time of times) if (time > 60) readings[time] = at({ writtenAt: time });
    readings[120] = at({ writtenAt: Math.max(0, ...times) });
    return measured("outage", readings);
  };
  expect(written(59, 70, 95, 110)).toBe(25);
  expect(written(59, 100, 110)).toBe(40);
  expect(written(59, 70)).toBe(50);
  expect(written(30)).toBe(60);
});
