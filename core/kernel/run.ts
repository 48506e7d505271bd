import { current, enableMapSet, Immer, isDraft } from "immer";
import type { Machine, Outcome } from "./machine.js";
import type { Micros } from "./units.js";

enableMapSet();

// Freezing is global per Immer instance; this one is ours alone.
const immutable = new Immer({ autoFreeze: true });

/** Runs one step on a state the caller owns. The state is changed where it stands. */
export function stepInPlace<Config, State, Stimulus, Fact, Effect>(
  machine: Machine<Config, State, Stimulus, Fact, Effect>,
  state: State,
  stimulus: Stimulus,
  now: Micros,
): Outcome<Fact, Effect> {
  const out: Outcome<Fact, Effect> = { facts: [], effects: [] };
  machine.step(state, stimulus, now, out);
  return out;
}

/**
 * Runs one step on an immutable state and returns the next one, sharing whatever did not change.
 * Both states stay valid: time travel, fork, diff and model checking stand on this.
 */
export function stepImmutable<Config, State, Stimulus, Fact, Effect>(
  machine: Machine<Config, State, Stimulus, Fact, Effect>,
  state: State,
  stimulus: Stimulus,
  now: Micros,
): Outcome<Fact, Effect> & { readonly state: State } {
  const out: Outcome<Fact, Effect> = { facts: [], effects: [] };
  let facts: Fact[] = [];
  let effects: Effect[] = [];
  const next = immutable.produce(state, (draft) => {
    machine.step(draft as State, stimulus, now, out);
    // Drafts die with `produce`; what leaves the step must not hold one.
    facts = detach(out.facts);
    effects = detach(out.effects);
  });
  return { state: next, facts, effects };
}

/** A copy of `value` in which every immer draft is replaced by the plain value it stands for. */
function detach<T>(value: T): T {
  if (isDraft(value)) return current(value as object) as T;
  if (Array.isArray(value)) return mapIfChanged(value) as T;
  if (value !== null && typeof value === "object" && isPlain(value)) {
    let copy: Record<string, unknown> | null = null;
    for (const [key, item] of Object.entries(value)) {
      const plain = detach(item);
      if (plain !== item) {
        copy ??= { ...(value as Record<string, unknown>) };
        copy[key] = plain;
      }
    }
    return (copy ?? value) as T;
  }
  return value;
}

function mapIfChanged(items: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let i = 0; i < items.length; i++) {
    const plain = detach(items[i]);
    if (plain !== items[i]) {
      copy ??= [...items];
      copy[i] = plain;
    }
  }
  return copy ?? items;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
