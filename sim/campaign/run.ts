import type { InvariantMode } from "../../core/cluster/index.js";
import type { LogHeader } from "../../core/kernel/index.js";
import { drawFaultPlan, type FaultPlan } from "../faults/index.js";
import type { Scenario } from "../scenario/index.js";
import type { Measurement } from "../world/measures.js";
import type { RunObserver, RunSummary } from "../world/run.js";
import { Simulation } from "../world/simulation.js";

/** What decides a run, to the last byte of its log. */
export interface RunOrigin {
  readonly scenario: Scenario;
  readonly seed: number;
  /** Absent: the plan the seed draws. */
  readonly plan?: FaultPlan;
  /** What the monitor looks at; absent: events. Breaches are records of the log. */
  readonly invariants?: InvariantMode;
}

/** Header of the log of a run: all that `verify` needs to do it again. */
export function runHeader(origin: RunOrigin): LogHeader {
  const { scenario, seed } = origin;
  const plan = origin.plan ?? drawFaultPlan(scenario, seed);
  const { invariants = "events" } = origin;
  const more = invariants === "events" ? {} : { invariants };
  return { orrery: 1, kind: "run", origin: { program: "run", scenario, seed, plan, ...more } };
}

/** Runs to the end, in one go. @param hashed - whether the summary has a hash */
export function runToEnd(origin: RunOrigin, observer?: RunObserver, hashed = true): RunSummary {
  const simulation = createSimulation(origin, observer);
  simulation.advance(origin.scenario.duration);
  return simulation.finish(hashed);
}

export function createSimulation(origin: RunOrigin, observer?: RunObserver): Simulation {
  const plan = origin.plan ?? drawFaultPlan(origin.scenario, origin.seed);
  return new Simulation({ ...origin, plan, ...(observer === undefined ? {} : { observer }) });
}

/** What a campaign keeps of a run. */
export interface RunVerdict {
  readonly seed: number;
  readonly failed: boolean;
  readonly events: number;
  /** Names of what was broken: invariants, then expectations in words. */
  readonly broken: readonly string[];
  /** What the expectations measured over intervals, in the order of the file. */
  readonly measured: readonly Measurement[];
  /** The search through the clients' history ended at its bound: nothing is proved of it. */
  readonly undecided: boolean;
  /** Message of a crash of ours, with its place. */
  readonly crash: string | null;
  /** Of the final states; "" if nobody asked for it. */
  readonly hash: string;
}

/**
 * Runs one seed and says what it broke. A crash of ours is a verdict, too.
 *
 * @param hashed - whether the verdict has a hash, which takes as long as a short run and only a comparison needs
 */
export function judge(origin: RunOrigin, hashed = false): RunVerdict {
  const broken: string[] = [];
  const measured: Measurement[] = [];
  let undecided = false;
  try {
    const asked = new Set(
      origin.scenario.expect.flatMap((e) =>
        e.kind === "invariant" && e.is === "violated" ? [e.name] : [],
      ),
    );
    const observer: RunObserver = {
      record(record) {
        const data = record.data as {
          invariant?: string;
          expectation?: string;
          measured?: Measurement;
          linearizable?: string;
        };
        if (record.kind === "history.checked") undecided = data.linearizable === "unknown";
        if (data.measured !== undefined) measured.push(data.measured);
        if (record.kind === "invariant.violated" && !asked.has(data.invariant ?? "")) {
          broken.push(data.invariant ?? "");
        } else if (record.kind === "expectation.failed") {
          broken.push(data.expectation ?? "");
        }
      },
    };
    const summary = runToEnd(origin, observer, hashed);
    return {
      seed: origin.seed,
      failed: summary.verdict === "violated",
      events: summary.events,
      broken: [...new Set(broken)],
      measured: measured.sort((left, right) => left.line - right.line),
      undecided,
      crash: null,
      hash: summary.hash,
    };
  } catch (error) {
    const crash = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      seed: origin.seed,
      failed: true,
      events: 0,
      broken,
      measured,
      undecided,
      crash,
      hash: "",
    };
  }
}
