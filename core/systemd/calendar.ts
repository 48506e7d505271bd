import { SECOND } from "../kernel/index.js";
import { fieldsOf } from "./calendar-date.js";

/** `start`, `start..stop`, `start/repeat` or `start..stop/repeat`. */
export interface CalendarTerm {
  readonly start: number;
  /** The last value, a whole number of repetitions after `start`; null: as far as the field goes. */
  readonly stop: number | null;
  /** 0: only `start`. */
  readonly repeat: number;
}

/** The values a field takes, in ascending order; null: any. */
export type CalendarField = readonly CalendarTerm[] | null;

/** A calendar event of systemd.time(7): all moments whose fields match. */
export interface CalendarSpec {
  /** A bit for each day that counts, Monday the lowest; null: any. */
  readonly weekdays: number | null;
  readonly year: CalendarField;
  readonly month: CalendarField;
  readonly day: CalendarField;
  /** `~`: days count from the end of the month, its last one being 1. */
  readonly lastDays: boolean;
  readonly hour: CalendarField;
  readonly minute: CalendarField;
  /** Second and fraction together, in microseconds. */
  readonly microsecond: CalendarField;
  /** "" for the host's own, "UTC", or the name that was given. */
  readonly zone: string;
}

/** The years that systemd counts in. */
const YEAR_MIN = 1970;
export const YEAR_MAX = 2199;

/** The most terms of a field (CALENDARSPEC_COMPONENTS_MAX, and the first). */
const TERMS_MAX = 241;

/** The largest number that is read at all, before it is known what it is for. */
const NUMBER_MAX = 0x7fff_ffff;

const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ["minutely", "*-*-* *:*:00"],
  ["hourly", "*-*-* *:00:00"],
  ["daily", "*-*-* 00:00:00"],
  ["weekly", "Mon *-*-* 00:00:00"],
  ["monthly", "*-*-01 00:00:00"],
  ["quarterly", "*-01,04,07,10-01 00:00:00"],
  ["semiannually", "*-01,07-01 00:00:00"],
  ["semi-annually", "*-01,07-01 00:00:00"],
  ["biannually", "*-01,07-01 00:00:00"],
  ["bi-annually", "*-01,07-01 00:00:00"],
  ["yearly", "*-01-01 00:00:00"],
  ["annually", "*-01-01 00:00:00"],
  ["anually", "*-01-01 00:00:00"],
]);

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
const EVERY_DAY = 127;

/** The fields of a calendar event before its zone is known and its fields are in order. */
type Draft = Omit<CalendarSpec, "zone">;

/**
 * Reads the value of OnCalendar= as systemd 252 does (calendar_spec_from_string): fields in order,
 * years of two digits made whole, ranges cut to a whole number of repetitions.
 *
 * @returns null when it is no calendar event
 */
export function parseCalendar(text: string): CalendarSpec | null {
  const { rest, zone } = splitZone(text);
  if (rest === "") return null;
  const read = new CalendarReader(SHORTHANDS.get(lowerCase(rest)) ?? rest).read();
  if (read === null) return null;
  const { draft, utc } = read;
  const days = draft.weekdays;
  const spec: CalendarSpec = {
    weekdays: days === EVERY_DAY ? null : days,
    year: inOrder(draft.year?.map(wholeYears) ?? null),
    month: inOrder(draft.month),
    day: inOrder(draft.day),
    lastDays: draft.lastDays && draft.day !== null,
    hour: inOrder(draft.hour),
    minute: inOrder(draft.minute),
    microsecond: inOrder(draft.microsecond),
    zone: utc ? "UTC" : zone,
  };
  return isWithinBounds(spec) ? spec : null;
}

/** In ASCII alone: no other letter stands for one of these. */
const lowerCase = (text: string): string =>
  text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** Years of two digits are those from 1970 to 2069. */
function wholeYears({ start, stop, repeat }: CalendarTerm): CalendarTerm {
  const whole = (year: number) => (year < 70 ? year + 2_000 : year < 100 ? year + 1_900 : year);
  return { start: whole(start), stop: stop === null ? null : whole(stop), repeat };
}

