import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { counterfactual, judge, loadScenario, type Scenario, variantOf } from "./index.js";

/**
 * The classic service of docs/containers.md: each scenario shows a failure, and its counterfactual and
 * variants what cures it. The table there is over 100 seeds; here is one.
 */
const FOLDER = "scenarios/service";

const names = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

function load(name: string): Scenario {
  const loaded = loadScenario(`${FOLDER}/${name}`);
  if (!loaded.ok) throw new Error(`${name} does not parse`);
  expect(loaded.warnings).toEqual([]);
  return loaded.value;
}

/** What a run of seed 1 breaks. */
function broken(scenario: Scenario | null): readonly string[] {
  if (scenario === null) throw new Error("no such variant");
  const { broken, crash } = judge({ scenario, seed: 1 });
  return crash === null ? broken : [crash];
}

test.each(names)(
  "%s shows what it says, and so do its variants",
  (name) => {
    const scenario = load(name);
    expect(broken(scenario)).toEqual([]);
    const other = counterfactual(scenario);
    if (other !== null) expect(broken(other)).toEqual([]);
    for (const variant of Object.keys(scenario.variants)) {
      expect([variant, broken(variantOf(scenario, variant))]).toEqual([variant, []]);
    }
  },
  60_000,
);

// An expectation that holds with the cure and without it shows nothing.
test("without its cure no scenario holds what its counterfactual expects", () => {
  const uncured = names.flatMap((name) => {
    const scenario = load(name);
    const other = scenario.counterfactual;
    if (other === null) return [];
    return broken({ ...scenario, expect: other.expect, counterfactual: null }).length > 0
      ? []
      : [name];
  });
  expect(uncured).toEqual([]);
}, 120_000);
