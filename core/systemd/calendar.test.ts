import fc from "fast-check";
import { expect, test } from "vitest";
import { DAY, MINUTE, SECOND } from "../kernel/index.js";
import { formatCalendar, isUtc, parseCalendar } from "./calendar.js";
import { daysIn, fieldsOf, momentOf } from "./calendar-date.js";
import { nextElapse } from "./calendar-next.js";

/** A moment that is written as in `2017-03-01 00:00:00.5`. */
function micros(text: string): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text
    .split(/[-: ]/)
    .map(Number);
  return momentOf([year, month, day, hour, minute, second * SECOND]);
}

function written(at: number): string {
  const [year, ...rest] = fieldsOf(at).map((field) => String(field).padStart(2, "0"));
  const [month, day, hour, minute] = rest;
  const second = String((at % MINUTE) / SECOND).padStart(2, "0");
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

const normal = (text: string) => {
  const spec = parseCalendar(text);
  return spec === null ? null : formatCalendar(spec);
};

/** The next elapses after a moment. */
function elapses(text: string, after: string, count = 3): string[] {
  const spec = parseCalendar(text);
  if (spec === null) throw new Error(`${text} is no calendar event`);
  const found: string[] = [];
  let at = nextElapse(spec, micros(after));
  for (; at !== null && found.length < count; at = nextElapse(spec, at)) {
    found.push(written(at));
  }
  return found;
}

test.each([
  ["daily", "*-*-* 00:00:00"],
  ["WEEKLY utc", "Mon *-*-* 00:00:00 UTC"],
  ["quarterly", "*-01,04,07,10-01 00:00:00"],
  ["Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"],
  ["Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"],
  ["Wed *-1", "Wed *-*-01 00:00:00"],
  ["10-15", "*-10-15 00:00:00"],
  ["monday *-12-* 17:00", "Mon *-12-* 17:00:00"],
  ["*-*~07/1", "*-*~07/1 00:00:00"],
  ["12,14,13,12:20,10,30", "*-*-* 12,13,14:10,20,30:00"],
  ["08:05:40.1234567..59.9", "*-*-* 08:05:40.123457..59.123457"],
  ["*:*:*", "*-*-* *:*:*"],
  ["@1488326400", "2017-03-01 00:00:00 UTC"],
  ["03-05 08:05 Etc/UTC", "*-03-05 08:05:00 Etc/UTC"],
])("%s is %s in its normal form", (text, form) => {
  expect(normal(text)).toBe(form);
});

test.each([
  ["Fri..Mon", "a range of days goes forward"],
  ["Mon..", "a range has an end"],
  ["24:00", "the day has 24 hours"],
  ["*:*:60", "there are no leap seconds"],
  ["2200-01-01", "systemd counts to 2199"],
  ["*-*~29", "a month may have 28 days"],
  ["*:0/0", "nothing is repeated every 0"],
  ["*:*:5..5.5", "a range of less than a second says how it repeats"],
  ["*-02~3,28", "a second term may be no more than 25 days from the end"],
  ["12:00 Nowhere", "there is no such zone"],
  ["", "nothing is no event"],
  ["daily ", "a shorthand stands by itself"],
])("%s is refused: %s", (text) => {
  expect(normal(text)).toBeNull();
});

test("a field has at most 241 terms", () => {
  const terms = (count: number) => Array.from({ length: count }, () => "5").join(",");
  expect(normal(`${terms(241)}:00`)).toBe("*-*-* 05:00:00");
  expect(normal(`${terms(242)}:00`)).toBeNull();
});

test("weekdays, last days and leap days come when the calendar has them", () => {
  expect(elapses("Mon *-*~07/1", "2021-03-04 05:06:07", 2)).toEqual([
    "2021-03-29 00:00:00",
    "2021-04-26 00:00:00",
  ]);
  expect(elapses("Mon *-02-29", "2017-03-01 00:00:00", 1)).toEqual(["2044-02-29 00:00:00"]);
  expect(elapses("*-*~1 12:00", "2100-02-01 00:00:00", 1)).toEqual(["2100-02-28 12:00:00"]);
  expect(elapses("*:*:0/0.25", "2017-03-01 00:00:00.1")).toEqual([
    "2017-03-01 00:00:0.25",
    "2017-03-01 00:00:0.5",
    "2017-03-01 00:00:0.75",
  ]);
});

test("an event elapses after a moment, never at it", () => {
  expect(elapses("daily", "2017-03-01 00:00:00", 1)).toEqual(["2017-03-02 00:00:00"]);
  expect(elapses("daily", "2017-02-28 23:59:59.999", 1)).toEqual(["2017-03-01 00:00:00"]);
});

test("what is over, or on no calendar, never elapses", () => {
  expect(elapses("2016-12-31", "2017-03-01 00:00:00")).toEqual([]);
  expect(elapses("*-02-30", "2017-03-01 00:00:00")).toEqual([]);
  expect(elapses("yearly", "2198-06-01 00:00:00")).toEqual(["2199-01-01 00:00:00"]);
});

test("a repetition over the end of an hour loses the first of the next, as in 252", () => {
  expect(elapses("*:*:0/7.3", "2021-03-04 21:30:58.5", 1)).toEqual(["2021-03-04 21:31:7.3"]);
  expect(elapses("*:2/8", "2017-08-28 23:59:00", 1)).toEqual(["2017-08-29 00:10:00"]);
});

test("hosts know their own zone and what else is UTC", () => {
  const utc = (text: string) => {
    const spec = parseCalendar(text);
    return spec !== null && isUtc(spec);
  };
  expect([utc("daily"), utc("daily UTC"), utc("daily GMT"), utc("daily Etc/Zulu")]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect([utc("daily Europe/Berlin"), utc("daily CET")]).toEqual([false, false]);
});

test("each day follows the one before it", () => {
  expect(fieldsOf(0)).toEqual([1970, 1, 1, 0, 0, 0]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 84_005 }), (days) => {
      const [year, month, day] = fieldsOf(days * DAY);
      const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
      const last = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
      expect(daysIn(year, month)).toBe(last);
      const next =
        day < last ? [year, month, day + 1] : month < 12 ? [year, month + 1, 1] : [year + 1, 1, 1];
      expect(fieldsOf((days + 1) * DAY).slice(0, 3)).toEqual(next);
      expect(momentOf(fieldsOf(days * DAY + 1_234_567))).toBe(days * DAY + 1_234_567);
    }),
    { numRuns: 1_000 },
  );
});

/** Events as people write them, and such as only a machine would. */
const events = fc
  .tuple(
    fc.constantFrom("", "Mon ", "Tue..Thu,Sun ", "Mon,"),
    fc.constantFrom("", "*-*-* ", "*-1/5-31 ", "2020..2030/3-*~1..9/2,4 ", "*-2-29 ", "1/7-1/30 "),
    fc.constantFrom("*:*", "0/7:5", "*:0/59:*", "5..9,22:*:0.5/59.9", "0:0:0/1.000001", ""),
    fc.constantFrom("", " UTC"),
  )
  .map((parts) => parts.join(""));

test("the normal form of an event means the same, and elapses move on", () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 0, max: 7e15 }), (text, after) => {
      const spec = parseCalendar(text);
      if (spec === null) return;
      expect(parseCalendar(formatCalendar(spec))).toEqual(spec);
      const next = nextElapse(spec, after);
      if (next === null) return;
      expect(next).toBeGreaterThan(after);
      // Between a moment and the next elapse there is none.
      expect(nextElapse(spec, next - 1)).toBe(next);
    }),
  );
});
