import fc from "fast-check";
import type { FaultPlan, Scenario } from "../../sim/index.js";
import { type FaultLimits, faultPlans } from "./fault-plan.js";
import { type ScenarioLimits, type ScenarioShape, scenarioOf, scenarioShapes } from "./scenario.js";

/** Everything that decides a run, and the shape it was drawn from. */
export interface Case {
  readonly shape: ScenarioShape;
  readonly scenario: Scenario;
  readonly seed: number;
  readonly plan: FaultPlan;
}

/** Whole runs: a scenario, a seed and a fault plan. A counterexample prints shape, seed and plan. */
export function cases(
  limits: { readonly scenario?: ScenarioLimits; readonly faults?: Partial<FaultLimits> } = {},
): fc.Arbitrary<Case> {
  return scenarioShapes(limits.scenario).chain((shape) => {
    const scenario = scenarioOf(shape);
    return fc
      .record({ seed: fc.nat(1_000_000), plan: faultPlans(scenario, limits.faults) })
      .map(({ seed, plan }) => ({
        shape,
        scenario,
        seed,
        plan,
        [fc.toStringMethod]: () => JSON.stringify({ shape, seed, plan }),
      }));
  });
}
