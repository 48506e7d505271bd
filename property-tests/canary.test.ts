import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  drawFaultPlan,
  judge,
  loadScenario,
  type Scenario,
  shrinkFaultPlan,
} from "../sim/index.js";
import { holdsInvariants, violationsOf } from "./checks/invariants.js";
import { PATIENCE_MS, runs } from "./testing/runs.js";

const SEEDS_MAX = 300;
const FAULTS_LEFT_MAX = 5;

function voteTwice(bugs: Scenario["bugs"]): Scenario {
  const path = fileURLToPath(new URL("../scenarios/vote-twice.yaml", import.meta.url));
  const parsed = loadScenario(path);
  if (!parsed.ok) throw new Error(parsed.diagnostics.map((d) => d.found).join("; "));
  return { ...parsed.value, bugs };
}

function firstFailure(scenario: Scenario): number | null {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    if (judge({ scenario, seed }).broken.includes("raft-election-safety")) return seed;
  }
  return null;
}

test(
  "a member that answers a vote before it is on disk is caught within 300 seeds, and at most 5 faults show it",
  async () => {
    const buggy = voteTwice(["raft-vote-not-persisted"]);
    const seed = firstFailure(buggy);
    expect(seed).not.toBeNull();
    if (seed === null) return;
    const twoLeaders = (scenario: Scenario, plan: Parameters<typeof violationsOf>[2]) =>
      violationsOf(scenario, seed, plan).some((v) => v.invariant === "raft-election-safety");
    const shrunk = await shrinkFaultPlan(
      drawFaultPlan(buggy, seed),
      async (plan) => twoLeaders(buggy, plan),
      { runsMax: 400 },
    );
    expect(twoLeaders(buggy, shrunk.plan)).toBe(true);
    expect(shrunk.plan.faults.length).toBeGreaterThan(0);
    expect(shrunk.plan.faults.length).toBeLessThanOrEqual(FAULTS_LEFT_MAX);
    expect(holdsInvariants(voteTwice([]), seed, shrunk.plan)).toBeNull();
  },
  PATIENCE_MS,
);

test(
  "without the bug the same seeds hold (a scenario that fails by itself would prove nothing)",
  () => {
    const sound = voteTwice([]);
    const failed: number[] = [];
    for (let seed = 1; seed <= runs(50); seed++) {
      if (judge({ scenario: sound, seed }).failed) failed.push(seed);
    }
    expect(failed).toEqual([]);
  },
  PATIENCE_MS,
);
