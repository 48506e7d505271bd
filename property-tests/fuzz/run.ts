import { createGenerator, nextBelow, pick } from "../../core/kernel/index.js";
import type { Corpus } from "./corpus.js";
import { growing, superlinear } from "./growth.js";
import { inputOf, shrink } from "./mutate.js";
import type { Target } from "./targets.js";

/** An input that a target does not answer as it should. */
export interface Failure {
  readonly target: string;
  /** The numbers that the input was bred by, the last one its own. */
  readonly lineage: readonly number[];
  /** It came up when texts that grow were timed. */
  readonly growth: boolean;
  readonly problem: string;
  /** Made small, unless it hangs or takes too long. */
  readonly input: string;
}

/** What came of some inputs. */
export interface Tally {
  inputs: number;
  characters: number;
  /** Growth probes: texts doubled again and again, and timed. */
  probes: number;
  /** Traits seen in the answers, and inputs kept to breed from since they showed a new one. */
  traits: number;
  kept: number;
  /** The longest that one input took, ms, and which it was. */
  slowestMs: number;
  slowest: number;
}

export const noTally = (): Tally => ({
  inputs: 0,
  characters: 0,
  probes: 0,
  traits: 0,
  kept: 0,
  slowestMs: 0,
  slowest: -1,
});

/** Of the inputs kept to breed from; then the oldest go. */
const KEPT_MAX = 4_096;

/** Longer inputs are not bred from: their kin would grow and grow, and fewer fit into an hour. */
const KEPT_CHARS_MIN = 400;

/** An input that is bred from, with the numbers that it was bred by itself. */
interface Kept {
  readonly text: string;
  readonly lineage: readonly number[];
}

/** Longest lineage, in numbers: what has one is not bred from. */
export const LINEAGE_MAX = 24;

/**
 * One run over a target. It is led by the answers: an input whose answer shows a trait that none
 * before showed is kept, and half of the later inputs are bred from those kept. The same seed and
 * range give the same inputs, as far as the answers are the same; a lineage gives its input by itself.
 */
export class Run {
  readonly tally: Tally = noTally();
  readonly #target: Target;
  readonly #corpus: Corpus;
  readonly #seed: number;
  /** Longest input that is bred from, in characters. */
  readonly #keptMax: number;
  readonly #kept: Kept[] = [];
  readonly #seen = new Set<string>();
  readonly #atWork: (lineage: readonly number[], growth: boolean) => void;

  /** @param atWork - is told of each input before it is given, for the case of a hang */
  constructor(
    target: Target,
    seed: number,
    atWork: (lineage: readonly number[], growth: boolean) => void = () => undefined,
  ) {
    this.#target = target;
    this.#corpus = target.corpus();
    const { seeds } = this.#corpus;
    const average = seeds.reduce((sum, { length }) => sum + length, 0) / seeds.length;
    this.#keptMax = Math.max(KEPT_CHARS_MIN, average * 1.5);
    this.#seed = seed;
    this.#atWork = atWork;
  }

  /** Gives the target its inputs from `from` to `to`, exclusive; stops at the first failure. */
  inputs(from: number, to: number): Failure | null {
    for (let number = from; number < to; number++) {
      const { text, lineage } = this.#next(number);
      const failure = this.#give(text, lineage);
      if (failure !== null) return failure;
    }
    return null;
  }

  /** Gives the target the one input of a lineage. */
  only(lineage: readonly number[]): Failure | null {
    return this.#give(this.textOf(lineage), lineage);
  }

