import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { integer, runCommand } from "../command-line.js";
import { type Failure, LINEAGE_MAX, noTally, Run, type Tally } from "./run.js";
import { TARGETS, type Target } from "./targets.js";

const USAGE = `usage: npm run fuzz -- [--inputs N] [--seed S] [--target NAME,…] [--from N] [--json]
       npm run fuzz -- --target NAME --seed S --input NUMBER/… [--growth]
targets: ${TARGETS.map(({ name, about }) => `\n  ${name.padEnd(13)} ${about}`).join("")}`;

/** Inputs between two growth probes. */
const PROBE_EVERY = 2_000;

/** Inputs that a worker answers for at once. */
const BATCH = 500;

/** A worker that says nothing for so long hangs, ms. */
const SILENCE_MAX_MS = 120_000;

interface Options {
  readonly targets: readonly Target[];
  readonly seed: number;
  readonly from: number;
  readonly inputs: number;
  /** Only the input of this lineage; null: all of the range. */
  readonly lineage: readonly number[] | null;
  readonly growth: boolean;
  readonly json: boolean;
}

interface Job {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly lineage: readonly number[] | null;
  readonly growth: boolean;
  /** What the worker is at, for the case that it says no more: whether growth, how many, the lineage. */
  readonly atWork: Int32Array;
}

type Word =
  | { readonly kind: "answered"; readonly tally: Tally; readonly next: number }
  | { readonly kind: "failed"; readonly failure: Failure; readonly tally: Tally }
  | { readonly kind: "over"; readonly tally: Tally };

/** What came of a target. */
interface Result {
  readonly target: string;
  readonly tally: Tally;
  readonly seconds: number;
  readonly failure: Failure | null;
}

/** Throws with the reason if the command line makes no sense. */
function options(): Options {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
      target: { type: "string" },
      input: { type: "string" },
      growth: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const names = values.target?.split(",") ?? TARGETS.map(({ name }) => name);
  const targets = names.map((name) => {
    const target = TARGETS.find((known) => known.name === name);
    if (target === undefined) throw new Error(`no target is called ${JSON.stringify(name)}`);
    return target;
  });
  const { inputs, seed, from, input, growth, json } = values;
  return {
    targets,
    seed: integer("--seed", seed, 0),
    from: integer("--from", from, 0),
    inputs: integer("--inputs", inputs, 1),
    lineage: input?.split("/").map((number) => integer("--input", number, 0)) ?? null,
    growth,
    json,
  };
}

/** A thread of its own answers for a target, so that one that hangs is noticed. */
function ask(job: Job): Promise<Result> {
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
  return new Promise((resolve, reject) => {
    const worker = startWorker(job);
    let tally = noTally();
    let heard = performance.now();
    const end = (failure: Failure | null): void => {
      clearInterval(watch);
      resolve({ target: job.target, tally, seconds: seconds(), failure });
      worker.terminate();
    };
    const watch = setInterval(() => {
      if (performance.now() - heard < SILENCE_MAX_MS) return;
      const problem = `no answer for ${SILENCE_MAX_MS / 1_000} s`;
      const [growth = 0, length = 0, ...numbers] = job.atWork;
      const lineage = numbers.slice(0, length);
      const input = new Run(targetOf(job), job.seed).textOf(lineage);
      end({ target: job.target, lineage, growth: growth === 1, problem, input });
    }, 1_000);
    worker.on("message", (word: Word) => {
      heard = performance.now();
      tally = word.tally;
      if (word.kind === "over") return end(null);
      if (word.kind === "failed") return end(word.failure);
      if (process.stderr.isTTY) process.stderr.write(`\r${job.target} ${word.next}\u001b[K`);
    });
    worker.on("error", reject);
  });
}

/** A thread that runs this file: through the loader that this process has, if it needs one. */
function startWorker(workerData: Job): Worker {
  // Inputs leave much behind that does not live long.
  const options = { workerData, resourceLimits: { maxYoungGenerationSizeMb: 64 } };
  if (import.meta.url.endsWith(".js")) return new Worker(new URL(import.meta.url), options);
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const file = JSON.stringify(import.meta.url);
  const code = `import(${loader}).then(({ register }) => { register(); return import(${file}); });`;
  return new Worker(code, { ...options, eval: true });
}

function targetOf(job: Job): Target {
  const target = TARGETS.find((known) => known.name === job.target);
  if (target === undefined) throw new Error(`no target is called ${job.target}`);
  return target;
}

function answer(job: Job, tell: (word: Word) => void): void {
  const run = new Run(targetOf(job), job.seed, (lineage, growth) => {
    job.atWork.set([growth ? 1 : 0, lineage.length, ...lineage]);
  });
  const failure = job.lineage === null ? range(run, job, tell) : one(run, job.lineage, job.growth);
  const { tally } = run;
  tell(failure === null ? { kind: "over", tally } : { kind: "failed", failure, tally });
}

function one(run: Run, lineage: readonly number[], growth: boolean): Failure | null {
  return growth ? run.grow(lineage) : run.only(lineage);
}

function range(run: Run, { from, to }: Job, tell: (word: Word) => void): Failure | null {
  for (let at = from; at < to; ) {
    const until = Math.min(to, at + BATCH);
    const probed = (until - from) % PROBE_EVERY === 0;
    const failure = run.inputs(at, until) ?? (probed ? run.probe(until) : null);
    if (failure !== null) return failure;
    at = until;
    tell({ kind: "answered", tally: run.tally, next: at });
  }
  return null;
}

function describe({ target, tally, seconds, failure }: Result, seed: number): string {
  const { inputs, characters, probes, traits, kept, slowestMs, slowest } = tally;
  const rate = Math.round(inputs / Math.max(seconds, 0.1));
  const line =
    `${target}: ${inputs} inputs, ${(characters / 1e6).toFixed(1)} million characters, ${probes} growth probes, ` +
    `${seconds} s (${rate}/s); ${traits} traits, ${kept} inputs kept; slowest ${slowestMs.toFixed(0)} ms, input ${slowest}`;
  if (failure === null) return `${line}; nothing found`;
  const { problem, input, lineage, growth } = failure;
  const again = `--target ${target} --seed ${seed} --input ${lineage.join("/")}${growth ? " --growth" : ""}`;
  return [
    `${line}; FAILED`,
    problem,
    `input: ${JSON.stringify(input)}`,
    `again: npm run fuzz -- ${again}`,
  ].join("\n");
}

async function fuzz({ targets, seed, from, inputs, lineage, growth, json }: Options) {
  const results: Result[] = [];
  // One after the other: two at once would spoil each other's times.
  for (const { name: target } of targets) {
    const atWork = new Int32Array(new SharedArrayBuffer(4 * (2 + LINEAGE_MAX)));
    const result = await ask({ target, seed, from, to: from + inputs, lineage, growth, atWork });
    results.push(result);
    if (!json) console.log(describe(result, seed));
  }
  if (json) console.log(JSON.stringify({ seed, from, results }, null, 2));
  return results.some(({ failure }) => failure !== null) ? 1 : 0;
}

if (isMainThread) process.exitCode = await runCommand(USAGE, options, fuzz);
else answer(workerData, (word) => parentPort?.postMessage(structuredClone(word)));
