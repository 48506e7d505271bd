import { fields, fromBytes, quote, toBytes } from "../go/index.js";
import type { Micros } from "../kernel/index.js";
import { parseGoDuration } from "./go-duration.js";
import { scanClock } from "./go-scan.js";
import type { Zone } from "./zone.js";

/** When a host may reboot: every day, or every week on one day, from a time on for a length. */
export interface RebootWindow {
  /** −1: every day; 0: Sunday … 6: Saturday. */
  readonly dayOfWeek: number;
  readonly hour: number;
  readonly minute: number;
  /** Nanoseconds, as Go counts; below one day or one week. */
  readonly lengthNs: number;
}

/** One occurrence of a window. The end is part of it. */
export interface Period {
  /** UTC, in µs since 1970. */
  readonly start: Micros;
  readonly lengthNs: number;
}

const DAYS: ReadonlyMap<string, number> = new Map(
  ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].map((day, index) => [day, index]),
);

const DAY_NS = 86_400_000_000_000n;
const DAY_SECONDS = 86_400;

export type ParsedWindow =
  | { readonly ok: true; readonly window: RebootWindow }
  | { readonly ok: false; readonly error: string };

/**
 * Reads a window as locksmith's timeutil.ParsePeriodic does: `HH:MM` or `Ddd HH:MM`, and a Go
 * duration. Leniencies and error texts are Go's.
 */
export function parseWindow(start: string, length: string): ParsedWindow {
  const clock = parseStart(start);
  if (typeof clock === "string") return failed(`unable to parse start: ${clock}`);
  const duration = parseGoDuration(length);
  if (!duration.ok) return failed(`unable to parse duration: ${duration.error}`);
  if (duration.ns < 0n) return failed("duration cannot be negative");
  const period = clock.dayOfWeek === -1 ? DAY_NS : 7n * DAY_NS;
  if (duration.ns >= period) return failed("duration cannot exceed period");
  return { ok: true, window: { ...clock, lengthNs: Number(duration.ns) } };
}

/** The window's start, or what is wrong with it. */
function parseStart(start: string): Omit<RebootWindow, "lengthNs"> | string {
  const words = fields(toBytes(start)).map(fromBytes);
  if (words.length < 1 || words.length > 2) return "wrong number of fields";
  let dayOfWeek = -1;
  if (words.length === 2) {
    const day = words[0] ?? "";
    const index = DAYS.get(lowerCase(day));
    if (index === undefined) return `invalid day of week ${quote(toBytes(day))}`;
    dayOfWeek = index;
  }
  const clock = words[words.length - 1] ?? "";
  const scanned = scanClock(clock);
  if (!scanned.ok) return `invalid time of day ${quote(toBytes(clock))}: ${scanned.error}`;
  const { hour, minute } = scanned;
  if (hour < 0n || hour > 23n) {
    return `invalid time of day ${quote(toBytes(clock))}: hour must be >= 0 and <= 23`;
  }
  if (minute < 0n || minute > 59n) {
    return `invalid time of day ${quote(toBytes(clock))}: minute must be >= 0 and <= 59`;
  }
  return { dayOfWeek, hour: Number(hour), minute: Number(minute) };
}

/** Go lowers the dotted capital I to a plain i, where JavaScript keeps the dot. */
function lowerCase(text: string): string {
  return text.replaceAll("\u0130", "i").toLowerCase();
}

function failed(error: string): ParsedWindow {
  return { ok: false, error };
}

/**
 * Nanoseconds from `now` to the window: at most 0 inside it (how deep), above 0 outside (until the
 * next one starts). `now` is UTC in µs since 1970.
 */
export function durationToStartNs(window: RebootWindow, now: Micros, zone: Zone): number {
  const previous = previousPeriod(window, now, zone);
  const sincePreviousNs = (now - previous.start) * 1_000;
  if (sincePreviousNs <= previous.lengthNs) return 0 - sincePreviousNs;
  return (nextPeriod(window, now, zone).start - now) * 1_000;
}

/** The last occurrence that started at or before `now`. */
export function previousPeriod(window: RebootWindow, now: Micros, zone: Zone): Period {
  const today = localDay(now, zone);
  const daily = window.dayOfWeek === -1;
  const offset = daily ? 0 : window.dayOfWeek - weekday(today);
  const started = now >= startOn(window, today + offset, zone);
  const back = started ? 0 : daily ? 1 : 7;
  return { start: startOn(window, today + offset - back, zone), lengthNs: window.lengthNs };
}

/** The first occurrence that starts after `now`. */
export function nextPeriod(window: RebootWindow, now: Micros, zone: Zone): Period {
  const today = localDay(now, zone);
  const daily = window.dayOfWeek === -1;
  const offset = daily ? 0 : window.dayOfWeek - weekday(today);
  const ahead = now < startOn(window, today + offset, zone) ? 0 : daily ? 1 : 7;
  return { start: startOn(window, today + offset + ahead, zone), lengthNs: window.lengthNs };
}

/** Days since 1970 on the zone's calendar. */
function localDay(now: Micros, zone: Zone): number {
  const seconds = Math.floor(now / 1_000_000);
  return Math.floor((seconds + zone(seconds)) / DAY_SECONDS);
}

/** 1970 began on a Thursday. */
function weekday(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

/**
 * Go's time.Date of a day and the window's clock. The wall-clock seconds are first taken for UTC to
 * find an offset; the offset at the instant so found decides. A time that a change to daylight
 * saving skips therefore falls an hour later on the clock; of a time that comes twice the first is
 * meant west of Greenwich, and the second east of it.
 */
function startOn(window: RebootWindow, day: number, zone: Zone): Micros {
  const wall = day * DAY_SECONDS + window.hour * 3_600 + window.minute * 60;
  return (wall - zone(wall - zone(wall))) * 1_000_000;
}
