import { utf8 } from "./utf8.js";

/** Nanoseconds per unit, as Go's time.ParseDuration names them; both micro signs count. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const LIMIT = 1n << 63n;

export type GoDuration =
  | { readonly ok: true; readonly ns: bigint }
  | { readonly ok: false; readonly error: string };

/**
 * Go's time.ParseDuration: a sign, then numbers with units (`1h30m`, `.5h`, `1.h`), or a bare 0.
 * Results and error texts are Go's, overflow included. Nanoseconds reach 2^63, hence the bigint.
 */
export function parseGoDuration(text: string): GoDuration {
  const invalid: GoDuration = { ok: false, error: `time: invalid duration ${quote(text)}` };
  let at = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
  const negative = text.startsWith("-");
  if (text.slice(at) === "0") return { ok: true, ns: 0n };
  if (at === text.length) return invalid;
  let total = 0n;
  while (at < text.length) {
    const whole = digitsFrom(text, at);
    let value = leadingInteger(whole);
    if (value === null) return invalid;
    at += whole.length;
    let fraction = "";
    if (text[at] === ".") {
      fraction = digitsFrom(text, at + 1);
      at += 1 + fraction.length;
    }
    if (whole === "" && fraction === "") return invalid;
    const name = unitFrom(text, at);
    if (name === "") {
      return { ok: false, error: `time: missing unit in duration ${quote(text)}` };
    }
    at += name.length;
    const unit = UNITS.get(name);
    if (unit === undefined) {
      return { ok: false, error: `time: unknown unit ${quote(name)} in duration ${quote(text)}` };
    }
    if (value > LIMIT / unit) return invalid;
    value = value * unit + fractionOf(fraction, unit);
    // Go adds in 64 bits and checks afterwards: twice 2^63 is 0.
    total = BigInt.asUintN(64, total + value);
    if (value > LIMIT || total > LIMIT) return invalid;
  }
  if (negative) return { ok: true, ns: -total };
  return total === LIMIT ? invalid : { ok: true, ns: total };
}

function digitsFrom(text: string, from: number): string {
  let at = from;
  while (isDigit(text[at])) at += 1;
  return text.slice(from, at);
}

function unitFrom(text: string, from: number): string {
  let at = from;
  while (at < text.length && text[at] !== "." && !isDigit(text[at])) at += 1;
  return text.slice(from, at);
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}

/** Null when it passes 2^63. */
function leadingInteger(digits: string): bigint | null {
  const value = digits === "" ? 0n : BigInt(digits);
  return value > LIMIT ? null : value;
}

/** Go computes the fraction in doubles, from as many digits as fit into 63 bits. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    if (value > (LIMIT - 1n) / 10n) break;
    const next = value * 10n + BigInt(digit);
    if (next > LIMIT) break;
    value = next;
    scale *= 10;
  }
  return value === 0n ? 0n : BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}

/** Go's own quoting in package time: what is not printable ASCII shows as the bytes of its UTF-8. */
function quote(text: string): string {
  let quoted = "";
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (character === '"' || character === "\\") quoted += `\\${character}`;
    else if (point >= 0x20 && point < 0x80) quoted += character;
    else for (const byte of utf8(point)) quoted += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${quoted}"`;
}
