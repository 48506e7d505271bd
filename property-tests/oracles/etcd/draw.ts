import type { Generator } from "../../../core/kernel/index.js";
import { nextBelow, nextBetween, pick } from "../../../core/kernel/index.js";
import type { RevisionAt } from "./steps.js";

/** Few, so that requests meet; at most twelve, because Go's sort keeps the order of so many equals. */
const KEYS = ["a", "b", "c", "d", "ab", "a\0", "b\xff", "\0", "\xff", "zz"];
const VALUES = ["", "x", "y", "10", "9", "\0\xff"];

/** Chosen by clients: small, the largest, and two that are negative as numbers. */
export const LEASES = [
  "0000000000000001",
  "0000000000000002",
  "0000000000000abc",
  "7fffffffffffffff",
  "8000000000000000",
  "ffffffffffffffff",
];
const UNKNOWN_LEASE = "00000000000000ff";

/** Seeded choices over the small worlds in which requests meet. */
export class Draw {
  constructor(readonly generator: Generator) {}

  below(bound: number): number {
    return nextBelow(this.generator, bound);
  }

  between(low: number, high: number): number {
    return nextBetween(this.generator, low, high);
  }

  pick<T>(items: readonly T[]): T {
    return pick(this.generator, items);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of the makers, by weight. */
  weighted<T>(choices: readonly (readonly [weight: number, make: () => T])[]): T {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of choices) {
      if (at < weight) return make();
      at -= weight;
    }
    throw new RangeError("no choices");
  }

  /** The fields, each there or not. */
  some<T extends object>(
    chances: { readonly [K in keyof T]: readonly [oneIn: number, make: () => T[K]] },
  ): Partial<T> {
    const made: Partial<T> = {};
    for (const field in chances) {
      const [oneIn, make] = chances[field];
      if (this.oneIn(oneIn)) made[field] = make();
    }
    return made;
  }

  list<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }

  key(): string {
    return this.oneIn(60) ? "" : this.someKey();
  }

  someKey(): string {
    return this.pick(KEYS);
  }

  rangeEnd(): string {
    return this.weighted([
      [5, () => ""],
      [3, () => "\0"],
      [6, () => this.pick(KEYS)],
      [2, () => `${this.pick(KEYS)}\0`],
      [1, () => "\xff\xff"],
    ]);
  }

  value(): string {
    return this.pick(VALUES);
  }

  lease(): string {
    return this.oneIn(8) ? UNKNOWN_LEASE : this.pick(LEASES);
  }

  /** Mostly one that can be read. */
  revision(): RevisionAt | number {
    return this.weighted<RevisionAt | number>([
      [10, () => ({ at: "current", plus: -this.below(12) })],
      [2, () => ({ at: "current", plus: this.between(1, 3) })],
      [3, () => ({ at: "compacted", plus: this.between(-2, 2) })],
      [1, () => this.pick([0, -1, -2, -100, 1, Number.MAX_SAFE_INTEGER])],
    ]);
  }
}