  /** The text that a lineage makes. */
  textOf(lineage: readonly number[]): string {
    let text: string | undefined;
    for (const number of lineage) {
      text = inputOf(this.#corpus, this.#target.name, this.#seed, number, text);
    }
    return text ?? "";
  }

  #next(number: number): Kept {
    const { name } = this.#target;
    const g = createGenerator(this.#seed, `${name}:parent:${number}`);
    const parent = this.#kept.length > 0 && nextBelow(g, 2) === 0 ? pick(g, this.#kept) : undefined;
    const text = inputOf(this.#corpus, name, this.#seed, number, parent?.text);
    return { text, lineage: [...(parent?.lineage ?? []), number] };
  }

  #give(text: string, lineage: readonly number[]): Failure | null {
    const { tally } = this;
    this.#atWork(lineage, false);
    const began = performance.now();
    const answer = answerOf(this.#target, text);
    let took = performance.now() - began;
    // Others on the machine, or a collection of garbage, may have come in between.
    if (took > NOTICEABLE_MS) took = Math.min(took, this.#time(text).ms, this.#time(text).ms);
    tally.inputs++;
    tally.characters += text.length;
    if (took > tally.slowestMs) {
      tally.slowestMs = took;
      tally.slowest = lineage.at(-1) ?? -1;
    }
    if (!answer.ok) return this.#failure(lineage, text, answer.problem);
    if (took > TOO_LONG_MS) {
      const problem = `takes ${took.toFixed(0)} ms of the processor for ${text.length} characters`;
      return { target: this.#target.name, lineage, growth: false, problem, input: text };
    }
    this.#keep(text, lineage, answer.traits);
    return null;
  }

  #keep(text: string, lineage: readonly number[], traits: readonly string[]): void {
    const before = this.#seen.size;
    for (const trait of traits) this.#seen.add(trait);
    if (this.#seen.size === before) return;
    this.tally.traits = this.#seen.size;
    if (lineage.length >= LINEAGE_MAX || text.length > this.#keptMax) return;
    this.#kept[this.tally.kept++ % KEPT_MAX] = { text, lineage };
  }

  #failure(lineage: readonly number[], text: string, problem: string): Failure {
    const head = firstLine(problem);
    const fails = (part: string): boolean => {
      const answer = answerOf(this.#target, part);
      return !answer.ok && firstLine(answer.problem) === head;
    };
    const input = shrink(text, fails);
    const again = answerOf(this.#target, input, FRAMES);
    const { name } = this.#target;
    return {
      target: name,
      lineage,
      growth: false,
      problem: again.ok ? problem : again.problem,
      input,
    };
  }

  /** Lets a text of input `number`'s time grow, and times the target. */
  probe(number: number): Failure | null {
    return this.grow(this.#next(number).lineage);
  }

  /** Lets a seed, or the text of a lineage, grow as its last number says, and times the target. */
  grow(lineage: readonly number[]): Failure | null {
    const { name } = this.#target;
    this.#atWork(lineage, true);
    this.tally.probes++;
    const stream = `${name}:grow:${lineage.at(-1) ?? 0}`;
    const g = createGenerator(this.#seed, `${stream}:from`);
    const from = nextBelow(g, 2) === 0 ? pick(g, this.#corpus.seeds) : this.textOf(lineage);
    const text = growing(from, this.#seed, stream);
    let broken: string | null = null;
    const steep = superlinear(text, (input) => {
      const { ms, answer } = this.#time(input);
      if (!answer.ok) broken ??= `${input.length} characters: ${answer.problem}`;
      return ms;
    });
    const problem = broken ?? steep;
    if (problem === null) return null;
    return { target: name, lineage, growth: true, problem, input: text(1_024) };
  }

  /** Processor time: others on the machine do not count. */
  #time(input: string): { readonly ms: number; readonly answer: Answer } {
    const began = process.cpuUsage();
    const answer = answerOf(this.#target, input);
    const { user, system } = process.cpuUsage(began);
    return { ms: (user + system) / 1_000, answer };
  }
}

/** What takes less than this is not looked at more closely, ms. */
const NOTICEABLE_MS = 60;

/** No input may take so long, ms of the processor. */
const TOO_LONG_MS = 2_000;

/** Of the stack of a failure. */
const FRAMES = 12;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

type Answer =
  | { readonly ok: true; readonly traits: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * A target's answer to an input, or what is wrong with it.
 *
 * @param frames - of the stack in the problem; parsers make many errors, and each costs its stack
 */
function answerOf(target: Target, input: string, frames = 0): Answer {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  try {
    return { ok: true, traits: target.run(input) };
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ok: false, problem };
  } finally {
    Error.stackTraceLimit = before;
  }
}
