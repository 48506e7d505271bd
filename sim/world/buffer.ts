import type { Sink } from "../../core/kernel/index.js";

/**
 * A list that is filled and emptied with every step and keeps its room: emptying an array by its
 * length gives the room back, and a step would allocate it anew each time.
 */
export class Buffer<T> implements Sink<T> {
  readonly #items: T[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    this.#items[this.#size++] = item;
  }

  /** The item at `index`, which must be below `size`. */
  at(index: number): T {
    return this.#items[index] as T;
  }

  /** Empties the list; what was in it stays referenced until it is overwritten. */
  clear(): void {
    this.#size = 0;
  }
}
