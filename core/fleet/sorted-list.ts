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

  get first(): number | undefined {
    return this.#parts[0]?.[0];
  }

  get last(): number | undefined {
    return this.#parts.at(-1)?.at(-1);
  }

  add(item: number): void {
    this.#size++;
    const spot = this.#spotOf(item);
    // Behind all others: the last part takes it.
    const nth = Math.min(spot.nth, this.#parts.length - 1);
    const part = this.#parts[nth];
    if (part === undefined) {
      this.#parts.push([item]);
      return;
    }
    part.splice(nth < spot.nth ? part.length : spot.place, 0, item);
    if (part.length > 2 * PART) this.#parts.splice(nth + 1, 0, part.splice(PART));
  }

  /** @throws RangeError if the item is not in */
  remove(item: number): void {
    const { nth, place } = this.#spotOf(item);
    const part = this.#parts[nth];
    if (part?.[place] !== item) throw new RangeError(`no item ${item} in the list`);
    part.splice(place, 1);
    if (part.length === 0) this.#parts.splice(nth, 1);
    this.#size--;
  }

  /** How many items come before this one, which need not be in. */
  countBefore(item: number): number {
    const { nth, place } = this.#spotOf(item);
    let count = place;
    for (let i = 0; i < nth; i++) count += this.#parts[i]?.length ?? 0;
    return count;
  }

  /** The first item that is accepted, one after the other asked; undefined if none is. */
  find(accept: (item: number) => boolean): number | undefined {
    for (const part of this.#parts) for (const item of part) if (accept(item)) return item;
    return undefined;
  }

  /** The first item that does not come before, where all that do come before all that do not. */
  firstFrom(isBefore: (item: number) => boolean): number | undefined {
    const { nth, place } = this.#search(isBefore);
    return this.#parts[nth]?.[place];
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const part of this.#parts) yield* part;
  }

  #spotOf(item: number): { readonly nth: number; readonly place: number } {
    return this.#search((other) => this.#compare(other, item) < 0);
  }

  #search(isBefore: (item: number) => boolean): { readonly nth: number; readonly place: number } {
    const nth = countOf(this.#parts, (part) => isBefore(part.at(-1) ?? 0));
    return { nth, place: countOf(this.#parts[nth] ?? [], isBefore) };
  }
}

/** How many items at the front the test holds for; it must hold for none after those. */
function countOf<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
