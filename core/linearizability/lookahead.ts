import type { Interner } from "./interner.js";
import { type Ledger, PairMap } from "./memory.js";
import type { Foresight, History, Operation } from "./model.js";
import type { Schedule } from "./schedule.js";

/** Pairs of a change and a result worth comparing up front; a longer partition goes without foresight. */
const PAIRS_MAX = 4_000_000;

/**
 * Sees dead ends before the search runs into them: a result still to be explained that the present
 * state does not lead to, and no operation without a place supplies, will never be right.
 */
export interface Lookahead {
  place(op: number): void;
  takeBack(op: number): void;
  /**
   * What the results without a place, a circular list behind `head`, can come to from here.
   * @throws OutOfMemory
   */
  outlook(next: Int32Array, head: number, state: number): Outlook;
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
  interner: Interner<State, Input, Output>,
  ledger: Ledger,
): Lookahead {
  if (foresight === undefined) return BLIND;
  const operation = (op: number) => operationAt(history, plan.source[op] ?? -1);
  const awaited: number[] = [];
  const changing: number[] = [];
  for (let op = 0; op < plan.source.length; op++) {
    (plan.readOnly[op] === 1 ? awaited : changing).push(op);
  }
  if (awaited.length * changing.length > PAIRS_MAX) return BLIND;
  const { suppliers, supplied } = supply(foresight, operation, awaited, changing, plan);
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
    outlook(next, head, state) {
      let forgotten = true;
      for (let op = next[head] ?? head; op !== head; op = next[op] ?? head) {
        const alone = suppliers[op] === 0;
        if (!alone && !forgotten) continue;
        if (leads(op, state)) forgotten = false;
        else if (alone) return "hopeless";
      }
      return forgotten ? "forgotten" : "open";
    },
    free: () => known.free(),
  };
}

function add(counts: Int32Array, index: number, by: number): void {
  counts[index] = (counts[index] ?? 0) + by;
}

/** For every result how many operations supply it, and for every operation which results it supplies. */
function supply<State, Input, Output>(
  foresight: Foresight<State, Input, Output>,
  operation: (op: number) => Operation<Input, Output>,
  awaited: readonly number[],
  changing: readonly number[],
  plan: Schedule,
): { readonly suppliers: Int32Array; readonly supplied: readonly Int32Array[] } {
  const suppliers = new Int32Array(plan.source.length);
  const supplied: Int32Array[] = [];
  for (const change of changing) {
    const by = operation(change);
    const results: number[] = [];
    for (const result of awaited) {
      const { input, output } = operation(result);
      if ((plan.call[change] ?? 0) > (plan.return[result] ?? 0)) continue;
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
