import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { judge, loadScenario, type Scenario, variantOf } from "./index.js";

const FOLDER = "scenarios/partial-partition";

function load(name: string): Scenario {
  const loaded = loadScenario(`${FOLDER}/${name}`);
  if (!loaded.ok) throw new Error(`${name} does not parse`);
  expect(loaded.warnings).toEqual([]);
  return loaded.value;
}

function variant(scenario: Scenario, name: string): Scenario {
  const found = variantOf(scenario, name);
  if (found === null) throw new Error(`${scenario.name} has no variant ${name}`);
  return found;
}

const topologies = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));
const SETTINGS = ["none", "pre-vote", "pre-vote-check-quorum"];

/** Seeds beside those the scenarios were written with, which were 1 to 100. */
const SEEDS = [1_001, 1_002];

// Each says what becomes of the cluster, livelocks included: one that ends is as wrong as one that begins.
test.each(topologies)(
  "%s shows what is expected of etcd 3.4's settings and of each of the others",
  (name) => {
    const scenario = load(name);
    expect(Object.keys(scenario.variants)).toEqual(SETTINGS);
    const all = [scenario, ...SETTINGS.map((settings) => variant(scenario, settings))];
    for (const each of all) {
      for (const seed of SEEDS) {
        const { broken, crash } = judge({ scenario: each, seed });
        expect({ broken, crash, seed, settings: each.safeguards }).toMatchObject({
          broken: [],
          crash: null,
        });
      }
    }
  },
  120_000,
);

// An expectation that holds under all settings tells none of them apart.
test("no setting but PreVote alone holds what it holds when the leader loses its quorum", () => {
  const scenario = load("quorum-loss.yaml");
  const deadlock = variant(scenario, "pre-vote");
  for (const settings of ["none", "pre-vote-check-quorum"]) {
    const { safeguards } = variant(scenario, settings);
    expect(judge({ scenario: { ...deadlock, safeguards }, seed: 1 }).broken).toHaveLength(3);
  }
});

test("without the cut no setting has an election in a chain", () => {
  const chain = load("chained.yaml");
  const expected = chain.expect;
  for (const settings of ["none", "pre-vote"]) {
    const scenario = { ...variant(chain, settings), expect: expected };
    const { broken } = judge({ scenario, seed: 1, plan: { faults: [] } });
    expect(broken).toEqual([expect.stringMatching(/^terms begun at least/)]);
  }
});
