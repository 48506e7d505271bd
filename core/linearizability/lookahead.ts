import type { Interner } from "./interner.js";
import { type Ledger, PairMap } from "./memory.js";
import type { Foresight, History, Operation } from "./model.js";
import { NEVER, type Schedule } from "./schedule.js";

/** Results are looked at that are called so many positions after the first return still open, no more. */
const HORIZON = 1024;

/** Pairs of a change and a result worth comparing up front; a longer partition goes without foresight. */
const PAIRS_MAX = 16_000_000;

/** What a lookahead sees of its search: both change while it runs. */
export interface Progress {
  /** Operations without a place, in lists; that of results begins and ends at `reads`. */
  readonly next: Int32Array;
  readonly reads: number;
  readonly placed: Uint8Array;
}

/**
 * Sees dead ends before the search runs into them: a result still to be explained that the present
 * state does not lead to, and no operation without a place supplies, will never be right.
 */
export interface Lookahead {
  place(op: number): void;
  takeBack(op: number): void;
  /**
   * What the results without a place can come to from this state, all of the first `deadline`
   * operations to return having theirs.
   *
   * @throws OutOfMemory
   */
  outlook(state: number, deadline: number): Outlook;
  free(): void;
}

/**
 * - `hopeless`: some result can never be explained;
 * - `forgotten`: no result will ever show this state, so that one such state is as good as another;
 * - `open`: neither is known.
 */
export type Outlook = "hopeless" | "forgotten" | "open";

/** Without foresight in the model, or with more pairs than are worth comparing. */
const BLIND: Lookahead = {
  place() {},
  takeBack() {},
  outlook: () => "open",
  free() {},
};

/** @throws OutOfMemory */
export function lookahead<State, Input, Output>(
  foresight: Foresight<State, Input, Output> | undefined,
  history: History<Input, Output>,
  plan: Schedule,
  progress: Progress,
  interner: Interner<State, Input, Output>,
  ledger: Ledger,
): Lookahead {
  if (foresight === undefined) return BLIND;
  const operation = (op: number) => operationAt(history, plan.source[op] ?? -1);
  const supply = supplyOf(foresight, operation, plan);
  if (supply === null) return BLIND;
  const { suppliers, supplied } = supply;
  const resets = Uint8Array.from(plan.source, (_, op) => {
    const { input, output } = operation(op);
    return foresight.resets(input, output) ? 1 : 0;
  });
  const known = new PairMap(ledger);
  const leads = (op: number, state: number): boolean => {
    const kind = plan.kind[op] ?? 0;
    const answer = known.get(state, kind);
    if (answer >= 0) return answer === 1;
    const { input, output } = operation(op);
    const can = foresight.leadsTo(interner.state(state), input, output);
    known.set(state, kind, can ? 1 : 0);
    return can;
  };
  return {
    place(op) {
      const results = supplied[op];
      if (results === undefined) return;
      for (let i = 0; i < results.length; i++) add(suppliers, results[i] ?? 0, -1);
    },
    takeBack(op) {
      const results = supplied[op];
      if (results === undefined) return;
      for (let i = 0; i < results.length; i++) add(suppliers, results[i] ?? 0, 1);
    },
    outlook(state, deadline) {
      const { next, reads } = progress;
      const horizon = horizonOf(plan, deadline);
      const reset = resetBefore(horizon, plan, progress.placed, resets, deadline);
      let forgotten = true;
      for (let op = next[reads] ?? reads; op !== reads; op = next[op] ?? reads) {
        const call = plan.call[op] ?? NEVER;
        if (call > horizon) return forgotten && reset === NEVER ? "open" : outlookOf(forgotten);
        const alone = suppliers[op] === 0;
        const shows = forgotten && call < reset;
        if (!alone && !shows) continue;
        if (!leads(op, state)) {
          if (alone) return "hopeless";
        } else if (shows) forgotten = false;
      }
      return outlookOf(forgotten);
    },
    free: () => known.free(),
  };
}

function add(counts: Int32Array, index: number, by: number): void {
  counts[index] = (counts[index] ?? 0) + by;
}

const outlookOf = (forgotten: boolean): Outlook => (forgotten ? "forgotten" : "open");

/** The last position at which a result may be called and still be looked at. */
function horizonOf(plan: Schedule, deadline: number): number {
  const first = plan.byReturn[deadline];
  return first === undefined ? NEVER : (plan.return[first] ?? NEVER) + HORIZON;
}

/**
 * The first return, up to the horizon, of an operation without a place that resets the state, or
 * `NEVER`: what is called after it does not see the present state.
 */
function resetBefore(
  horizon: number,
  plan: Schedule,
  placed: Uint8Array,
  resets: Uint8Array,
  deadline: number,
): number {
  for (let rank = deadline; rank < plan.byReturn.length; rank++) {
    const op = plan.byReturn[rank] ?? 0;
    const end = plan.return[op] ?? NEVER;
    if (end > horizon) return NEVER;
    if (resets[op] === 1 && placed[op] === 0) return end;
  }
  return NEVER;
}

/**
 * For every result how many operations supply it, and for every operation which results it
 * supplies, without those that have their place before the result comes into view. Null: there are
 * too many pairs.
 */
function supplyOf<State, Input, Output>(
  foresight: Foresight<State, Input, Output>,
  operation: (op: number) => Operation<Input, Output>,
  plan: Schedule,
): { readonly suppliers: Int32Array; readonly supplied: readonly Int32Array[] } | null {
  const suppliers = new Int32Array(plan.source.length);
  const supplied: Int32Array[] = [];
  const awaited = Array.from(plan.readOnly.keys()).filter((op) => plan.readOnly[op] === 1);
  let pairs = 0;
  let first = 0;
  for (let change = 0; change < plan.source.length; change++) {
    if (plan.readOnly[change] === 1) continue;
    const by = operation(change);
    const call = plan.call[change] ?? 0;
    const end = plan.return[change] ?? NEVER;
    const results: number[] = [];
    while (first < awaited.length && (plan.return[awaited[first] ?? 0] ?? 0) < call) first++;
    for (let i = first; i < awaited.length; i++) {
      const result = awaited[i] ?? 0;
      if ((plan.call[result] ?? 0) - HORIZON > end) break;
      if (++pairs > PAIRS_MAX) return null;
      if ((plan.return[result] ?? 0) < call) continue;
      const { input, output } = operation(result);
      if (!foresight.supplies(by.input, by.output, input, output)) continue;
      add(suppliers, result, 1);
      results.push(result);
    }
    supplied[change] = Int32Array.from(results);
  }
  return { suppliers, supplied };
}

function operationAt<Input, Output>(
  history: History<Input, Output>,
  index: number,
): Operation<Input, Output> {
  const operation = history[index];
  if (operation === undefined) throw new RangeError(`no operation ${index} in the history`);
  return operation;
}
