import { DAY, HOUR, MINUTE, type Micros } from "../kernel/index.js";

/** Year, month and day (from 1), hour, minute, and the minute's microseconds, in UTC. */
export type DateFields = readonly [number, number, number, number, number, number];

/** The fields of a moment, given in microseconds since 1970. */
export function fieldsOf(at: Micros): DateFields {
  const days = Math.floor(at / DAY);
  const inDay = at - days * DAY;
  const inHour = inDay % HOUR;
  const [year, month, day] = dateOf(days);
  return [year, month, day, Math.floor(inDay / HOUR), Math.floor(inHour / MINUTE), inHour % MINUTE];
}

/** The moment of fields, of which any may lie beyond its end: the 32nd of a month is in the next one. */
export function momentOf([year, month, day, hour, minute, microsecond]: DateFields): Micros {
  const days = daysBefore(year, month) + day - 1;
  return days * DAY + hour * HOUR + minute * MINUTE + microsecond;
}

/** How many days a month has. */
export const daysIn = (year: number, month: number): number =>
  daysBefore(year, month + 1) - daysBefore(year, month);

// Years are counted from March, so that the leap day is the last of its year, and in cycles of 400.
const CYCLE_DAYS = 146_097;
const DAYS_TO_1970 = 719_468;

/** Days from 1970 to the first of a month; the 13th month is January. */
function daysBefore(year: number, month: number): number {
  const months = year * 12 + month - 3;
  const marchYear = Math.floor(months / 12);
  const inYear = Math.floor(((months - marchYear * 12) * 153 + 2) / 5);
  const leaps =
    Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leaps + inYear - DAYS_TO_1970;
}

/** Year, month and day of a number of days since 1970. */
function dateOf(days: number): readonly [number, number, number] {
  const since = days + DAYS_TO_1970;
  const cycle = Math.floor(since / CYCLE_DAYS);
  const inCycle = since - cycle * CYCLE_DAYS;
  const years = Math.floor(
    (inCycle -
      Math.floor(inCycle / 1_460) +
      Math.floor(inCycle / 36_524) -
      Math.floor(inCycle / (CYCLE_DAYS - 1))) /
      365,
  );
  const inYear = inCycle - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const month = Math.floor((5 * inYear + 2) / 153);
  const day = inYear - Math.floor((153 * month + 2) / 5) + 1;
  const late = month > 9;
  return [cycle * 400 + years + (late ? 1 : 0), late ? month - 9 : month + 3, day];
}
