import { createGenerator, type Generator, nextBetween, pick } from "../../../core/kernel/index.js";
import { percent } from "./themes.js";

/** A calendar event, good or bad, and the moment after which it is looked for. */
export interface GeneratedSpec {
  readonly text: string;
  /** µs since 1970. */
  readonly after: number;
}

/** Spec `number` of a seed. Specs of one `batch` are looked for after the same moment. */
export function generateSpec(seed: number, number: number, batch: number): GeneratedSpec {
  const g = createGenerator(seed, `calendar/${number}`);
  const short = percent(g, 8);
  const sound = short ? inSomeCase(g, pick(g, SHORTHANDS)) : specOf(g);
  const text = percent(g, 25) ? spoilt(g, sound) : sound;
  // Where fields wrap, systemd may find no way on in a zone that changes its offset.
  const zones = short ? [...UTC_ZONES, ...OTHER_ZONES] : UTC_ZONES;
  return {
    text: percent(g, 18) ? `${text} ${pick(g, zones)}` : text,
    after: momentOf(seed, Math.floor(number / batch)),
  };
}

const UTC_ZONES = ["UTC", "UTC", "utc", "GMT", "Etc/UTC", "Zulu", "Nowhere", "Berlin"];
const OTHER_ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "CET", "US/Pacific"];

/** Days since 1970: 1 March 2017, and the first of January 2200. */
const DAY_2017 = 17_226;
const DAY_2200 = 84_006;

/** Mostly a moment of these years, now and then one near an end of what systemd counts. */
function momentOf(seed: number, batch: number): number {
  const g = createGenerator(seed, `calendar-moment/${batch}`);
  const [from, to] = pick(g, [
    [0, 2],
    [DAY_2017, DAY_2017 + 4_000],
    [DAY_2017, DAY_2017 + 4_000],
    [0, DAY_2200],
    [DAY_2200 - 400, DAY_2200 - 1],
  ] as const);
  const second = secondBetween(g, from, to);
  // Ends of hours, days and months are where fields wrap.
  const whole = percent(g, 40) ? second - (second % pick(g, [60, 3_600, 86_400])) - 1 : second;
  return Math.max(0, whole) * 1_000_000 + nextBetween(g, 0, 999_999);
}

/** A second since 1970, of the days from one to another. */
const secondBetween = (g: Generator, from: number, to: number): number =>
  nextBetween(g, from, to) * 86_400 + nextBetween(g, 0, 86_399);

function specOf(g: Generator): string {
  if (percent(g, 3)) return `@${pick(g, ["", " ", "+"])}${secondBetween(g, 0, DAY_2200 + 500)}`;
  const parts: string[] = [];
  if (percent(g, 40)) parts.push(weekdays(g));
  if (percent(g, 65)) parts.push(date(g));
  if (percent(g, 70) || parts.length === 0) parts.push(time(g));
  return parts.join(percent(g, 4) ? "  " : " ");
}

const inSomeCase = (g: Generator, word: string): string =>
  pick(g, [
    word,
    word,
    word.toUpperCase(),
    word.toLowerCase(),
    word.slice(0, 1).toUpperCase() + word.slice(1),
  ]);

const SHORTHANDS = [
  "minutely",
  "hourly",
  "daily",
  "weekly",
  "monthly",
  "quarterly",
  "semiannually",
  "semi-annually",
  "biannually",
  "bi-annually",
  "yearly",
  "annually",
  "anually",
  "secondly",
  "fortnightly",
];

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

function weekdays(g: Generator): string {
  const parts = Array.from({ length: nextBetween(g, 1, 3) }, () => {
    if (!percent(g, 30)) return inSomeCase(g, pick(g, percent(g, 85) ? DAYS : LONG_DAYS));
    const from = nextBetween(g, 0, 6);
    const to = percent(g, 90) ? nextBetween(g, from, 6) : nextBetween(g, 0, 6);
    return `${DAYS[from]}${pick(g, ["..", "..", "-"])}${DAYS[to]}`;
  });
  return parts.join(",") + (percent(g, 4) ? "," : "");
}

function date(g: Generator): string {
  const month = field(g, 1, 12, 40);
  const lastDays = percent(g, 25);
  const day = lastDays ? field(g, 1, percent(g, 92) ? 28 : 31, 15) : field(g, 1, 31, 30);
  const rest = `${month}${lastDays ? "~" : "-"}${day}`;
  return percent(g, 60) ? `${year(g)}-${rest}` : rest;
}

function year(g: Generator): string {
  if (percent(g, 60)) return "*";
  if (percent(g, 15)) return String(nextBetween(g, 0, 99)).padStart(2, "0");
  return percent(g, 75) ? field(g, 2017, 2050, 0) : field(g, 1969, 2201, 0);
}

function time(g: Generator): string {
  const hour = field(g, 0, percent(g, 97) ? 23 : 25, 40);
  const minute = field(g, 0, percent(g, 97) ? 59 : 61, 30);
  return percent(g, 45) ? `${hour}:${minute}` : `${hour}:${minute}:${seconds(g)}`;
}

const seconds = (g: Generator): string => {
  if (percent(g, 15)) return "*";
  const second = () => nextBetween(g, 0, percent(g, 97) ? 59 : 61) + fraction(g);
  return listOf(g, () => term(g, second, 60, () => nextBetween(g, 0, 30) + fraction(g)));
};

function fraction(g: Generator): string {
  if (percent(g, 60)) return "";
  return pick(g, [
    `.${nextBetween(g, 0, 9)}`,
    `.${String(nextBetween(g, 0, 999_999)).padStart(6, "0")}`,
    ".5",
    ".25",
    ".9999994",
    ".9999995",
    ".0000005",
    ".",
  ]);
}

/** @param any - how often of a hundred it is `*` */
function field(g: Generator, low: number, high: number, any: number): string {
  if (percent(g, any)) return "*";
  const width = high > 99 ? 4 : pick(g, [1, 2, 2]);
  const value = () => String(nextBetween(g, low, high)).padStart(width, "0");
  return listOf(g, () =>
    term(g, value, high, () =>
      String(nextBetween(g, percent(g, 3) ? 0 : 1, Math.max(2, Math.floor((high - low) / 2)))),
    ),
  );
}

const listOf = (g: Generator, one: () => string): string =>
  Array.from({ length: percent(g, 75) ? 1 : nextBetween(g, 2, 4) }, one).join(",");

function term(g: Generator, value: () => string, high: number, repeat: () => string): string {
  const start = value();
  // A range the wrong way round is wrong; most should not be.
  const stop = [value(), value(), String(high - 1)].find((other) => Number(other) > Number(start));
  const range = percent(g, 25) ? `..${percent(g, 92) ? (stop ?? start) : value()}` : "";
  return `${start}${range}${percent(g, 25) ? `/${repeat()}` : ""}`;
}

/** One or two changes to single characters, or another piece put in. */
function spoilt(g: Generator, text: string): string {
  let spoilt = text;
  for (let left = nextBetween(g, 1, 2); left > 0; left--) {
    const at = nextBetween(g, 0, spoilt.length);
    const cut = percent(g, 50) ? 1 : 0;
    const piece = percent(g, 70) ? pick(g, PIECES) : "";
    spoilt = spoilt.slice(0, at) + piece + spoilt.slice(at + cut);
  }
  return spoilt;
}

const PIECES = [
  ..."*-~:/,. @0123456789+",
  "..",
  "...",
  "/0",
  "Mon",
  "UTC",
  " UTC",
  "4294967297",
  "99999999999999999999",
  "--",
  "/1..",
  "2199",
  "2200",
];
