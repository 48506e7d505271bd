import type { Micros } from "../kernel/index.js";

const TRUE = new Set(["1", "yes", "y", "true", "t", "on"]);
const FALSE = new Set(["0", "no", "n", "false", "f", "off"]);

/** A boolean (basic/parse-util.c); null when it is none. */
export function parseBoolean(text: string): boolean | null {
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  return FALSE.has(lower) ? false : null;
}

/** "For ever", where systemd has USEC_INFINITY. */
export const FOREVER: Micros = Number.MAX_SAFE_INTEGER;

const SPAN_UNITS: ReadonlyMap<string, Micros> = new Map(
  Object.entries({
    us: 1,
    usec: 1,
    µs: 1,
    μs: 1,
    ms: 1_000,
    msec: 1_000,
    "": 1_000_000,
    s: 1_000_000,
    sec: 1_000_000,
    second: 1_000_000,
    seconds: 1_000_000,
    m: 60_000_000,
    min: 60_000_000,
    minute: 60_000_000,
    minutes: 60_000_000,
    h: 3_600_000_000,
    hr: 3_600_000_000,
    hour: 3_600_000_000,
    hours: 3_600_000_000,
    d: 86_400_000_000,
    day: 86_400_000_000,
    days: 86_400_000_000,
    w: 604_800_000_000,
    week: 604_800_000_000,
    weeks: 604_800_000_000,
    M: 2_629_800_000_000,
    month: 2_629_800_000_000,
    months: 2_629_800_000_000,
    y: 31_557_600_000_000,
    year: 31_557_600_000_000,
    years: 31_557_600_000_000,
  }),
);

/** A time span such as `90`, `1min 30s`, `1.5h` or `infinity` in microseconds (parse_sec); null when it is none. */
export function parseSpan(text: string): Micros | null {
  const trimmed = text.trim();
  if (trimmed === "infinity") return FOREVER;
  // One term at a time, each where the last one ended: linear whatever the text.
  const term = /([0-9]*)(\.[0-9]+)?(?![.])\s*([a-zA-Zµμ]*)\s*/y;
  let total = 0;
  let at = 0;
  while (at < trimmed.length) {
    term.lastIndex = at;
    const match = term.exec(trimmed);
    const whole = match?.[1] ?? "";
    const fraction = match?.[2] ?? "";
    const factor = SPAN_UNITS.get(match?.[3] ?? "");
    if (factor === undefined || (whole === "" && fraction === "")) return null;
    total += Number(whole) * factor + Math.floor(Number(`0${fraction}`) * factor);
    at = term.lastIndex;
  }
  if (trimmed === "") return null;
  return Number.isSafeInteger(total) ? total : FOREVER;
}

/** A non-negative integer; null when it is none. */
export function parseCount(text: string): number | null {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
  return value;
}

/** A word of a value. */
export interface Word {
  readonly text: string;
  /** Where the blanks after it end. */
  readonly next: number;
  /** It holds a backslash that escapes nothing, which stays. */
  readonly oddEscape: boolean;
}

const BLANKS = " \t\n\r";

/** What becomes of backslashes: undone as C escapes, or kept, as in lists of unit names. */
export type Escapes = "undo" | "keep";

/**
 * The word at a place of a value, `"…"` and `'…'` kept together, C escapes undone (extract_first_word)
 * unless they are to be kept. Null at the end; `unbalanced` when a quote is left open.
 */
export function readWord(
  text: string,
  from: number,
  escapes: Escapes = "undo",
): Word | "unbalanced" | null {
  let at = skipBlanks(text, from);
  if (at >= text.length) return null;
  let word = "";
  let quote = "";
  let oddEscape = false;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\" && escapes === "undo") {
      const escaped = readEscape(text, at);
      oddEscape ||= escaped.odd;
      word += escaped.text;
      at += escaped.length - 1;
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === '"' || character === "'") quote = character;
    else if (BLANKS.includes(character)) break;
    else word += character;
  }
  if (quote !== "") return "unbalanced";
  return { text: word, next: skipBlanks(text, at), oddEscape };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && BLANKS.includes(text.charAt(at))) at++;
  return at;
}

/** All words of a value; null when a quote is left open. */
export function splitWords(text: string, escapes: Escapes = "undo"): string[] | null {
  const words: string[] = [];
  for (let at = 0; ; ) {
    const word = readWord(text, at, escapes);
    if (word === "unbalanced") return null;
    if (word === null) return words;
    words.push(word.text);
    at = word.next;
  }
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/** The escape that begins at `at` (cunescape_one); one that means nothing stays as it is. */
function readEscape(text: string, at: number): { text: string; length: number; odd: boolean } {
  const letter = text.charAt(at + 1);
  const simple = SIMPLE_ESCAPES[letter];
  if (letter !== "" && simple !== undefined) return { text: simple, length: 2, odd: false };
  const coded = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(
    text.slice(at, at + 10),
  );
  const kept = { text: `\\${letter}`, length: letter === "" ? 1 : 2, odd: true };
  if (coded === null) return kept;
  const [whole, x, u, U, octal] = coded;
  const code =
    octal === undefined ? Number.parseInt(x ?? u ?? U ?? "0", 16) : Number.parseInt(octal, 8);
  if (code === 0 || code > 0x10_ffff || (octal !== undefined && code > 255)) return kept;
  return { text: String.fromCodePoint(code), length: whole.length, odd: false };
}

const SIGNALS = new Map([
  ["HUP", 1],
  ["INT", 2],
  ["QUIT", 3],
  ["ILL", 4],
  ["TRAP", 5],
  ["ABRT", 6],
  ["BUS", 7],
  ["FPE", 8],
  ["KILL", 9],
  ["USR1", 10],
  ["SEGV", 11],
  ["USR2", 12],
  ["PIPE", 13],
  ["ALRM", 14],
  ["TERM", 15],
  ["XCPU", 24],
  ["XFSZ", 25],
  ["SYS", 31],
]);

/** A signal's name with `SIG`, from its name or number; null when there is none. */
export function parseSignal(text: string): string | null {
  const name = text.replace(/^SIG/, "");
  if (SIGNALS.has(name)) return `SIG${name}`;
  for (const [known, number] of SIGNALS) if (String(number) === text) return `SIG${known}`;
  return null;
}

const CORE_DUMPING: ReadonlySet<string> = new Set(
  "QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS".split(" ").map((name) => `SIG${name}`),
);

/** Whether the default action of a signal leaves a core dump (result `core-dump`). */
export function dumpsCore(signal: string): boolean {
  return CORE_DUMPING.has(signal);
}

/** Assignments of EnvironmentFile=: `KEY=value` lines, `#` and `;` comments, quotes around values. */
export function parseEnvironmentFile(text: string): (readonly [string, string])[] {
  const variables: (readonly [string, string])[] = [];
  for (const line of text.replace(/\\\r?\n/g, "").split(/\r?\n/)) {
    const match = /^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)$/.exec(line);
    if (match === null) continue;
    variables.push([match[1] ?? "", unquoteValue((match[2] ?? "").trim())]);
  }
  return variables;
}

function unquoteValue(value: string): string {
  if (value.length >= 2 && value.startsWith("'") && value.endsWith("'")) return value.slice(1, -1);
  if (value.length >= 2 && value.startsWith('"') && value.endsWith('"')) {
    return value.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
  }
  return value.replace(/\\(.)/g, "$1");
}
