import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type Failure, fuzz, noTally, probeGrowth, type Tally } from "./run.js";
import { TARGETS, type Target } from "./targets.js";

const USAGE = `usage: npm run fuzz -- [--inputs N] [--seed S] [--target NAME,…] [--from N] [--json]
targets: ${TARGETS.map(({ name, about }) => `\n  ${name.padEnd(13)} ${about}`).join("")}`;

/** Inputs between two growth probes. */
const PROBE_EVERY = 1_000;

/** Inputs that a worker answers for at once. */
const BATCH = 500;

/** A worker that says nothing for so long hangs, ms. */
const SILENCE_MAX_MS = 120_000;

interface Options {
  readonly inputs: number;
  readonly seed: number;
  readonly from: number;
  readonly targets: readonly Target[];
  readonly json: boolean;
}

interface Job {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

type Word =
  | { readonly kind: "answered"; readonly tally: Tally; readonly next: number }
  | { readonly kind: "failed"; readonly failure: Failure; readonly tally: Tally }
  | { readonly kind: "over" };

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
      json: { type: "boolean", default: false },
    },
  });
  const names = values.target?.split(",") ?? TARGETS.map(({ name }) => name);
  const targets = names.map((name) => {
    const target = TARGETS.find((known) => known.name === name);
    if (target === undefined) throw new Error(`no target is called ${JSON.stringify(name)}`);
    return target;
  });
  const { inputs, seed, from, json } = values;
  return {
    inputs: integer("--inputs", inputs, 1),
    seed: integer("--seed", seed, 0),
    from: integer("--from", from, 0),
    targets,
    json,
  };
}

function integer(flag: string, text: string, low: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= low) return value;
  throw new Error(`${flag} takes a whole number from ${low}: ${text}`);
}

/** A thread of its own answers for a target, so that one that hangs is noticed. */
function ask(job: Job): Promise<Result> {
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 100) / 10;
  return new Promise((resolve, reject) => {
    const worker = startWorker(job);
    let tally = noTally();
    let next = job.from;
    let heard = performance.now();
    const end = (failure: Failure | null): void => {
      clearInterval(watch);
      resolve({ target: job.target, tally, seconds: seconds(), failure });
      worker.terminate();
    };
    const watch = setInterval(() => {
      if (performance.now() - heard < SILENCE_MAX_MS) return;
      const problem = `no answer for ${SILENCE_MAX_MS / 1_000} s, to one of ${BATCH} inputs or a probe of growth`;
      end({ target: job.target, number: next, problem, input: "" });
    }, 1_000);
    worker.on("message", (word: Word) => {
      heard = performance.now();
      if (word.kind === "over") return end(null);
      tally = word.tally;
      if (word.kind === "failed") return end(word.failure);
      next = word.next;
      if (process.stderr.isTTY === true) process.stderr.write(`\r${job.target} ${next}\u001b[K`);
    });
    worker.on("error", reject);
  });
}

/** A thread that runs this file through the loader that this process has. */
function startWorker(workerData: Job): Worker {
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const file = JSON.stringify(import.meta.url);
  const code = `import(${loader}).then(({ register }) => { register(); return import(${file}); });`;
  return new Worker(code, { workerData, eval: true });
}

function answer({ target: name, seed, from, to }: Job, tell: (word: Word) => void): void {
  const target = TARGETS.find((known) => known.name === name);
  if (target === undefined) throw new Error(`no target is called ${name}`);
  const corpus = target.corpus();
  const tally = noTally();
  for (let at = from; at < to; ) {
    const until = Math.min(to, at + BATCH);
    let failure = fuzz(target, corpus, seed, at, until, tally);
    if (failure === null && (until - from) % PROBE_EVERY === 0) {
      failure = probeGrowth(target, corpus, seed, until);
      tally.probes++;
    }
    if (failure !== null) {
      tell({ kind: "failed", failure, tally });
      return;
    }
    at = until;
    tell({ kind: "answered", tally, next: at });
  }
  tell({ kind: "over" });
}

function describe({ target, tally, seconds, failure }: Result, seed: number): string {
  const { inputs, characters, probes, slowestMs, slowest } = tally;
  const rate = Math.round(inputs / Math.max(seconds, 0.1));
  const line =
    `${target}: ${inputs} inputs, ${(characters / 1e6).toFixed(1)} million characters, ${probes} growth probes, ` +
    `${seconds} s (${rate}/s); slowest ${slowestMs.toFixed(0)} ms, input ${slowest}`;
  if (failure === null) return `${line}; nothing found`;
  return [
    `${line}; FAILED`,
    failure.problem,
    `input, made small: ${JSON.stringify(failure.input)}`,
    `again: npm run fuzz -- --target ${target} --seed ${seed} --from ${failure.number} --inputs 1`,
  ].join("\n");
}

async function main(): Promise<number> {
  let chosen: Options;
  try {
    chosen = options();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { targets, seed, from, inputs, json } = chosen;
  const results: Result[] = [];
  // One after the other: two at once would spoil each other's times.
  for (const { name } of targets) {
    const result = await ask({ target: name, seed, from, to: from + inputs });
    results.push(result);
    if (!json) console.log(describe(result, seed));
  }
  if (json) console.log(JSON.stringify({ seed, from, results }, null, 2));
  return results.some(({ failure }) => failure !== null) ? 1 : 0;
}

if (isMainThread) process.exitCode = await main();
else answer(workerData, (word) => parentPort?.postMessage(structuredClone(word)));