/** Ranges cut to whole repetitions, in ascending order, each once (normalize_chain). */
function inOrder(field: CalendarField): CalendarField {
  if (field === null) return null;
  const cut = field.map(({ start, stop, repeat }): CalendarTerm => {
    const over = stop !== null && stop > start && repeat > 0 ? (stop - start) % repeat : 0;
    // One value is no range, and a repetition that does not come about is none.
    if (stop !== null && stop - over === start) return { start, stop: null, repeat: 0 };
    return { start, stop: stop === null ? null : stop - over, repeat };
  });
  cut.sort(compareTerms);
  return cut.filter((term, at) => {
    const before = cut[at - 1];
    return before === undefined || compareTerms(before, term) !== 0;
  });
}

const compareTerms = (left: CalendarTerm, right: CalendarTerm): number =>
  left.start - right.start || (left.stop ?? -1) - (right.stop ?? -1) || left.repeat - right.repeat;

/** calendar_spec_valid */
function isWithinBounds({ year, month, day, lastDays, hour, minute, microsecond }: Draft): boolean {
  return (
    isFieldWithin(year, YEAR_MIN, YEAR_MAX) &&
    isFieldWithin(month, 1, 12) &&
    (lastDays ? areLastDays(day) : isFieldWithin(day, 1, 31)) &&
    isFieldWithin(hour, 0, 23) &&
    isFieldWithin(minute, 0, 59) &&
    isFieldWithin(microsecond, 0, 60 * SECOND - 1)
  );
}

/** Whether a field's values lie within bounds, and what repeats does so at least once. */
function isFieldWithin(field: CalendarField, from: number, to: number): boolean {
  return (field ?? []).every(
    ({ start, stop, repeat }) =>
      start >= from &&
      start <= to &&
      repeat <= to - from &&
      (stop === null ? start + repeat <= to : stop <= to && start + repeat <= stop),
  );
}

/**
 * Every month has 28 days to count from its end; from each further term 252 takes three more away.
 * Without a stop, repetitions go towards the end.
 */
function areLastDays(field: CalendarField): boolean {
  return (field ?? []).every(({ start, stop, repeat }, at) => {
    const to = 28 - 3 * at;
    if (start < 1 || start > to || repeat > to - 1) return false;
    return stop === null ? start - repeat >= 1 : stop <= to && start + repeat <= stop;
  });
}

/** The event in its normal form, as `systemd-analyze calendar` prints it (calendar_spec_to_string). */
export function formatCalendar(spec: CalendarSpec): string {
  const { weekdays, lastDays, zone } = spec;
  const days = weekdays === null ? "" : `${formatWeekdays(weekdays)} `;
  const [year, month, day] = [
    formatField(spec.year, 4),
    formatField(spec.month),
    formatField(spec.day),
  ];
  const time = [formatField(spec.hour), formatField(spec.minute), formatSeconds(spec.microsecond)];
  const date = `${year}-${month}${lastDays ? "~" : "-"}${day}`;
  return `${days}${date} ${time.join(":")}${zone === "" ? "" : ` ${zone}`}`;
}

/** Days that follow each other are put together: two with a comma, more as a range. */
function formatWeekdays(weekdays: number): string {
  const runs: string[] = [];
  for (let from = 0; from < DAYS.length; from++) {
    if ((weekdays & (1 << from)) === 0) continue;
    let to = from;
    while ((weekdays & (1 << (to + 1))) !== 0) to++;
    if (to === from) runs.push(DAYS[from] ?? "");
    else runs.push(`${DAYS[from]}${to > from + 1 ? ".." : ","}${DAYS[to]}`);
    from = to;
  }
  return runs.join(",");
}

const digits = (value: number, width: number): string => String(value).padStart(width, "0");

function formatField(field: CalendarField, width = 2): string {
  if (field === null) return "*";
  return formatTerms(field, 1, (value) => digits(value, width), String);
}

function formatSeconds(field: CalendarField): string {
  if (field === null) return "*";
  const [first] = field;
  if (field.length === 1 && first?.start === 0 && first.stop === null && first.repeat === SECOND) {
    return "*";
  }
  const fraction = (value: number) => (value % SECOND === 0 ? "" : `.${digits(value % SECOND, 6)}`);
  return formatTerms(
    field,
    SECOND,
    (value) => digits(Math.floor(value / SECOND), 2) + fraction(value),
    (value) => String(Math.floor(value / SECOND)) + fraction(value),
  );
}

