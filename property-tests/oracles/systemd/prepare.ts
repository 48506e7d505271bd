import { generateSet } from "./generate.js";
import { runOnModel } from "./model.js";
import { common, difference, type Outcome } from "./outcome.js";
import type { RealSystemd } from "./real.js";
import type { UnitSet } from "./unit-set.js";

/** Runs of the model in which everything takes a little longer: all must come to the same. */
const JITTERS = 6;

/** Orders of systemd's hash tables that are looked at before a set is run, */
const ORDERS = 10;

/** and those in which one is looked for that explains what systemd did. */
const ORDERS_MAX = 500;

/** A set with what the model says of it. */
export interface Prepared {
  readonly number: number;
  readonly set: UnitSet;
  readonly stretched: number;
  /** What systemd does where its hash tables have one of the orders that were looked at. */
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
  for (let hashKey = 0; hashKey < ORDERS; hashKey++) {
    const found = outcomeIn(set, hashKey, stretched, hashKey === 0 ? JITTERS : 2);
    if (found === null) return null;
    end = Math.max(end, found.end);
    addNew(outcomes, found.outcome);
  }
  return { number, set, stretched, outcomes, end };
}

function addNew(outcomes: Outcome[], outcome: Outcome): void {
  if (outcomes.every((other) => difference(outcome, other) !== null)) outcomes.push(outcome);
}

/** What a set comes to in one order of the hash tables; null when that hangs on milliseconds. */
function outcomeIn(
  set: UnitSet,
  hashKey: number,
  stretched: number,
  jitters: number,
): { readonly outcome: Outcome; readonly end: number } | null {
  const runs = [runOnModel(set, { jitter: 0, hashKey, stretched })];
  if (runs[0]?.quiet !== true) return null;
  for (let jitter = 1; jitter <= jitters; jitter++) {
    runs.push(runOnModel(set, { jitter: jitter + hashKey * JITTERS, hashKey, stretched }));
  }
  if (runs.some((run) => !run.quiet)) return null;
  const outcome = common(runs.map((run) => run.outcome));
  return outcome === null ? null : { outcome, end: Math.max(...runs.map((run) => run.end)) };
}

/** How systemd's outcome differs from all that the model allows; null when it is one of them. */
export async function compareSet(
  real: RealSystemd,
  prepared: Prepared,
  told: Map<string, number> = new Map(),
): Promise<string | null> {
  const { set, stretched, end } = prepared;
  const outcome = await real.run(set, end);
  for (const what of Object.values(outcome.units).flat()) {
    told.set(what, (told.get(what) ?? 0) + 1);
  }
  let first: string | null = null;
  for (const allowed of prepared.outcomes) {
    const found = difference(outcome, allowed);
    if (found === null) return null;
    first ??= found;
  }
  return isInSomeOrder(set, stretched, outcome) ? null : first;
}

/** Whether there is an order of the hash tables in which systemd would do what it did. */
function isInSomeOrder(set: UnitSet, stretched: number, outcome: Outcome): boolean {
  for (let hashKey = ORDERS; hashKey < ORDERS_MAX; hashKey++) {
    const run = runOnModel(set, { jitter: 0, hashKey, stretched });
    if (difference({ ...outcome, orders: {} }, run.outcome) !== null) continue;
    const found = outcomeIn(set, hashKey, stretched, 2);
    if (found !== null && difference(outcome, found.outcome) === null) return true;
  }
  return false;
}
