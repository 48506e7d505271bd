import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { InvariantMode } from "../../core/cluster/index.js";
import {
  drawFaultPlan,
  type FaultPlan,
  faultFlag,
  type Shrunk,
  shrinkFaultPlan,
} from "../faults/index.js";
import type { Scenario } from "../scenario/index.js";
import type { Measurement } from "../world/measures.js";
import type { RunVerdict } from "./run.js";

export interface CampaignOptions {
  readonly scenario: Scenario;
  /** First seed. */
  readonly from: number;
  /** Consecutive seeds to run. */
  readonly seeds: number;
  /** What the monitor of each run looks at; default: events. */
  readonly invariants?: InvariantMode;
  /** Worker threads; default: one per core. */
  readonly workers?: number;
  /** Go on after a failure, to count how often it happens. */
  readonly keepGoing?: boolean;
  /** Most runs to spend on shrinking. */
  readonly shrinkRunsMax?: number;
  readonly onVerdict?: (verdict: RunVerdict, done: number) => void;
  readonly onSmaller?: (plan: FaultPlan, runs: number) => void;
  readonly signal?: AbortSignal;
}

export interface Failure {
  readonly verdict: RunVerdict;
  readonly drawn: FaultPlan;
  readonly shrunk: Shrunk;
  /** Flags that bring the shrunk run back: `--seed 3 --faults 1,4`. */
  readonly flags: string;
}

/** What all runs measured for one expectation: terms, parts per million, or µs. */
export interface MeasureSummary {
  readonly line: number;
  readonly kind: Measurement["kind"];
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export interface CampaignResult {
  readonly runs: number;
  readonly events: number;
  /** What the runs measured, by expectation, in the order of the file. */
  readonly measures: readonly MeasureSummary[];
  /** Seeds that failed, ascending; the first only unless told to go on. */
  readonly failedSeeds: readonly number[];
  /** Seeds whose clients' histories were too hard to decide, ascending. */
  readonly undecidedSeeds: readonly number[];
  /** The failure with the lowest seed, made small. */
  readonly failure: Failure | null;
}

/**
 * Runs many seeds over worker threads and makes the first failure small. Verdicts do not depend
 * on the number of workers: each run is a function of scenario, seed and plan, and the failure
 * that is shrunk is the one of the lowest seed.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { scenario, from, seeds, invariants = "events" } = options;
  const workers = Math.min(options.workers ?? availableParallelism(), seeds);
  const pool = new Pool({ scenario, invariants }, workers);
  const failed: RunVerdict[] = [];
  const measured: Measurement[] = [];
  const undecidedSeeds: number[] = [];
  let runs = 0;
  let events = 0;
  let next = from;
  try {
    const lane = async (): Promise<void> => {
      while (next < from + seeds && options.signal?.aborted !== true) {
        if (failed.length > 0 && options.keepGoing !== true) return;
        const verdict = await pool.run(next++, null);
        runs++;
        events += verdict.events;
        measured.push(...verdict.measured);
        if (verdict.failed) failed.push(verdict);
        if (verdict.undecided) undecidedSeeds.push(verdict.seed);
        options.onVerdict?.(verdict, runs);
      }
    };
    await Promise.all(Array.from({ length: pool.size }, lane));
    failed.sort((left, right) => left.seed - right.seed);
    const first = failed[0];
    const failure = first === undefined ? null : await shrink(options, pool, first);
    const failedSeeds = failed.map((verdict) => verdict.seed);
    undecidedSeeds.sort((left, right) => left - right);
    const measures = summarize(measured);
    return { runs, events, measures, failedSeeds, undecidedSeeds, failure };
  } finally {
    await pool.close();
  }
}

function summarize(measured: readonly Measurement[]): MeasureSummary[] {
  const lines = [...new Set(measured.map(({ line }) => line))].sort((a, b) => a - b);
  return lines.flatMap((line): MeasureSummary[] => {
    const of = measured.filter((each) => each.line === line);
    const values = of.map(({ value }) => value).sort((a, b) => a - b);
    const [first] = of;
    const [least] = values;
    const median = values[Math.floor((values.length - 1) / 2)];
    const most = values.at(-1);
    if (first === undefined || least === undefined) return [];
    return [{ line, kind: first.kind, least, median: median ?? least, most: most ?? least }];
  });
}

async function shrink(options: CampaignOptions, pool: Pool, verdict: RunVerdict): Promise<Failure> {
  const { scenario } = options;
  const drawn = drawFaultPlan(scenario, verdict.seed);
  const { onSmaller } = options;
  const shrunk = await shrinkFaultPlan(
    drawn,
    async (plan) => sameFailure(await pool.run(verdict.seed, plan), verdict),
    {
      runsMax: options.shrinkRunsMax ?? 400,
      ...(onSmaller === undefined ? {} : { onSmaller }),
    },
  );
  const faults = faultFlag(scenario, drawn, shrunk.plan);
  const flags = [`--seed ${verdict.seed}`, ...(faults === null ? [] : [faults])].join(" ");
  return { verdict, drawn, shrunk, flags };
}

/** A smaller plan counts only if it breaks something the first one broke. */
function sameFailure(candidate: RunVerdict, original: RunVerdict): boolean {
  if (original.crash !== null) return candidate.crash !== null;
  return candidate.broken.some((name) => original.broken.includes(name));
}

/** What all runs of a campaign share. */
export interface WorkerTask {
  readonly scenario: Scenario;
  readonly invariants: InvariantMode;
}

/** Worker threads, each with one run at a time. */
class Pool {
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor(task: WorkerTask, size: number) {
    for (let i = 0; i < Math.max(size, 1); i++) {
      const worker = startWorker(task);
      this.#all.push(worker);
      this.#idle.push(worker);
    }
  }

  get size(): number {
    return this.#all.length;
  }

  async run(seed: number, plan: FaultPlan | null): Promise<RunVerdict> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((r) => this.#waiting.push(r)));
    try {
      return await new Promise<RunVerdict>((resolve, reject) => {
        worker.once("message", (verdict: RunVerdict) => {
          worker.off("error", reject);
          resolve(verdict);
        });
        worker.once("error", reject);
        worker.postMessage({ seed, plan });
      });
    } finally {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#idle.push(worker);
      else waiting(worker);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}

/** Starts a worker from the built file, or, run from source, through the loader this process has. */
function startWorker(workerData: WorkerTask): Worker {
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("./worker.js", import.meta.url), { workerData });
  }
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const file = JSON.stringify(new URL("./worker.ts", import.meta.url).href);
  const code = `import(${loader}).then(({ register }) => { register(); return import(${file}); });`;
  return new Worker(code, { workerData, eval: true });
}