/** @param unit - the repetition that a range has by itself */
function formatTerms(
  field: readonly CalendarTerm[],
  unit: number,
  value: (value: number) => string,
  span: (value: number) => string,
): string {
  const terms = field.map(({ start, stop, repeat }) => {
    const range = stop === null ? "" : `..${value(stop)}`;
    const told = repeat > 0 && !(stop !== null && repeat === unit);
    return `${value(start)}${range}${told ? `/${span(repeat)}` : ""}`;
  });
  return terms.join(",");
}

/** Takes a time zone off the end. */
function splitZone(text: string): { readonly rest: string; readonly zone: string } {
  const space = text.lastIndexOf(" ");
  if (space < 0) return { rest: text, zone: "" };
  const word = text.slice(space + 1);
  if (/^utc$/i.test(word)) return { rest: text.slice(0, space), zone: "UTC" };
  return isZone(word) ? { rest: text.slice(0, space), zone: word } : { rest: text, zone: "" };
}

/** The places of the tz database that stand in no folder, those first that are UTC by another name. */
const UTC_NAMES = "GMT GMT+0 GMT-0 GMT0 Greenwich UCT Universal Zulu".split(" ");
const PLACES: ReadonlySet<string> = new Set([
  ...UTC_NAMES,
  ..."CET CST6CDT Cuba EET EST EST5EDT Egypt Eire GB GB-Eire HST Hongkong Iceland Iran Israel".split(
    " ",
  ),
  ..."Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo PRC PST8PDT Poland".split(
    " ",
  ),
  ..."Portugal ROC ROK Singapore Turkey W-SU WET".split(" "),
]);

const AREAS =
  /^(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US)(?:\/[A-Za-z0-9_+-]+)+$/;

/** Whether a word names a time zone; of the places in an area, any that could be one is taken for one. */
const isZone = (word: string): boolean => PLACES.has(word) || AREAS.test(word);

