import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { counterfactual, judge, loadScenario, type Scenario } from "./index.js";

const names = readdirSync("scenarios").filter((name) => name.endsWith(".yaml"));

function load(name: string): Scenario {
  const loaded = loadScenario(`scenarios/${name}`);
  if (!loaded.ok) throw new Error(`${name} does not parse`);
  return loaded.value;
}

test.each(names)("%s parses without a word", (name) => {
  const loaded = loadScenario(`scenarios/${name}`);
  expect(loaded.ok ? loaded.warnings : loaded.diagnostics).toEqual([]);
});

// Would have caught a script that is waited for, that runs once, or whose failure is its host's.
test("script-as-user-data.yaml shows what becomes of scripts, whatever the seed", () => {
  for (let seed = 1; seed <= 3; seed++) {
    const scenario = load("script-as-user-data.yaml");
    expect(judge({ scenario, seed })).toMatchObject({ failed: false, broken: [], crash: null });
  }
});

/** Incidents whose runs last seconds; first-light and the hunt for a bug have campaigns of their own. */
const INCIDENTS = [
  ["coreos-1838-two-reboots.yaml", 1],
  ["etcd-855-update-cascade.yaml", 2],
  ["etcd-863-replace-without-remove.yaml", 2],
] as const;

// Would have caught a safeguard that is read and never used, and one that one of two writes got past.
test.each(INCIDENTS)(
  "%s shows the incident, and its counterfactual what prevents it",
  (name, n) => {
    const scenario = load(name);
    const other = counterfactual(scenario);
    if (other === null) throw new Error(`${name} has no counterfactual`);
    for (let seed = 1; seed <= n; seed++) {
      expect(judge({ scenario, seed })).toMatchObject({ failed: false, broken: [], crash: null });
      expect(judge({ scenario: other, seed })).toMatchObject({
        failed: false,
        broken: [],
        crash: null,
      });
    }
  },
  60_000,
);

// An expectation that holds with the safeguard and without it shows nothing.
test.each(INCIDENTS)(
  "without its safeguard %s breaks its counterfactual",
  (name) => {
    const scenario = load(name);
    const other = counterfactual(scenario);
    if (other === null) throw new Error(`${name} has no counterfactual`);
    const unsafe = { ...other, safeguards: scenario.safeguards };
    expect(judge({ scenario: unsafe, seed: 1 }).broken).not.toEqual([]);
  },
  60_000,
);
