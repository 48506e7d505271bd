import type { Row } from "./mvcc.js";

/** What the store remembers of a key. */
export interface KeyRows {
  readonly key: string;
  /** Oldest first, never empty. */
  rows: Row[];
}

/** Neighbours in the order of keys. */
export interface KeyChunk {
  /** Ascending by bytes, never empty. */
  entries: KeyRows[];
  /** How many of them are there now: their last row is no deletion. */
  live: number;
}

/**
 * Every key with a row, in order: a sorted list cut into chunks, so that a new key moves a few hundred
 * neighbours and not all of them, and a fork of the state copies one chunk.
 */
export interface KeyIndex {
  chunks: KeyChunk[];
  size: number;
}

/** Entries of a full chunk. Larger ones cost more to insert into, smaller ones make the list of chunks longer. */
const CHUNK = 256;

export function createKeyIndex(): KeyIndex {
  return { chunks: [], size: 0 };
}

/** A key's rows; undefined if it has none. */
export function findKey(index: KeyIndex, key: string): KeyRows | undefined {
  const chunk = index.chunks[chunkOf(index, key)];
  if (chunk === undefined) return undefined;
  const entry = chunk.entries[placeIn(chunk, key)];
  return entry !== undefined && entry.key === key ? entry : undefined;
}

/** Adds the newest row of a key. */
export function addToIndex(index: KeyIndex, row: Row): void {
  const { key } = row;
  const at = chunkOf(index, key);
  const chunk = index.chunks[at];
  const born = row.kv === null ? 0 : 1;
  if (chunk === undefined) {
    index.chunks.push({ entries: [{ key, rows: [row] }], live: born });
    index.size++;
    return;
  }
  const place = placeIn(chunk, key);
  const entry = chunk.entries[place];
  if (entry !== undefined && entry.key === key) {
    chunk.live += born - (isLive(entry) ? 1 : 0);
    entry.rows.push(row);
    return;
  }
  chunk.entries.splice(place, 0, { key, rows: [row] });
  chunk.live += born;
  index.size++;
  if (chunk.entries.length > CHUNK) split(index, at, chunk);
}

/** Forgets a key that has no rows left. */
export function removeKey(index: KeyIndex, key: string): void {
  const at = chunkOf(index, key);
  const chunk = index.chunks[at];
  if (chunk === undefined) return;
  const place = placeIn(chunk, key);
  if (chunk.entries[place]?.key !== key) return;
  chunk.entries.splice(place, 1);
  index.size--;
  if (chunk.entries.length === 0) index.chunks.splice(at, 1);
  else join(index, at, chunk);
}

/** Whether a key is there now. */
export function isLive({ rows }: KeyRows): boolean {
  const last = rows[rows.length - 1];
  return last !== undefined && last.kv !== null;
}

/**
 * Shows the keys from one on, in order, until `visit` returns false. Before each chunk that lies wholly
 * in the range `skip` may pass it over.
 *
 * @param end - the first key that is no longer shown; null for none
 */
export function visitKeys(
  index: KeyIndex,
  from: string,
  end: string | null,
  visit: (entry: KeyRows) => boolean,
  skip: (chunk: KeyChunk) => boolean = () => false,
): void {
  const { chunks } = index;
  const first = chunkOf(index, from);
  for (let at = first; at < chunks.length; at++) {
    const chunk = chunks[at];
    if (chunk === undefined) return;
    const { entries } = chunk;
    const start = at === first ? placeIn(chunk, from) : 0;
    const last = entries[entries.length - 1];
    const whole = start === 0 && last !== undefined && (end === null || last.key < end);
    if (whole && skip(chunk)) continue;
    for (let i = start; i < entries.length; i++) {
      const entry = entries[i];
      if (entry === undefined || (end !== null && entry.key >= end) || !visit(entry)) return;
    }
  }
}

/** The chunk that has a key or would take it. */
function chunkOf({ chunks }: KeyIndex, key: string): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const first = chunks[middle]?.entries[0];
    if (first !== undefined && first.key <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where in a chunk a key is or would be. */
function placeIn({ entries }: KeyChunk, key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function split(index: KeyIndex, at: number, chunk: KeyChunk): void {
  // Keys that come in ascending order leave full chunks behind them.
  const cut = at === index.chunks.length - 1 ? CHUNK : CHUNK >> 1;
  const entries = chunk.entries.splice(cut);
  const live = entries.filter(isLive).length;
  chunk.live -= live;
  index.chunks.splice(at + 1, 0, { entries, live });
}

/** Puts a chunk that has become small together with its right neighbour. */
function join(index: KeyIndex, at: number, chunk: KeyChunk): void {
  const next = index.chunks[at + 1];
  if (next === undefined || chunk.entries.length + next.entries.length > CHUNK >> 1) return;
  chunk.entries.push(...next.entries);
  chunk.live += next.live;
  index.chunks.splice(at + 1, 1);
}
