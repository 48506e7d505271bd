/**
 * Texts as Go sees them: byte strings. A byte string holds one byte per UTF-16 code unit, so that
 * unit files that are not valid UTF-8 keep their bytes, and thereby their hash.
 */
export type ByteText = string;

const NOT_ASCII = /[\u0080-\uffff]/;

/** The UTF-8 bytes of a text. A lone surrogate becomes U+FFFD. */
export function toBytes(text: string): ByteText {
  if (!NOT_ASCII.test(text)) return text;
  let bytes = "";
  for (const character of text) bytes += encodeRune(character.codePointAt(0) ?? 0xfffd);
  return bytes;
}

/** The UTF-8 bytes of one code point; U+FFFD for a surrogate. */
export function encodeRune(rune: number): ByteText {
  if (rune < 0x80) return String.fromCharCode(rune);
  if (rune < 0x800) return String.fromCharCode(0xc0 | (rune >> 6), 0x80 | (rune & 0x3f));
  if (rune >= 0xd800 && rune <= 0xdfff) return "\u00ef\u00bf\u00bd";
  if (rune < 0x1_0000) {
    return String.fromCharCode(
      0xe0 | (rune >> 12),
      0x80 | ((rune >> 6) & 0x3f),
      0x80 | (rune & 0x3f),
    );
  }
  return String.fromCharCode(
    0xf0 | (rune >> 18),
    0x80 | ((rune >> 12) & 0x3f),
    0x80 | ((rune >> 6) & 0x3f),
    0x80 | (rune & 0x3f),
  );
}

/** One decoded code point. `size` 1 with `rune` U+FFFD is an invalid byte; `size` 0 is the end. */
export interface Rune {
  readonly rune: number;
  readonly size: number;
}

const INVALID: Rune = { rune: 0xfffd, size: 1 };
const END: Rune = { rune: 0xfffd, size: 0 };

/** The code point at `at`, as Go's utf8.DecodeRune reads it. `end` bounds the bytes looked at. */
export function decodeRune(bytes: ByteText, at: number, end: number = bytes.length): Rune {
  if (at >= end) return END;
  const first = bytes.charCodeAt(at);
  if (first < 0x80) return { rune: first, size: 1 };
  const size = sequenceSize(first);
  if (size === 0 || at + size > end) return INVALID;
  let rune = first & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) {
    const next = bytes.charCodeAt(at + i);
    if ((next & 0xc0) !== 0x80) return INVALID;
    rune = (rune << 6) | (next & 0x3f);
  }
  const smallest = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x1_0000;
  if (rune < smallest || rune > 0x10_ffff || (rune >= 0xd800 && rune <= 0xdfff)) return INVALID;
  return { rune, size };
}

function sequenceSize(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/** The text of UTF-8 bytes; every byte that is not part of a valid sequence becomes U+FFFD. */
export function fromBytes(bytes: ByteText): string {
  if (!NOT_ASCII.test(bytes)) return bytes;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, at);
    text += String.fromCodePoint(rune);
    at += size;
  }
  return text;
}

/** Whether Go's unicode.IsSpace holds. */
export function isSpace(rune: number): boolean {
  if (rune < 0x80) return rune === 0x20 || (rune >= 0x09 && rune <= 0x0d);
  return (
    rune === 0x85 ||
    rune === 0xa0 ||
    rune === 0x1680 ||
    (rune >= 0x2000 && rune <= 0x200a) ||
    rune === 0x2028 ||
    rune === 0x2029 ||
    rune === 0x202f ||
    rune === 0x205f ||
    rune === 0x3000
  );
}

const SPACE =
  "(?:[\\t-\\r ]|\u00c2[\u0085\u00a0]|\u00e1\u009a\u0080|\u00e2\u0080[\u0080-\u008a\u00a8\u00a9\u00af]|\u00e2\u0081\u009f|\u00e3\u0080\u0080)";
const LEADING = new RegExp(`^${SPACE}+`);
const ONE_SPACE = new RegExp(`${SPACE}$`);
const SPACES = new RegExp(`${SPACE}+`);

/** Go's TrimSpace of a byte string. */
export function trimSpace(bytes: ByteText): ByteText {
  let trimmed = bytes.replace(LEADING, "");
  // One at a time from the end: a `+$` pattern would be quadratic on long runs of spaces.
  for (
    let match = ONE_SPACE.exec(trimmed.slice(-3));
    match;
    match = ONE_SPACE.exec(trimmed.slice(-3))
  ) {
    trimmed = trimmed.slice(0, -match[0].length);
  }
  return trimmed;
}

/** Go's strings.Fields: the parts between runs of white space. */
export function fields(bytes: ByteText): ByteText[] {
  return bytes.split(SPACES).filter((part) => part !== "");
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const ESCAPES = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x5c, "\\\\"],
]);

/** Go's `%q` of a byte string, as text: quoted, with everything unprintable escaped. */
export function quote(bytes: ByteText): string {
  let text = '"';
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, at);
    if (rune === 0xfffd && size === 1) text += `\\x${hex(bytes.charCodeAt(at), 2)}`;
    else if (rune === 0x22) text += '\\"';
    else text += escapeRune(rune);
    at += size;
  }
  return `${text}"`;
}

/** Whether Go's strconv.IsPrint holds, up to the Unicode version. */
export function isPrintable(rune: number): boolean {
  return PRINTABLE.test(String.fromCodePoint(rune));
}

/** Go's `%q` of a rune: quoted with single quotes. */
export function quoteRune(rune: number): string {
  return rune === 0x27 ? "'\\''" : `'${escapeRune(rune)}'`;
}

function escapeRune(rune: number): string {
  const character = String.fromCodePoint(rune);
  if (rune !== 0x5c && PRINTABLE.test(character)) return character;
  const short = ESCAPES.get(rune);
  if (short !== undefined) return short;
  if (rune < 0x20 || rune === 0x7f) return `\\x${hex(rune, 2)}`;
  return rune < 0x1_0000 ? `\\u${hex(rune, 4)}` : `\\U${hex(rune, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
