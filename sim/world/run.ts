import type { Violation } from "../../core/cluster/index.js";
import type { LogRecord, Micros } from "../../core/kernel/index.js";
import type { FaultPlan } from "../faults/plan.js";
import type { Scenario } from "../scenario/scenario.js";

/** What listens to a run. Calls come in the order of the log. */
export interface RunObserver {
  /** Facts, checkpoints and the end: what a run's log stores. */
  record(record: LogRecord): void;
  /** Every stimulus as it is delivered; costs time, so only when asked for. */
  stimulus?(record: LogRecord): void;
}

export interface SimulationOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly observer?: RunObserver;
}

/** How a run ended. */
export interface RunSummary {
  readonly verdict: "held" | "violated" | "stopped";
  /** Stimuli delivered. */
  readonly events: number;
  /** True time reached. */
  readonly at: Micros;
  /** Hash of all final states: equal for equal runs. */
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly failedExpectations: number;
}
