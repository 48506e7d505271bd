import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { type FleetProfile, judge, loadScenario, type Scenario, variantOf } from "../sim/index.js";

/**
 * fleet's functional tests and the bugs of its history as scenarios. A scenario of history expects
 * what should be: `faithful` breaks it, `fixed` does not. `npm run fleet-history` counts over many seeds,
 * as docs/fleet-history.md has it.
 */
const FUNCTIONAL = "scenarios/fleet/functional";
const HISTORY = "scenarios/fleet/history";

/** A seed in which fleet 1.0 shows the bug; the others show it in every seed. */
const SHOWN_IN: Readonly<Record<string, number>> = { h04: 2, h06: 2, h09: 4, h16: 2 };

function filesOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".yaml"));
}

function load(folder: string, name: string, fleetProfile: FleetProfile): Scenario {
  const loaded = loadScenario(`${folder}/${name}`);
  if (!loaded.ok) throw new Error(`${name} does not parse`);
  expect(loaded.warnings).toEqual([]);
  const { value } = loaded;
  return { ...value, safeguards: { ...value.safeguards, fleetProfile } };
}

test.each(filesOf(FUNCTIONAL))("functional: %s holds in every profile", (name) => {
  for (const profile of ["faithful", "documented", "fixed"] as const) {
    const scenario = load(FUNCTIONAL, name, profile);
    const variant = profile === "fixed" ? variantOf(scenario, "fixed") : null;
    const { broken, crash } = judge({ scenario: variant ?? scenario, seed: 1 });
    expect({ profile, broken, crash }).toEqual({ profile, broken: [], crash: null });
  }
});

test.each(filesOf(HISTORY))("history: %s shows in faithful and not in fixed", (name) => {
  const seed = SHOWN_IN[name.slice(0, 3)] ?? 1;
  expect(judge({ scenario: load(HISTORY, name, "faithful"), seed })).toMatchObject({
    failed: true,
    crash: null,
  });
  const { broken, crash } = judge({ scenario: load(HISTORY, name, "fixed"), seed });
  expect({ broken, crash }).toEqual({ broken: [], crash: null });
});
