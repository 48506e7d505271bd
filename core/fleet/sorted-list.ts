/** A part longer than twice this is halved; one that becomes empty goes. */
const PART = 256;

/**
 * Distinct numbers in an order of the owner's. Adding, removing and counting what comes before
 * cost the logarithm of the length and a few hundred steps of the cheapest kind. What an item's place
 * depends on must not change while it is in.
 */
export class SortedList {
  readonly #compare: (left: number, right: number) => number;
  #parts: number[][] = [];
  #size = 0;

  /** @param compare - negative if `left` comes first; never 0 for two different items */
  constructor(compare: (left: number, right: number) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get last(): number | undefined {
    return this.#parts.at(-1)?.at(-1);
  }

  add(item: number): void {
    this.#size++;
    const parts = this.#parts;
    const { last } = this;
    let nth = parts.length - 1;
    // Most often the last: whoever fills a list does it in order.
    const isLast = last === undefined || this.#compare(last, item) < 0;
    if (!isLast) nth = this.#partOf(item);
    const part = parts[nth];
    if (part === undefined) {
      parts.push([item]);
      return;
    }
    if (isLast) part.push(item);
    else part.splice(this.#placeIn(part, item), 0, item);
    if (part.length > 2 * PART) parts.splice(nth + 1, 0, part.splice(PART));
  }

  /** @throws RangeError if the item is not in */
  remove(item: number): void {
    const nth = this.#partOf(item);
    const part = this.#parts[nth];
    const place = part === undefined ? 0 : this.#placeIn(part, item);
    if (part?.[place] !== item) throw new RangeError(`no item ${item} in the list`);
    part.splice(place, 1);
    if (part.length === 0) this.#parts.splice(nth, 1);
    this.#size--;
  }

  /** How many items come before this one, which need not be in. */
  countBefore(item: number): number {
    const nth = this.#partOf(item);
    const part = this.#parts[nth];
    let count = part === undefined ? 0 : this.#placeIn(part, item);
    for (let i = 0; i < nth; i++) count += this.#parts[i]?.length ?? 0;
    return count;
  }

  /** The first item that is accepted, one after the other asked; undefined if none is. */
  find(accept: (item: number) => boolean): number | undefined {
    for (const part of this.#parts) for (const item of part) if (accept(item)) return item;
    return undefined;
  }

  /** The first of the items at the end that are accepted; those before them must not be. */
  findAtEnd(accept: (item: number) => boolean): number | undefined {
    let found: number | undefined;
    for (let nth = this.#parts.length - 1; nth >= 0; nth--) {
      const part = this.#parts[nth] as number[];
      const isAll = accept(part[0] as number);
      found = part[isAll ? 0 : part.findIndex(accept)] ?? found;
      if (!isAll) return found;
    }
    return found;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const part of this.#parts) yield* part;
  }

  /** The first part whose last item does not come before the item. */
  #partOf(item: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const part = this.#parts[middle] as number[];
      if (this.#compare(part[part.length - 1] as number, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #placeIn(part: readonly number[], item: number): number {
    let low = 0;
    let high = part.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(part[middle] as number, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
