import type { Micros } from "./units.js";

/** Where a machine puts what it concludes and asks for; an array is one. */
export interface Sink<T> {
  push(item: T): unknown;
}

/**
 * What a step produces, in order.
 *
 * Items are values: nothing that is pushed may be changed afterwards, neither by the machine
 * that pushed it nor by whoever reads it.
 */
export interface Out<Fact, Effect> {
  /** What the machine concluded; people, invariants and pictures read these. */
  readonly facts: Sink<Fact>;
  /** What the machine asks of its world. */
  readonly effects: Sink<Effect>;
}

/**
 * A pure, deterministic reducer: `(state, stimulus) ⇒ state' + facts + effects`.
 *
 * `step` is a recipe. It changes `state` where it stands, returns nothing, and reads nothing but
 * its arguments, so that the kernel may run it on an owned state (`stepInPlace`) or on an immer
 * draft (`stepImmutable`) with the same result. A recipe therefore keeps to these rules:
 *
 * - no clock, randomness, I/O or module-level mutable state; `now` is the machine's own clock;
 * - state is plain data: objects, arrays, `Map`, `Set`, strings, booleans, safe integers, null;
 *   no classes, functions or typed arrays;
 * - no use of immer's `original`, `current` or `nothing`, and no identity comparison of state parts;
 * - what is pushed to `out` may refer to parts of `state` only if they are never changed later.
 */
export interface Machine<Config, State, Stimulus, Fact, Effect> {
  readonly name: string;
  create(config: Config): State;
  step(state: State, stimulus: Stimulus, now: Micros, out: Out<Fact, Effect>): void;
}

/** The facts and effects of one step, collected. */
export interface Outcome<Fact, Effect> {
  readonly facts: Fact[];
  readonly effects: Effect[];
}