/** Whether the event is one of UTC, which is the zone of every host here too. */
export function isUtc({ zone }: Pick<CalendarSpec, "zone">): boolean {
  const name = zone.replace(/^Etc\//, "");
  return name === "" || name === "UTC" || UTC_NAMES.includes(name);
}

const DAY_NAME =
  /(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)(?=[-., ]|$)/iy;

/** A reader that goes over a calendar event once, without its zone. */
class CalendarReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** `utc`: it was a number of seconds since 1970, which is one of UTC. */
  read(): { readonly draft: Draft; readonly utc: boolean } | null {
    const weekdays = this.#weekdays();
    if (weekdays === "bad") return null;
    if (this.#next() === "@") {
      const draft = this.#timestamp(weekdays);
      return draft === null ? null : { draft, utc: true };
    }
    const date = this.#date();
    if (date === "bad") return null;
    const time = this.#time();
    if (time === "bad" || this.#at < this.#text.length) return null;
    return { draft: { weekdays, ...date, ...time }, utc: false };
  }

  #next(): string {
    return this.#text.charAt(this.#at);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #takeBlanks(): void {
    while (this.#next() === " ") this.#at++;
  }

  /** `Mon..Fri,Sun`; a comma may be left over at the end, a range may not be left open. */
  #weekdays(): number | null | "bad" {
    let bits = 0;
    let from = -1;
    for (;;) {
      DAY_NAME.lastIndex = this.#at;
      const name = DAY_NAME.exec(this.#text);
      if (name === null) return bits === 0 ? null : "bad";
      const short = lowerCase(name[0].slice(0, 3));
      const day = DAYS.findIndex((known) => lowerCase(known) === short);
      if (from > day) return "bad";
      for (let between = from < 0 ? day : from; between <= day; between++) bits |= 1 << between;
      this.#at += name[0].length;
      if (this.#take(",")) from = -1;
      else if (this.#take("..") || this.#take("-")) {
        if (from >= 0) return "bad";
        from = day;
      } else if (this.#next() === ".") return "bad";
      else from = -1;
      if (this.#next() !== "" && this.#next() !== " ") continue;
      this.#takeBlanks();
      return from < 0 ? bits : "bad";
    }
  }

  /** `@N`, N seconds since 1970. */
  #timestamp(weekdays: number | null): Draft | null {
    const match = /^@[ \t\n\v\f\r]*(?:\+?0*([0-9]{1,11})|-0+)$/.exec(this.#text.slice(this.#at));
    if (match === null) return null;
    const [year, month, day, hour, minute, microsecond] = fieldsOf(Number(match[1] ?? 0) * SECOND);
    const only = (value: number): CalendarField => [{ start: value, stop: null, repeat: 0 }];
    const date = { year: only(year), month: only(month), day: only(day), lastDays: false };
    const time = { hour: only(hour), minute: only(minute), microsecond: only(microsecond) };
    return { weekdays, ...date, ...time };
  }

  /** `Y-M-D`, `M-D`, with `~` before days from the end; nothing is taken when a time comes first. */
  #date(): Pick<Draft, "year" | "month" | "day" | "lastDays"> | "bad" {
    const none = { year: null, month: null, day: null, lastDays: false };
    const begun = this.#at;
    if (this.#next() === "") return none;
    const first = this.#field(1);
    if (first === "bad") return "bad";
    if (this.#next() === "" || this.#next() === ":") {
      this.#at = begun;
      return none;
    }
    const early = this.#dash();
    const second = this.#field(1);
    if (early === "bad" || second === "bad") return "bad";
    if (this.#endsDate()) return { year: null, month: first, day: second, lastDays: early };
    const late = this.#dash();
    const third = this.#field(1);
    if (early || late === "bad" || third === "bad" || !this.#endsDate()) return "bad";
    return { year: first, month: second, day: third, lastDays: late };
  }

  /** Whether it was a `~`. */
  #dash(): boolean | "bad" {
    if (this.#take("~")) return true;
    return this.#take("-") ? false : "bad";
  }

  #endsDate(): boolean {
    if (this.#next() !== "" && this.#next() !== " ") return false;
    this.#takeBlanks();
    return true;
  }

  /** `H:M` or `H:M:S`; midnight when there is none. */
  #time(): Pick<Draft, "hour" | "minute" | "microsecond"> | "bad" {
    const zero: CalendarField = [{ start: 0, stop: null, repeat: 0 }];
    if (this.#next() === "") return { hour: zero, minute: zero, microsecond: zero };
    const hour = this.#field(1);
    if (hour === "bad" || !this.#take(":")) return "bad";
    const minute = this.#field(1);
    if (minute === "bad") return "bad";
    if (this.#next() === "") return { hour, minute, microsecond: zero };
    if (!this.#take(":")) return "bad";
    const microsecond = this.#field(SECOND);
    return microsecond === "bad" ? "bad" : { hour, minute, microsecond };
  }

  /** @param unit - 1, or the microseconds of a second where fractions are allowed */
  #field(unit: number): CalendarField | "bad" {
    if (this.#take("*")) return unit === 1 ? null : [{ start: 0, stop: null, repeat: unit }];
    const terms: CalendarTerm[] = [];
    do {
      const term = terms.length < TERMS_MAX ? this.#term(unit) : null;
      if (term === null) return "bad";
      terms.push(term);
    } while (this.#take(","));
    return terms;
  }

  #term(unit: number): CalendarTerm | null {
    const start = this.#number(unit);
    if (start === null) return null;
    const stop = this.#take("..") ? this.#number(unit) : undefined;
    if (stop === null) return null;
    if (!this.#take("/")) {
      // A range of seconds that is shorter than one is refused, unless it says how it repeats.
      if (unit > 1 && stop !== undefined && start + unit > stop) return null;
      return this.#ended({ start, stop: stop ?? null, repeat: stop === undefined ? 0 : unit });
    }
    const repeat = this.#number(unit);
    return repeat === null || repeat === 0
      ? null
      : this.#ended({ start, stop: stop ?? null, repeat });
  }

  #ended(term: CalendarTerm): CalendarTerm | null {
    return /^[ ,:~-]?$/.test(this.#next()) ? term : null;
  }

  /** A number in units; of a fraction six digits count, and the next one rounds. */
  #number(unit: number): number | null {
    const pattern = unit === 1 ? /[0-9]+/y : /([0-9]+)(?:\.([0-9]+))?/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at = pattern.lastIndex;
    const [text, whole, fraction = ""] = match;
    const rounded = fraction.charAt(6) >= "5" ? 1 : 0;
    const part = Number(fraction.slice(0, 6).padEnd(6, "0")) + rounded;
    const value = unit === 1 ? Number(text) : Number(whole) * unit + part;
    return value > NUMBER_MAX ? null : value;
  }
}
