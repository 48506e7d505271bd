import type { Bytes } from "../kernel/index.js";
import { raftPanic } from "./errors.js";
import type { LogIndex } from "./types.js";

/**
 * Appends sent to a peer and not acknowledged yet, oldest first: a sliding window bounded in count
 * and, softly, in bytes. A ring that grows up to `size` slots.
 */
export interface Inflights {
  start: number;
  count: number;
  bytes: Bytes;
  readonly size: number;
  /** 0 for no limit. */
  readonly maxBytes: Bytes;
  /** Per slot: the last index of the append, and its payload. */
  indexes: LogIndex[];
  sizes: Bytes[];
}

export function createInflights(size: number, maxBytes: Bytes): Inflights {
  return { start: 0, count: 0, bytes: 0, size, maxBytes, indexes: [], sizes: [] };
}

/** True when nothing more may be sent. One append may exceed the byte limit: the one that reaches it. */
export function inflightsFull(inflights: Inflights): boolean {
  return (
    inflights.count === inflights.size ||
    (inflights.maxBytes !== 0 && inflights.bytes >= inflights.maxBytes)
  );
}

/** Adds an append whose last entry is `index`. Indexes come in ascending order. */
export function addInflight(inflights: Inflights, index: LogIndex, bytes: Bytes): void {
  if (inflightsFull(inflights)) raftPanic("cannot add into a Full inflights");
  if (inflights.count >= inflights.indexes.length) grow(inflights);
  const capacity = inflights.indexes.length;
  let slot = inflights.start + inflights.count;
  if (slot >= capacity) slot -= capacity;
  inflights.indexes[slot] = index;
  inflights.sizes[slot] = bytes;
  inflights.count++;
  inflights.bytes += bytes;
}

function grow(inflights: Inflights): void {
  const { start, count, size } = inflights;
  const capacity = inflights.indexes.length;
  const indexes: LogIndex[] = [];
  const sizes: Bytes[] = [];
  for (let i = 0; i < count; i++) {
    const slot = (start + i) % capacity;
    indexes.push(inflights.indexes[slot] ?? 0);
    sizes.push(inflights.sizes[slot] ?? 0);
  }
  for (let i = count; i < Math.min(size, Math.max(4, 2 * capacity)); i++) {
    indexes.push(0);
    sizes.push(0);
  }
  inflights.start = 0;
  inflights.indexes = indexes;
  inflights.sizes = sizes;
}

/** Frees every append whose last index is at most `to`. */
export function freeInflights(inflights: Inflights, to: LogIndex): void {
  const capacity = inflights.indexes.length;
  while (inflights.count > 0) {
    const index = inflights.indexes[inflights.start] ?? 0;
    if (index > to) return;
    inflights.bytes -= inflights.sizes[inflights.start] ?? 0;
    inflights.start = inflights.start + 1 === capacity ? 0 : inflights.start + 1;
    inflights.count--;
  }
  inflights.start = 0;
}

export function resetInflights(inflights: Inflights): void {
  inflights.start = 0;
  inflights.count = 0;
  inflights.bytes = 0;
}
