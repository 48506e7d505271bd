import { createGenerator, nextBelow, pick } from "../../core/kernel/index.js";
import type { Corpus } from "./corpus.js";
import { grown, inputOf, shrink } from "./mutate.js";
import type { Target } from "./targets.js";

/** An input that a target does not answer as it should. */
export interface Failure {
  readonly target: string;
  /** Of the input; of a growth probe, the number that it is drawn by. */
  readonly number: number;
  readonly problem: string;
  /** Made small. */
  readonly input: string;
}

/** What came of some inputs. */
export interface Tally {
  inputs: number;
  characters: number;
  /** Growth probes: texts doubled again and again, and timed. */
  probes: number;
  /** The longest that one input took, ms, and which it was. */
  slowestMs: number;
  slowest: number;
}

export const noTally = (): Tally => ({
  inputs: 0,
  characters: 0,
  probes: 0,
  slowestMs: 0,
  slowest: -1,
});

/** Gives a target its inputs from `from` to `to`, exclusive; stops at the first failure. */
export function fuzz(
  target: Target,
  corpus: Corpus,
  seed: number,
  from: number,
  to: number,
  tally: Tally,
): Failure | null {
  for (let number = from; number < to; number++) {
    const input = inputOf(corpus, target.name, seed, number);
    const began = performance.now();
    const problem = problemOf(target, input);
    let took = performance.now() - began;
    // Others on the machine, or a collection of garbage, may have come in between.
    if (took > NOTICEABLE_MS) took = Math.min(took, time(target, input), time(target, input));
    tally.inputs++;
    tally.characters += input.length;
    if (took > tally.slowestMs) {
      tally.slowestMs = took;
      tally.slowest = number;
    }
    if (problem !== null) return failure(target, number, input, problem);
  }
  return null;
}

function failure(target: Target, number: number, input: string, problem: string): Failure {
  const head = firstLine(problem);
  const small = shrink(input, (text) => firstLine(problemOf(target, text) ?? "") === head);
  return { target: target.name, number, problem, input: small };
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** What is wrong with a target's answer to an input; null: nothing. */
export function problemOf(target: Target, input: string): string | null {
  try {
    target.run(input);
    return null;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Characters of the texts that growth is judged by. */
const SIZES = [8, 16, 32, 64, 128].map((kilo) => kilo * 1024);

/** What takes less than this is not looked at more closely, ms. */
const NOTICEABLE_MS = 60;

/** A doubling may take so many times as long, twice in a row, before it counts: 2 is linear, 4 quadratic. */
const FACTOR_MAX = 3;

/**
 * Lets a text grow by one of its pieces and times the target: null when its time grows about as the
 * text does.
 */
export function probeGrowth(
  target: Target,
  corpus: Corpus,
  seed: number,
  number: number,
): Failure | null {
  const text = (size: number): string => {
    const g = createGenerator(seed, `${target.name}:grow:${number}`);
    const from =
      nextBelow(g, 2) === 0 ? pick(g, corpus.seeds) : inputOf(corpus, target.name, seed, number);
    return grown(from, g, size);
  };
  const times = SIZES.map((size) => ({ size, ms: time(target, text(size)) }));
  const last = times.at(-1)?.ms ?? 0;
  if (last < NOTICEABLE_MS || !steep(times)) return null;
  // Once more, with more care: the machine may have been busy.
  const again = SIZES.map((size) => {
    const input = text(size);
    return { size, ms: Math.min(time(target, input), time(target, input), time(target, input)) };
  });
  if (!steep(again)) return null;
  const shown = again.map(({ size, ms }) => `${size / 1024} KiB ${ms.toFixed(1)} ms`).join(", ");
  const problem = `time grows faster than the text: ${shown}`;
  return { target: target.name, number, problem, input: text(1_024) };
}

function steep(times: readonly { readonly ms: number }[]): boolean {
  const factors = times.slice(1).map(({ ms }, i) => ms / Math.max(times[i]?.ms ?? 0, 0.5));
  return factors.slice(-2).every((factor) => factor > FACTOR_MAX);
}

/** Processor time, ms: others on the machine do not count. */
function time(target: Target, input: string): number {
  const began = process.cpuUsage();
  problemOf(target, input);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1_000;
}
