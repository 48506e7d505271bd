/** Record indexes in rising order, four bytes each. */
export class Indexes {
  #items = new Uint32Array(64);
  #length = 0;

  /** Adds an index above all others. */
  push(index: number): void {
    if (this.#length === this.#items.length) {
      const grown = new Uint32Array(this.#length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#length++] = index;
  }

  get length(): number {
    return this.#length;
  }

  /** The index at a place from 0, or -1. */
  at(place: number): number {
    return place < 0 || place >= this.#length ? -1 : (this.#items[place] ?? -1);
  }

  /** The first index above this one, or -1. */
  after(index: number): number {
    return this.at(this.countUpTo(index));
  }

  /** The last index below this one, or -1. */
  before(index: number): number {
    return this.at(this.countUpTo(index - 1) - 1);
  }

  /** How many are not above this index. */
  countUpTo(index: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle] ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(index: number): boolean {
    return this.at(this.countUpTo(index) - 1) === index;
  }
}
