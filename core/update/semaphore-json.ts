import type { Semaphore } from "./semaphore.js";

/**
 * Encodes a semaphore as Go's encoding/json does: fields in this order, no spaces, and `<`, `>`,
 * `&`, U+2028 and U+2029 escaped.
 */
export function encodeSemaphore(s: Semaphore): string {
  const holders = s.holders === null ? "null" : `[${s.holders.map(encodeString).join(",")}]`;
  return `{"semaphore":${s.semaphore},"max":${s.max},"holders":${holders}}`;
}

/**
 * Decodes a stored value as Go's encoding/json does into the semaphore's struct; null when Go
 * reports an error. Unknown fields are skipped, names match without regard to case, the last of
 * equal names wins, null leaves a field alone (a stored `null` is all zeros), numbers must be
 * written as integers. Integers beyond 2^53 are refused, where Go goes on to 2^63.
 */
export function decodeSemaphore(text: string): Semaphore | null {
  const reader: Reader = { text, at: 0, depth: 0 };
  const value = readValue(reader);
  skipSpace(reader);
  if (value === null || reader.at !== text.length) return null;
  if (value.kind === "null") return { semaphore: 0, max: 0, holders: null };
  if (value.kind !== "object") return null;
  let semaphore = 0;
  let max = 0;
  let holders: string[] | null = null;
  let last: readonly string[] = [];
  for (const [name, field] of value.members) {
    switch (foldName(name)) {
      case "SEMAPHORE": {
        const number = integerOf(field, semaphore);
        if (number === null) return null;
        semaphore = number;
        break;
      }
      case "MAX": {
        const number = integerOf(field, max);
        if (number === null) return null;
        max = number;
        break;
      }
      case "HOLDERS": {
        const strings = stringsOf(field, last);
        if (strings === undefined) return null;
        holders = strings;
        last = strings ?? [];
        break;
      }
      default:
    }
  }
  return { semaphore, max, holders };
}

type Json =
  | { readonly kind: "null" | "boolean" }
  | { readonly kind: "number"; readonly literal: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "array"; readonly items: readonly Json[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Json])[] };

interface Reader {
  readonly text: string;
  at: number;
  depth: number;
}

const INTEGER = /^-?[0-9]+$/;
/** encoding/json's own bound on nesting. */
const DEPTH_MAX = 10_000;

/** `kept` is what null leaves in place. Null: not an integer. */
function integerOf(value: Json, kept: number): number | null {
  if (value.kind === "null") return kept;
  if (value.kind !== "number" || !INTEGER.test(value.literal)) return null;
  const number = Number(value.literal);
  return Number.isSafeInteger(number) ? (number === 0 ? 0 : number) : null;
}

/**
 * Undefined: not a list of strings. A null in the list leaves what an earlier list of the same
 * text had in that place, because Go decodes into the slice it already has.
 */
function stringsOf(value: Json, earlier: readonly string[]): string[] | null | undefined {
  if (value.kind === "null") return null;
  if (value.kind !== "array") return undefined;
  const strings: string[] = [];
  for (const [i, item] of value.items.entries()) {
    if (item.kind === "string") strings.push(item.value);
    else if (item.kind === "null") strings.push(earlier[i] ?? "");
    else return undefined;
  }
  return strings;
}

/** Names are equal if their letters are, in any case; two of Unicode's letters fold to ASCII ones. */
function foldName(name: string): string {
  return name
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replaceAll("\u017f", "S")
    .replaceAll("\u212a", "K");
}

function readValue(r: Reader): Json | null {
  skipSpace(r);
  const character = r.text[r.at];
  switch (character) {
    case "{":
      return nested(r, readObject);
    case "[":
      return nested(r, readArray);
    case '"': {
      const value = readString(r);
      return value === null ? null : { kind: "string", value };
    }
    case "n":
      return readWord(r, "null", "null");
    case "t":
      return readWord(r, "true", "boolean");
    case "f":
      return readWord(r, "false", "boolean");
    default:
      return readNumber(r);
  }
}

function nested(r: Reader, read: (r: Reader) => Json | null): Json | null {
  r.depth += 1;
  if (r.depth > DEPTH_MAX) return null;
  r.at += 1;
  const value = read(r);
  r.depth -= 1;
  return value;
}

function readWord(r: Reader, word: string, kind: "null" | "boolean"): Json | null {
  if (!r.text.startsWith(word, r.at)) return null;
  r.at += word.length;
  return { kind };
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function readNumber(r: Reader): Json | null {
  const pattern = new RegExp(NUMBER);
  pattern.lastIndex = r.at;
  const literal = pattern.exec(r.text)?.[0];
  if (literal === undefined) return null;
  r.at += literal.length;
  return { kind: "number", literal };
}

function readArray(r: Reader): Json | null {
  const items: Json[] = [];
  skipSpace(r);
  if (take(r, "]")) return { kind: "array", items };
  for (;;) {
    const item = readValue(r);
    if (item === null) return null;
    items.push(item);
    skipSpace(r);
    if (take(r, "]")) return { kind: "array", items };
    if (!take(r, ",")) return null;
  }
}

function readObject(r: Reader): Json | null {
  const members: [string, Json][] = [];
  skipSpace(r);
  if (take(r, "}")) return { kind: "object", members };
  for (;;) {
    skipSpace(r);
    const name = readString(r);
    if (name === null) return null;
    skipSpace(r);
    if (!take(r, ":")) return null;
    const value = readValue(r);
    if (value === null) return null;
    members.push([name, value]);
    skipSpace(r);
    if (take(r, "}")) return { kind: "object", members };
    if (!take(r, ",")) return null;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

function readString(r: Reader): string | null {
  if (!take(r, '"')) return null;
  let value = "";
  for (;;) {
    const character = r.text[r.at];
    if (character === undefined || character < " ") return null;
    r.at += 1;
    if (character === '"') return wellFormed(value);
    if (character !== "\\") {
      value += character;
      continue;
    }
    const letter = r.text[r.at] ?? "";
    r.at += 1;
    if (letter === "u") {
      const digits = r.text.slice(r.at, r.at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return null;
      r.at += 4;
      value += String.fromCharCode(Number.parseInt(digits, 16));
    } else {
      const plain = ESCAPES[letter];
      if (plain === undefined) return null;
      value += plain;
    }
  }
}

/** Go has no lone surrogates: it reads each as U+FFFD. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

function take(r: Reader, character: string): boolean {
  if (r.text[r.at] !== character) return false;
  r.at += 1;
  return true;
}

function skipSpace(r: Reader): void {
  for (;;) {
    const character = r.text[r.at];
    if (character !== " " && character !== "\t" && character !== "\n" && character !== "\r") return;
    r.at += 1;
  }
}

function encodeString(text: string): string {
  return JSON.stringify(wellFormed(text)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
