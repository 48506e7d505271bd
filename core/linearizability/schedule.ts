import type { History, Model } from "./model.js";

/** Of an operation that never returned. */
export const NEVER = 0x7fff_ffff;

/**
 * One partition of a history in the form the search wants it: operations numbered in the order of
 * their calls, times replaced by positions in one sequence of calls and returns.
 */
export interface Schedule {
  /** Index in the whole history, by operation. */
  readonly source: Int32Array;
  /** Position of the call and of the return (`NEVER` without one), by operation. */
  readonly call: Int32Array;
  readonly return: Int32Array;
  /** Operations that returned, in the order of their returns; and the place of each in it, or -1. */
  readonly byReturn: Int32Array;
  readonly rank: Int32Array;
  /** Operations with one number are the same to the model; and an operation that stands for each. */
  readonly kind: Int32Array;
  readonly example: readonly number[];
  /** The latest operation of the same kind that was called and returned earlier, or -1. */
  readonly twin: Int32Array;
  readonly readOnly: Uint8Array;
  /** A bit no other operation has while this one is between call and return. */
  readonly bit: Int32Array;
  readonly bits: number;
}

interface Mark {
  readonly time: number;
  readonly returns: boolean;
  readonly index: number;
}

/**
 * Lays out the operations `members` of a history. What never returned and reads only is left out:
 * it constrains nothing.
 */
export function schedule<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  members: readonly number[],
): Schedule {
  const marks = marksOf(model, history, members);
  const n = marks.reduce((count, mark) => count + (mark.returns ? 0 : 1), 0);
  const source = new Int32Array(n);
  const call = new Int32Array(n);
  const returns = new Int32Array(n).fill(NEVER);
  const rank = new Int32Array(n).fill(-1);
  const byReturn = new Int32Array(marks.length - n);
  const bit = new Int32Array(n);
  const numbers = new Map<number, number>();
  const freeBits: number[] = [];
  let bits = 0;
  let returned = 0;
  marks.forEach((mark, position) => {
    const known = numbers.get(mark.index);
    if (known === undefined) {
      const operation = numbers.size;
      numbers.set(mark.index, operation);
      source[operation] = mark.index;
      call[operation] = position;
      bit[operation] = freeBits.pop() ?? bits++;
    } else {
      returns[known] = position;
      rank[known] = returned;
      byReturn[returned++] = known;
      freeBits.push(bit[known] ?? 0);
    }
  });
  const kinds = kindsOf(model, history, source, returns);
  const readOnly = Uint8Array.from(source, (index) => {
    const { input, output } = at(history, index);
    return model.readOnly?.(input, output) === true ? 1 : 0;
  });
  return { source, call, return: returns, byReturn, rank, ...kinds, readOnly, bit, bits };
}

/** Calls and returns in time; at one instant calls come first, which makes intervals closed. */
function marksOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  members: readonly number[],
): Mark[] {
  const marks: Mark[] = [];
  for (const index of members) {
    const operation = at(history, index);
    if (operation.return === null) {
      if (model.readOnly?.(operation.input, operation.output) === true) continue;
    } else {
      marks.push({ time: operation.return, returns: true, index });
    }
    marks.push({ time: operation.call, returns: false, index });
  }
  return marks.sort(
    (a, b) => a.time - b.time || Number(a.returns) - Number(b.returns) || a.index - b.index,
  );
}

function kindsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  source: Int32Array,
  returns: Int32Array,
): Pick<Schedule, "kind" | "example" | "twin"> {
  const kind = new Int32Array(source.length);
  const twin = new Int32Array(source.length).fill(-1);
  const example: number[] = [];
  const byKey = new Map<string, number>();
  const earlier: number[][] = [];
  for (let operation = 0; operation < source.length; operation++) {
    const { input, output } = at(history, source[operation] ?? 0);
    const key = model.operationKey?.(input, output);
    const known = key === undefined ? undefined : byKey.get(key);
    const number = known ?? example.length;
    kind[operation] = number;
    if (known === undefined) {
      example.push(source[operation] ?? 0);
      earlier.push([]);
      if (key !== undefined) byKey.set(key, number);
    }
    const siblings = earlier[number] ?? [];
    const end = returns[operation] ?? NEVER;
    twin[operation] = siblings.findLast((other) => (returns[other] ?? NEVER) <= end) ?? -1;
    siblings.push(operation);
  }
  return { kind, example, twin };
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`no operation ${index} in the history`);
  return item;
}
