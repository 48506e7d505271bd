/**
 * Go's fmt.Sscanf(text, "%d:%d", &hour, &minute), for a text without spaces: signs are taken, what
 * follows the second number is left alone, and errors read as Go's do.
 */
export function scanClock(
  text: string,
):
  | { readonly ok: true; readonly hour: bigint; readonly minute: bigint }
  | { readonly ok: false; readonly error: string } {
  const hour = scanInteger(text, 0);
  if (!hour.ok) return hour;
  if (hour.end === text.length) return { ok: false, error: "unexpected EOF" };
  if (text[hour.end] !== ":") return { ok: false, error: "input does not match format" };
  const minute = scanInteger(text, hour.end + 1);
  if (!minute.ok) return minute;
  return { ok: true, hour: hour.value, minute: minute.value };
}

const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);

function scanInteger(
  text: string,
  from: number,
):
  | { readonly ok: true; readonly value: bigint; readonly end: number }
  | { readonly ok: false; readonly error: string } {
  if (from === text.length) return { ok: false, error: "EOF" };
  let at = from;
  if (text[at] === "+" || text[at] === "-") at += 1;
  if (at === text.length) return { ok: false, error: "EOF" };
  const digits = at;
  while (at < text.length && isDigit(text.charCodeAt(at))) at += 1;
  if (at === digits) return { ok: false, error: "expected integer" };
  const token = text.slice(from, at);
  const magnitude = BigInt(text.slice(digits, at));
  const value = token.startsWith("-") ? -magnitude : magnitude;
  if (value > INT64_MAX || value < INT64_MIN) {
    return { ok: false, error: `strconv.ParseInt: parsing "${token}": value out of range` };
  }
  return { ok: true, value, end: at };
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** Go's unicode.IsSpace, as a class of a regular expression. */
const SPACES = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Go's strings.Fields. */
export function fields(text: string): string[] {
  return text.split(SPACES).filter((field) => field !== "");
}

const PRINTABLE = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

const NAMED_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

/** Go's strconv.Quote, what %q prints. */
export function goQuote(text: string): string {
  let quoted = "";
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const named = NAMED_ESCAPES.get(character);
    if (named !== undefined) quoted += named;
    else if (PRINTABLE.test(character)) quoted += character;
    else if (point < 0x20 || point === 0x7f) quoted += `\\x${hex(point, 2)}`;
    else if (point < 0x10000) quoted += `\\u${hex(point, 4)}`;
    else quoted += `\\U${hex(point, 8)}`;
  }
  return `"${quoted}"`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
