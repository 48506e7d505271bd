import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DURATION_MAX,
  readCountSpan,
  readDrift,
  readDuration,
  readRate,
  readShare,
  readSize,
  readSpan,
  writeDuration,
} from "./quantity.js";

test("durations are read with their units, exactly", () => {
  expect(readDuration("1500us")).toBe(1_500);
  expect(readDuration("250ms")).toBe(250_000);
  expect(readDuration("1.5s")).toBe(1_500_000);
  expect(readDuration("1m30s")).toBe(90_000_000);
  expect(readDuration("-50ms")).toBe(-50_000);
  expect(readDuration("1d")).toBe(86_400_000_000);
  expect(readDuration("0")).toBe(0);
});

test("a duration without a unit, of no whole microseconds or beyond ten years is none", () => {
  for (const text of ["", "5", "s", "1.5us", "5 s", "1e3s", "--1s", "1s-", "4000d", "1y", "NaNs"]) {
    expect(readDuration(text), text).toBeNull();
  }
  expect(readDuration("9".repeat(60))).toBeNull();
});

test("every duration is written so that it reads back (a lost unit would stretch a fault)", () => {
  fc.assert(
    fc.property(fc.integer({ min: -DURATION_MAX, max: DURATION_MAX }), (micros) => {
      expect(readDuration(writeDuration(micros))).toBe(micros);
    }),
  );
});

test("sizes know thousands from 1024s, rates bits from bytes", () => {
  expect(readSize("512KiB")).toBe(524_288);
  expect(readSize("350MB")).toBe(350_000_000);
  expect(readSize("1.5GiB")).toBe(1_610_612_736);
  expect(readSize("5")).toBeNull();
  expect(readRate("1Gbps")).toBe(125_000_000);
  expect(readRate("100MB/s")).toBe(100_000_000);
  expect(readRate("4bps")).toBeNull();
});

test("shares are parts per million and at most all of it", () => {
  expect(readShare("1%")).toBe(10_000);
  expect(readShare("0.1%")).toBe(1_000);
  expect(readShare("100%")).toBe(1_000_000);
  expect(readShare("500ppm")).toBe(500);
  for (const text of ["101%", "-1%", "0.00001%", "1", "%"]) expect(readShare(text)).toBeNull();
  expect(readDrift("-50ppm")).toBe(-50);
  expect(readDrift("20%")).toBeNull();
});

test("spans have a low end and a high end, in that order", () => {
  expect(readSpan("2ms..6ms", readDuration)).toEqual({ low: 2_000, high: 6_000 });
  expect(readSpan("2ms", readDuration)).toEqual({ low: 2_000, high: 2_000 });
  expect(readSpan("-50ms..50ms", readDuration)).toEqual({ low: -50_000, high: 50_000 });
  for (const text of ["6ms..2ms", "..", "2ms..", "1ms..2ms..3ms"]) {
    expect(readSpan(text, readDuration), text).toBeNull();
  }
  expect(readCountSpan("3..")).toEqual({ low: 3, high: 1_000_000 });
  expect(readCountSpan("..1")).toEqual({ low: 0, high: 1 });
  expect(readCountSpan("..")).toBeNull();
});
