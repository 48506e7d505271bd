import fc from "fast-check";
import { expect, test } from "vitest";
import { Clock } from "./index.js";

const SECOND = 1_000_000;
const ppm = fc.integer({ min: -100_000, max: 100_000 });
const time = fc.nat(1_000_000 * SECOND);

test("a clock starts ahead by its offset and gains its drift each second", () => {
  const clock = new Clock(1_000, 20, 100);
  expect(clock.read(0)).toBe(1_020);
  expect(clock.read(10 * SECOND)).toBe(1_020 + 10 * SECOND + 1_000);
  expect(new Clock(0, 0, -100).read(10 * SECOND)).toBe(10 * SECOND - 1_000);
});

test("a timer's time in truth is the least in which the clock has advanced by its delay", () => {
  fc.assert(
    fc.property(ppm, fc.nat(3_600 * SECOND), (drift, delay) => {
      const clock = new Clock(0, 0, drift);
      const truth = clock.trueDelay(delay);
      expect(clock.read(truth)).toBeGreaterThanOrEqual(delay);
      expect(clock.read(truth - 2)).toBeLessThan(delay);
    }),
  );
});

test("a step back takes a step away, and timers run at the same rate meanwhile", () => {
  fc.assert(
    fc.property(ppm, time, time, fc.integer({ min: -SECOND, max: SECOND }), (drift, a, b, by) => {
      const clock = new Clock(0, 0, drift);
      const plain = new Clock(0, 0, drift);
      const [from, until] = [Math.min(a, b), Math.max(a, b)];
      clock.step(from, by);
      expect(clock.read(from)).toBe(plain.read(from) + by);
      expect(clock.trueDelay(SECOND)).toBe(plain.trueDelay(SECOND));
      clock.step(until, -by);
      // Each time it is set a clock rounds down: at most 1 µs.
      expect(plain.read(until + SECOND) - clock.read(until + SECOND)).toBeLessThanOrEqual(2);
      expect(plain.read(until + SECOND) - clock.read(until + SECOND)).toBeGreaterThanOrEqual(-2);
    }),
  );
});

test("a drift that ends leaves what was gained and the rate as it was", () => {
  const clock = new Clock(0, 0, 50);
  clock.addDrift(10 * SECOND, 200);
  clock.addDrift(20 * SECOND, -200);
  expect(clock.trueDelay(SECOND)).toBe(new Clock(0, 0, 50).trueDelay(SECOND));
  expect(clock.read(20 * SECOND)).toBe(20 * SECOND + 500 + 2_500);
});

test("without a step a clock never goes back, whatever its drift", () => {
  fc.assert(
    fc.property(ppm, ppm, time, fc.nat(10), (drift, more, at, later) => {
      const clock = new Clock(0, 0, drift);
      const before = clock.read(at);
      clock.addDrift(at, more);
      expect(clock.read(at)).toBe(before);
      expect(clock.read(at + later)).toBeGreaterThanOrEqual(before);
    }),
  );
});
