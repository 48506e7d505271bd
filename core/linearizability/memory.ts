/** The bytes one check may hold in its tables, over all its partitions. */
export class Ledger {
  private held = 0;

  constructor(private readonly bytesMax: number) {}

  /** False, and nothing reserved, if the bound would be passed. */
  reserve(bytes: number): boolean {
    if (this.held + bytes > this.bytesMax) return false;
    this.held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }
}

/** Thrown inside a search when its ledger is full; never leaves this folder. */
export class OutOfMemory extends Error {
  constructor() {
    super("the memory bound of the check is reached");
  }
}

const EMPTY = 0;

/**
 * A set of equally long tuples of 32-bit words, open addressing in one typed array: a JavaScript
 * Set ends at 2^24 entries and costs an object per tuple. The first word of a tuple must not be 0.
 */
export class TupleSet {
  private table: Int32Array;
  private mask: number;
  private count = 0;

  /** @throws OutOfMemory */
  constructor(
    private readonly width: number,
    private readonly ledger: Ledger,
  ) {
    this.mask = 63;
    this.table = this.allocate(64);
  }

  /** Adds the tuple; false if it is there already. @throws OutOfMemory when it cannot grow */
  add(tuple: Int32Array): boolean {
    const { width, table, mask } = this;
    let slot = hashOf(tuple, 0, width) & mask;
    for (;;) {
      const at = slot * width;
      if (table[at] === EMPTY) {
        for (let i = 0; i < width; i++) table[at + i] = tuple[i] ?? 0;
        this.count++;
        if (this.count * 5 > mask * 3) this.grow();
        return true;
      }
      let i = 0;
      while (i < width && table[at + i] === tuple[i]) i++;
      if (i === width) return false;
      slot = (slot + 1) & mask;
    }
  }

  /** Gives its bytes back to the ledger; the set is empty and of no use afterwards. */
  free(): void {
    this.ledger.release(this.table.byteLength);
    this.table = new Int32Array(0);
  }

  private allocate(slots: number): Int32Array {
    if (!this.ledger.reserve(slots * this.width * 4)) throw new OutOfMemory();
    return new Int32Array(slots * this.width);
  }

  private grow(): void {
    const { width, table: old } = this;
    const slots = (this.mask + 1) * 2;
    const table = this.allocate(slots);
    const mask = slots - 1;
    for (let from = 0; from < old.length; from += width) {
      if (old[from] === EMPTY) continue;
      let slot = hashOf(old, from, width) & mask;
      while (table[slot * width] !== EMPTY) slot = (slot + 1) & mask;
      for (let i = 0; i < width; i++) table[slot * width + i] = old[from + i] ?? 0;
    }
    this.ledger.release(old.byteLength);
    this.table = table;
    this.mask = mask;
  }
}

/** A map from pairs of non-negative 32-bit integers to one, the same way. */
export class PairMap {
  private table: Int32Array;
  private mask: number;
  private count = 0;

  /** @throws OutOfMemory */
  constructor(private readonly ledger: Ledger) {
    this.mask = 63;
    this.table = this.allocate(64);
  }

  /** The value of the pair, or -1. Values are stored as given: -1 is not one. */
  get(first: number, second: number): number {
    const { table, mask } = this;
    let slot = hashPair(first, second) & mask;
    for (;;) {
      const key = table[slot * 3];
      if (key === EMPTY) return -1;
      if (key === first + 1 && table[slot * 3 + 1] === second) return table[slot * 3 + 2] ?? -1;
      slot = (slot + 1) & mask;
    }
  }

  /** Adds a pair that is not there. @throws OutOfMemory when it cannot grow */
  set(first: number, second: number, value: number): void {
    insertPair(this.table, this.mask, first + 1, second, value);
    this.count++;
    if (this.count * 5 > this.mask * 3) this.grow();
  }

  free(): void {
    this.ledger.release(this.table.byteLength);
    this.table = new Int32Array(0);
  }

  private allocate(slots: number): Int32Array {
    if (!this.ledger.reserve(slots * 12)) throw new OutOfMemory();
    return new Int32Array(slots * 3);
  }

  private grow(): void {
    const old = this.table;
    const slots = (this.mask + 1) * 2;
    const table = this.allocate(slots);
    for (let from = 0; from < old.length; from += 3) {
      const key = old[from] ?? EMPTY;
      if (key !== EMPTY) insertPair(table, slots - 1, key, old[from + 1] ?? 0, old[from + 2] ?? 0);
    }
    this.ledger.release(old.byteLength);
    this.table = table;
    this.mask = slots - 1;
  }
}

function insertPair(
  table: Int32Array,
  mask: number,
  key: number,
  second: number,
  value: number,
): void {
  let slot = hashPair(key - 1, second) & mask;
  while (table[slot * 3] !== EMPTY) slot = (slot + 1) & mask;
  table[slot * 3] = key;
  table[slot * 3 + 1] = second;
  table[slot * 3 + 2] = value;
}

function hashPair(first: number, second: number): number {
  const h = Math.imul(first, 0x9e37_79b1) ^ Math.imul(second, 0x85eb_ca6b);
  return finish(h);
}

function hashOf(words: Int32Array, from: number, width: number): number {
  let h = 0;
  for (let i = 0; i < width; i++) {
    h = Math.imul(h ^ (words[from + i] ?? 0), 0x9e37_79b1);
    h ^= h >>> 15;
  }
  return finish(h);
}

function finish(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
