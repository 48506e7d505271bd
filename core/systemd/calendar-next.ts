import { DAY as DAY_MICROS, type Micros, SECOND } from "../kernel/index.js";
import { type CalendarField, type CalendarSpec, type CalendarTerm, YEAR_MAX } from "./calendar.js";
import { type DateFields, daysIn, fieldsOf, momentOf } from "./calendar-date.js";

/**
 * How often systemd begins anew before it takes an event for one that never comes
 * (MAX_CALENDAR_ITERATIONS).
 */
const ROUNDS_MAX = 1_000;

/** The fields of a date that are moved on, the coarsest first. */
type Fields = [...DateFields];

const [YEAR, DAY, MICROSECOND] = [0, 2, 5] as const;
const FIELDS = [0, 1, 2, 3, 4, 5] as const;
const FIRST: DateFields = [1970, 1, 1, 0, 0, 0];
const LAST: DateFields = [YEAR_MAX, 12, 31, 23, 59, 60 * SECOND - 1];

type Field = (typeof FIELDS)[number];

/**
 * When a calendar event elapses next (calendar_spec_next_usec); in UTC, whatever its zone.
 *
 * @param after - µs since 1970; the event is later
 * @returns null when it does not elapse before the year 2200
 */
export function nextElapse(spec: CalendarSpec, after: Micros): Micros | null {
  const fields: Fields = [...fieldsOf(after + 1)];
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
    const end = moveOn(spec, fields);
    if (end === "matches") return momentOf(fields);
    if (end === "never") return null;
  }
  return null;
}

/**
 * Moves a date on towards the next one that matches, until a field comes to its end: a round of
 * find_next.
 */
function moveOn(spec: CalendarSpec, fields: Fields): "matches" | "never" | "again" {
  if (fields[YEAR] > YEAR_MAX) return "never";
  for (const field of FIELDS) {
    const found = nextValue(termsOf(spec, field, fields), fields[field]);
    if (found === null) {
      if (field === YEAR) return "never";
      raise(fields, FIELDS[field - 1] ?? YEAR);
      return "again";
    }
    if (found > fields[field]) {
      fields[field] = found;
      beginFiner(fields, field);
      if (found > lastOf(field, fields)) {
        wrap(fields);
        return "again";
      }
    }
    if (field === DAY && !isOnWeekday(spec, fields)) {
      raise(fields, DAY);
      return "again";
    }
  }
  return "matches";
}

function beginFiner(fields: Fields, field: number): void {
  for (const finer of FIELDS) if (finer > field) fields[finer] = FIRST[finer];
}

/** The next value of a field, with everything finer at its beginning. */
function raise(fields: Fields, field: Field): void {
  fields[field]++;
  beginFiner(fields, field);
  const whole = fieldsOf(momentOf(fields));
  for (const each of FIELDS) fields[each] = whole[each];
}

/**
 * Makes a date of one of which a repetition went beyond the end of its field (tm_within_bounds). Where
 * that changes a coarser field, the next finer one begins anew and no other: what is left over in
 * those stays, so that 252 passes over what they should begin with.
 */
function wrap(fields: Fields): void {
  const whole = fieldsOf(momentOf(fields));
  const changed = FIELDS.find((field) => whole[field] !== fields[field]);
  for (const field of FIELDS) fields[field] = whole[field];
  if (changed === undefined) return;
  const finer = FIELDS[changed + 1];
  if (finer === MICROSECOND) fields[finer] %= SECOND;
  else if (finer !== undefined) fields[finer] = FIRST[finer];
}

function lastOf(field: Field, [year, month]: Fields): number {
  return field === DAY ? daysIn(year, month) : LAST[field];
}

/** 1970 began on a Thursday. */
function isOnWeekday({ weekdays }: CalendarSpec, [year, month, day]: Fields): boolean {
  if (weekdays === null) return true;
  const days = Math.floor(momentOf([year, month, day, 0, 0, 0]) / DAY_MICROS);
  return (weekdays & (1 << ((days + 3) % 7))) !== 0;
}

/** What a field may be in the month that was come to; null: anything. */
function termsOf(spec: CalendarSpec, field: Field, [year, month]: Fields): CalendarField {
  if (field === DAY && spec.lastDays)
    return (spec.day ?? []).map((term) => fromEnd(term, daysIn(year, month)));
  const { day, hour, minute, microsecond } = spec;
  return [spec.year, spec.month, day, hour, minute, microsecond][field] ?? null;
}

/** Days that count from the end of a month of so many days, as days of the month. */
function fromEnd({ start, stop, repeat }: CalendarTerm, days: number): CalendarTerm {
  const turned = (value: number) => days + 1 - value;
  if (stop === null) return { start: turned(start), stop, repeat };
  return { start: turned(stop), stop: turned(start), repeat };
}

/** The least value of a field's that is at least `from` (find_matching_component); null when there is none. */
function nextValue(field: CalendarField, from: number): number | null {
  if (field === null) return from;
  let least: number | null = null;
  for (const { start, stop, repeat } of field) {
    if (start < from && repeat === 0) continue;
    const value = start >= from ? start : start + repeat * Math.ceil((from - start) / repeat);
    if (start < from && stop !== null && value > stop) continue;
    if (least === null || value < least) least = value;
  }
  return least;
}
