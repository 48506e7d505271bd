import type { LogRecord } from "../../core/kernel/index.js";
import {
  createSimulation,
  type FaultPlan,
  faultPlan,
  faultPlanFromJson,
  type RunOrigin,
  runHeader,
  type Scenario,
  scenarioFromJson,
} from "../../sim/index.js";
import { type Finding, firstDifference } from "./finding.js";

/** A run as its log has it, one JSON text for each record, and the hash of all final states. */
export interface RecordedRun {
  readonly records: readonly LogRecord[];
  readonly texts: readonly string[];
  readonly hash: string;
}

/** Runs to the end in slices of `slice` µs, and keeps every record. */
export function recordRun(origin: RunOrigin, slice = origin.scenario.duration): RecordedRun {
  const records: LogRecord[] = [];
  const texts: string[] = [];
  const simulation = createSimulation(origin, {
    record(record) {
      records.push(record);
      texts.push(JSON.stringify(record));
    },
  });
  while (simulation.advance(simulation.at + slice));
  return { records, texts, hash: simulation.finish().hash };
}

/** Two runs of one origin give the same records and end in the same states. */
export function runsAlike(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const origin = { scenario, seed, plan };
  return compareRuns(recordRun(origin), recordRun(origin), "run twice, record");
}

/** A run in slices of `slice` µs is the run at once. */
export function slicesAlike(
  scenario: Scenario,
  seed: number,
  plan: FaultPlan,
  slice: number,
): Finding {
  const origin = { scenario, seed, plan };
  return compareRuns(
    recordRun(origin),
    recordRun(origin, slice),
    "run at once and in slices, record",
  );
}

/** The header of a log brings its run back, after JSON has had it. */
export function headerBringsBack(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const header = JSON.parse(JSON.stringify(runHeader({ scenario, seed, plan }))) as {
    readonly origin: { readonly scenario: unknown; readonly plan: unknown };
  };
  const again = scenarioFromJson(header.origin.scenario, "header");
  const planAgain = faultPlanFromJson(header.origin.plan, scenario, "header");
  if (!again.ok || !planAgain.ok) return "the header's scenario or plan is refused";
  const left = recordRun({ scenario, seed, plan });
  const right = recordRun({ scenario: again.value, seed, plan: planAgain.value });
  return compareRuns(left, right, "run from a value and from its header, record");
}

/**
 * Leaving a fault out leaves every record before its start as it was, numbering included: what
 * makes shrinking a plan tell something about it.
 */
export function droppingKeepsThePast(
  scenario: Scenario,
  seed: number,
  plan: FaultPlan,
  dropped: number,
): Finding {
  const fault = plan.faults[dropped];
  if (fault === undefined) return null;
  const before = ({ records, texts }: RecordedRun) =>
    texts.filter((_, i) => (records[i]?.at ?? 0) < fault.at);
  const rest = faultPlan(plan.faults.filter((other) => other !== fault));
  const left = before(recordRun({ scenario, seed, plan }));
  const right = before(recordRun({ scenario, seed, plan: rest }));
  return firstDifference(left, right, `with and without fault ${fault.id}, record`);
}

function compareRuns(left: RecordedRun, right: RecordedRun, what: string): Finding {
  const difference = firstDifference(left.texts, right.texts, what);
  if (difference !== null || left.hash === right.hash) return difference;
  return `${what}s are the same, and the final states are not`;
}
