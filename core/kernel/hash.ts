/**
 * A running 64-bit hash over 32-bit words, kept as two 32-bit lanes. Not cryptographic. Each lane
 * is a bijection of its previous value for a given word and of the word for a given previous
 * value, so changing any single word always changes the result.
 */
export interface Hash {
  x: number;
  y: number;
}

export function createHash(): Hash {
  return { x: 0x243f_6a88 | 0, y: 0x85a3_08d3 | 0 };
}

/** Adds one 32-bit word. */
export function hashWord(hash: Hash, word: number): void {
  const x = Math.imul(hash.x ^ word, 0x9e37_79b1);
  const y = Math.imul(hash.y ^ word, 0x85eb_ca77);
  hash.x = (x << 13) | (x >>> 19);
  hash.y = (y << 17) | (y >>> 15);
}

/** Adds the UTF-16 code units of a text, without its length. */
export function hashText(hash: Hash, text: string): void {
  let x = hash.x;
  let y = hash.y;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    x = Math.imul(x ^ unit, 0x9e37_79b1);
    x = (x << 13) | (x >>> 19);
    y = Math.imul(y ^ unit, 0x85eb_ca77);
    y = (y << 17) | (y >>> 15);
  }
  hash.x = x;
  hash.y = y;
}

/** The hash as 16 lowercase hex digits. */
export function hashHex(hash: Hash): string {
  return hex32(finish(hash.x)) + hex32(finish(hash.y));
}

/** Two digits of each byte. Every line of a log ends in 16 of them: `toString(16)` cost half of it. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

function hex32(word: number): string {
  return (
    (HEX[word >>> 24] as string) +
    (HEX[(word >>> 16) & 255] as string) +
    (HEX[(word >>> 8) & 255] as string) +
    (HEX[word & 255] as string)
  );
}

function finish(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The hash of a state: plain data as a machine may hold it. Keys of objects and maps, and the
 * items of sets, count in sorted order; a property that is `undefined` counts as absent.
 *
 * @throws TypeError on what a state must not hold: fractions, NaN, functions, class instances
 */
export function hashState(value: unknown): string {
  const hash = createHash();
  walk(hash, value);
  return hashHex(hash);
}

const TAG = { null: 1, false: 2, true: 3, integer: 4, text: 5, list: 6, object: 7, map: 8, set: 9 };

function walk(hash: Hash, value: unknown): void {
  switch (typeof value) {
    case "number":
      if (!Number.isSafeInteger(value)) throw new TypeError(`not an integer in a state: ${value}`);
      hashWord(hash, TAG.integer);
      hashWord(hash, value | 0);
      hashWord(hash, Math.floor(value / 0x1_0000_0000) | 0);
      return;
    case "string":
      hashWord(hash, TAG.text);
      hashWord(hash, value.length);
      hashText(hash, value);
      return;
    case "bigint":
      walk(hash, value.toString());
      return;
    case "boolean":
      hashWord(hash, value ? TAG.true : TAG.false);
      return;
    case "object":
      walkObject(hash, value);
      return;
    default:
      throw new TypeError(`not plain data in a state: ${typeof value}`);
  }
}

function walkObject(hash: Hash, value: object | null): void {
  if (value === null) {
    hashWord(hash, TAG.null);
    return;
  }
  if (Array.isArray(value)) {
    hashWord(hash, TAG.list);
    hashWord(hash, value.length);
    for (const item of value) walk(hash, item);
    return;
  }
  if (value instanceof Map) {
    walkEntries(hash, TAG.map, [...value.entries()]);
    return;
  }
  if (value instanceof Set) {
    walkEntries(
      hash,
      TAG.set,
      [...value].map((item) => [item, null]),
    );
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`not plain data in a state: ${value.constructor?.name ?? "object"}`);
  }
  walkRecord(hash, value as Readonly<Record<string, unknown>>);
}

/** Most of a state is records: their keys are sorted alone, as texts sort by themselves. */
function walkRecord(hash: Hash, record: Readonly<Record<string, unknown>>): void {
  const keys = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort();
  hashWord(hash, TAG.object);
  hashWord(hash, keys.length);
  for (const key of keys) {
    walk(hash, key);
    walk(hash, record[key]);
  }
}

function walkEntries(hash: Hash, tag: number, entries: [unknown, unknown][]): void {
  hashWord(hash, tag);
  hashWord(hash, entries.length);
  entries.sort(([left], [right]) => compareKeys(left, right));
  for (const [key, item] of entries) {
    walk(hash, key);
    walk(hash, item);
  }
}

function compareKeys(left: unknown, right: unknown): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  const l = String(left);
  const r = String(right);
  return l < r ? -1 : l > r ? 1 : 0;
}
