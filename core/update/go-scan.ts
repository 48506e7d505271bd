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
