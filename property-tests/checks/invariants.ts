import type { Violation } from "../../core/cluster/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

/** Runs to the end and returns every breach of a named invariant that the monitor saw. */
export function violationsOf(
  scenario: Scenario,
  seed: number,
  plan: FaultPlan,
): readonly Violation[] {
  const simulation = new Simulation({ scenario, seed, plan });
  simulation.advance(scenario.duration);
  return simulation.finish(false).violations;
}

/** Every named invariant holds throughout the run. */
export function holdsInvariants(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const violations = violationsOf(scenario, seed, plan);
  if (violations.length === 0) return null;
  return violations.map((v) => `${v.invariant} at ${v.at} µs: ${v.detail}`).join("; ");
}
