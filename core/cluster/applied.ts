import type { NodeIndex } from "../kernel/index.js";

/** Where a member is in applying its log, and a hash of everything applied so far, in order. */
export interface AppliedPosition {
  readonly index: number;
  readonly term: number;
  readonly hashX: number;
  readonly hashY: number;
}

/** Positions kept, a power of two; a member further behind than this is not compared until it is closer. */
const KEPT = 65_536;

/**
 * What the first member to get there had applied, by log index, for the latest positions. A ring
 * of typed arrays: one position is looked up for every entry a member of a run applies.
 */
export class AppliedHistory {
  readonly #index = new Float64Array(KEPT);
  readonly #term = new Float64Array(KEPT);
  readonly #hashX = new Int32Array(KEPT);
  readonly #hashY = new Int32Array(KEPT);
  readonly #node = new Int32Array(KEPT);
  /** The highest entry any member applied. */
  committed = { index: 0, term: 0 };

  /**
   * Compares a member's position with what is known of that index; the first to come is taken
   * down. Returns who had applied something else, and in which term, or null.
   */
  check(
    node: NodeIndex,
    position: AppliedPosition,
  ): { readonly node: NodeIndex; readonly term: number } | null {
    const { index, term, hashX, hashY } = position;
    const slot = index & (KEPT - 1);
    const known = this.#index[slot] as number;
    if (known === index) {
      const same =
        this.#term[slot] === term &&
        this.#hashX[slot] === (hashX | 0) &&
        this.#hashY[slot] === (hashY | 0);
      return same ? null : { node: this.#node[slot] as number, term: this.#term[slot] as number };
    }
    if (known > index) return null;
    this.#index[slot] = index;
    this.#term[slot] = term;
    this.#hashX[slot] = hashX;
    this.#hashY[slot] = hashY;
    this.#node[slot] = node;
    if (index > this.committed.index) this.committed = { index, term };
    return null;
  }
}
