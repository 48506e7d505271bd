import { generateSet, shuffleSet } from "./generate.js";
import { runOnModel } from "./model.js";
import { common, difference, type Outcome } from "./outcome.js";
import type { RealSystemd } from "./real.js";
import type { UnitSet } from "./unit-set.js";

/** Runs of the model in which everything takes a little longer: all must come to the same. */
const JITTERS = 6;

/** Runs of the model with edges in another order, which systemd takes in the order of a random hash. */
const SHUFFLES = 8;

/** A set with what the model says of it. */
export interface Prepared {
  readonly number: number;
  readonly set: UnitSet;
  /** One of these must be what systemd does: several where the order of its hashes decides. */
  readonly outcomes: readonly Outcome[];
  readonly end: number;
}

/** A set that is ready to run, and how many attempts at it hung on milliseconds. */
export type Preparation = Prepared & { readonly tight: number };

/** Takes the first attempt at a set whose outcome does not hang on milliseconds. */
export function prepareSet(seed: number, number: number): Preparation {
  for (let tight = 0; ; tight++) {
    const set = generateSet(seed, number, tight);
    const prepared = prepare(set, number);
    if (prepared !== null) return { ...prepared, tight };
  }
}

/** What the model says of a set; null when it hangs on milliseconds or takes too long. */
export function prepare(set: UnitSet, number: number, stretched = 1): Prepared | null {
  const outcomes: Outcome[] = [];
  let end = 0;
  for (let variant = 0; variant < SHUFFLES; variant++) {
    const shuffled = variant === 0 ? set : shuffleSet(set, variant);
    const runs = [runOnModel(shuffled, 0, stretched)];
    if (runs[0]?.quiet !== true) return null;
    for (let jitter = 1; jitter <= (variant === 0 ? JITTERS : 2); jitter++) {
      runs.push(runOnModel(shuffled, jitter + variant * JITTERS, stretched));
    }
    if (runs.some((run) => !run.quiet)) return null;
    const outcome = common(runs.map((run) => run.outcome));
    if (outcome === null) return null;
    end = Math.max(end, ...runs.map((run) => run.end));
    if (outcomes.every((other) => difference(outcome, other) !== null)) outcomes.push(outcome);
  }
  return { number, set, outcomes, end };
}

/** How systemd's outcome differs from all that the model allows; null when it is one of them. */
export async function compareSet(
  real: RealSystemd,
  prepared: Prepared,
  told: Map<string, number> = new Map(),
): Promise<string | null> {
  const outcome = await real.run(prepared.set, prepared.end);
  for (const what of Object.values(outcome.units).flat()) {
    told.set(what, (told.get(what) ?? 0) + 1);
  }
  let first: string | null = null;
  for (const allowed of prepared.outcomes) {
    const found = difference(outcome, allowed);
    if (found === null) return null;
    first ??= found;
  }
  return first;
}
