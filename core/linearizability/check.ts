import { Ledger, OutOfMemory } from "./memory.js";
import type { History, Model } from "./model.js";
import { Search, type Standing } from "./search.js";

export type Verdict = "linearizable" | "not-linearizable" | "unknown";

/** Bounds of a check. Any of them, once passed, makes the answer "unknown". */
export interface CheckOptions {
  /** Bytes the tables and states of the search may take, by estimate; 512 MiB if absent. */
  readonly memoryBytesMax?: number;
  /** Candidates looked at, over all partitions; no bound if absent. */
  readonly stepsMax?: number;
  /** Asked every few thousand steps; a caller with a clock bounds time with it. */
  readonly shouldStop?: () => boolean;
  /**
   * True: search a refuted partition again for the partial linearizations of the report, in a
   * bounded number of steps. The verdict comes first either way.
   */
  readonly explain?: boolean;
}

/** What is known of one partition. Operations are indices in the checked history. */
export interface PartitionResult {
  /** What the model's `partition` said; empty for a model without. */
  readonly key: string;
  readonly verdict: Verdict;
  readonly operations: readonly number[];
  /**
   * An order that explains the history, if one was found. Operations that never returned are in
   * it only where their effect was seen.
   */
  readonly linearization: readonly number[] | null;
  /** With `explain`, of a refuted partition: for every operation the longest order met that holds it, longest first. */
  readonly partials: readonly (readonly number[])[];
}

export interface CheckResult {
  readonly verdict: Verdict;
  /** Why the verdict is "unknown", or null. */
  readonly bound: "memory" | "steps" | "stopped" | null;
  readonly steps: number;
  readonly partitions: readonly PartitionResult[];
}

const MEMORY_BYTES = 512 * 2 ** 20;
/** Partitions take turns of so many steps. */
const TURN = 2048;
/** Enough to come as far as possible along some order; no verdict hangs on it. */
const EXPLAIN_STEPS = 1_000_000;

interface Part<State, Input, Output> {
  readonly key: string;
  readonly members: readonly number[];
  search: Search<State, Input, Output> | null;
  standing: Standing;
}

/**
 * Tells if the history is linearizable by the model. Partitions are searched in turns, so that one
 * that is quickly refuted ends the check however hard the others are.
 *
 * @throws RangeError on an operation that returns before it is called, or at no time at all
 */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: CheckOptions = {},
): CheckResult {
  refuseBadTimes(history);
  const parts = partsOf(model, history);
  const ledger = new Ledger(options.memoryBytesMax ?? MEMORY_BYTES);
  const { steps, bound } = searchInTurns(model, history, parts, ledger, options);
  const refuted = parts.some((part) => part.standing === "not-linearizable");
  const proved = parts.every((part) => part.standing === "linearizable");
  const verdict = refuted ? "not-linearizable" : proved ? "linearizable" : "unknown";
  return {
    verdict,
    bound: verdict === "unknown" ? bound : null,
    steps,
    partitions: parts.map((part) =>
      resultOf(part, options.explain === true ? explain(model, history, part, options) : []),
    ),
  };
}

function refuseBadTimes<Input, Output>(history: History<Input, Output>): void {
  history.forEach((operation, index) => {
    const end = operation.return ?? operation.call;
    if (!(operation.call <= end)) {
      throw new RangeError(`operation ${index} is called at ${operation.call}, returns at ${end}`);
    }
  });
}

function partsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): Part<State, Input, Output>[] {
  const byKey = new Map<string, number[]>();
  history.forEach((operation, index) => {
    const key = model.partition?.(operation.input) ?? "";
    const members = byKey.get(key);
    if (members === undefined) byKey.set(key, [index]);
    else members.push(index);
  });
  return [...byKey]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, members]) => ({ key, members, search: null, standing: "running" }));
}

function searchInTurns<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  parts: readonly Part<State, Input, Output>[],
  ledger: Ledger,
  options: CheckOptions,
): { readonly steps: number; readonly bound: CheckResult["bound"] } {
  const stepsMax = options.stepsMax ?? Number.POSITIVE_INFINITY;
  let steps = 0;
  let bound: CheckResult["bound"] = null;
  let waiting = [...parts];
  while (waiting.length > 0) {
    for (const part of waiting) {
      if (steps >= stepsMax) return { steps, bound: "steps" };
      if (options.shouldStop?.() === true) return { steps, bound: "stopped" };
      steps += takeTurn(model, history, part, ledger, Math.min(TURN, stepsMax - steps));
      if (part.standing === "out-of-memory") bound = "memory";
      if (part.standing === "not-linearizable") return { steps, bound };
    }
    waiting = waiting.filter((part) => part.standing === "running");
  }
  return { steps, bound };
}

/** Searches on in one partition; gives its memory back once it is settled. Returns the steps taken. */
function takeTurn<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  part: Part<State, Input, Output>,
  ledger: Ledger,
  steps: number,
): number {
  const search = part.search ?? begin(model, history, part, ledger);
  if (search === null) {
    part.standing = "out-of-memory";
    return 0;
  }
  const before = search.steps;
  part.standing = search.run(steps);
  if (part.standing !== "running") search.free();
  return search.steps - before;
}

function begin<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  part: Part<State, Input, Output>,
  ledger: Ledger,
): Search<State, Input, Output> | null {
  try {
    part.search = new Search(model, history, part.members, ledger, false);
    return part.search;
  } catch (error) {
    if (error instanceof OutOfMemory) return null;
    throw error;
  }
}

/** Partial linearizations of a refuted partition, from a search without foresight: that one would turn back before it came far. */
function explain<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  part: Part<State, Input, Output>,
  options: CheckOptions,
): (readonly number[])[] {
  if (part.standing !== "not-linearizable") return [];
  const ledger = new Ledger(options.memoryBytesMax ?? MEMORY_BYTES);
  try {
    const search = new Search(model, history, part.members, ledger, true);
    while (search.steps < EXPLAIN_STEPS && options.shouldStop?.() !== true) {
      if (search.run(TURN) !== "running") break;
    }
    return search.partials();
  } catch (error) {
    if (error instanceof OutOfMemory) return [];
    throw error;
  }
}

function resultOf<State, Input, Output>(
  part: Part<State, Input, Output>,
  partials: (readonly number[])[],
): PartitionResult {
  const { key, members, search, standing } = part;
  const found = standing === "linearizable";
  return {
    key,
    verdict: found || standing === "not-linearizable" ? standing : "unknown",
    operations: members,
    linearization: found && search !== null ? search.placedNow() : null,
    partials,
  };
}
