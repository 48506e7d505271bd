import {
  fromBytes,
  type GoJson,
  goJson,
  namesField,
  readWholeGoJson,
  toBytes,
} from "../go/index.js";
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
  const value = readWholeGoJson(toBytes(text));
  if (value === null) return null;
  if (value.type === "null") return { semaphore: 0, max: 0, holders: null };
  if (value.type !== "object") return null;
  let semaphore = 0;
  let max = 0;
  let holders: string[] | null = null;
  let last: readonly string[] = [];
  for (const [name, field] of value.entries) {
    if (namesField(name, "semaphore")) {
      const number = integerOf(field, semaphore);
      if (number === null) return null;
      semaphore = number;
    } else if (namesField(name, "max")) {
      const number = integerOf(field, max);
      if (number === null) return null;
      max = number;
    } else if (namesField(name, "holders")) {
      const strings = stringsOf(field, last);
      if (strings === undefined) return null;
      holders = strings;
      last = strings ?? [];
    }
  }
  return { semaphore, max, holders };
}

const INTEGER = /^-?[0-9]+$/;

/** `kept` is what null leaves in place. Null: not an integer. */
function integerOf(value: GoJson, kept: number): number | null {
  if (value.type === "null") return kept;
  if (value.type !== "number" || !INTEGER.test(value.text)) return null;
  const number = Number(value.text);
  return Number.isSafeInteger(number) ? (number === 0 ? 0 : number) : null;
}

/**
 * Undefined: not a list of strings. A null in the list leaves what an earlier list of the same
 * text had in that place, because Go decodes into the slice it already has.
 */
function stringsOf(value: GoJson, earlier: readonly string[]): string[] | null | undefined {
  if (value.type === "null") return null;
  if (value.type !== "array") return undefined;
  const strings: string[] = [];
  for (const [i, item] of value.items.entries()) {
    if (item.type === "string") strings.push(item.value);
    else if (item.type === "null") strings.push(earlier[i] ?? "");
    else return undefined;
  }
  return strings;
}

function encodeString(text: string): string {
  return goJson(fromBytes(toBytes(text)));
}
