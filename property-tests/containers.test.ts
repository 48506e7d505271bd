import { expect, test } from "vitest";
import { faultPlan, loadScenario, type Scenario } from "../sim/index.js";
import { runnersAgree } from "./checks/hosts-again.js";
import { headerBringsBack, runsAlike } from "./checks/replay.js";
import { PATIENCE_MS } from "./testing/runs.js";

/** Drawn clusters run no containers; these scenarios do, and keep the same promises. */
const NAMES = ["docker-restart", "registry-outage"];

function load(name: string): Scenario {
  const loaded = loadScenario(`scenarios/service/${name}.yaml`);
  if (!loaded.ok) throw new Error(`${name} does not parse`);
  return loaded.value;
}

function planOf({ faults }: Scenario) {
  return faults.kind === "plan" ? faults.plan : faultPlan([]);
}

test.each(NAMES)(
  "%s runs alike twice, from its log's header too, and in place as under immer (an engine's state that is shared)",
  (name) => {
    const scenario = load(name);
    const plan = planOf(scenario);
    expect(runsAlike(scenario, 3, plan)).toBeNull();
    expect(headerBringsBack(scenario, 3, plan)).toBeNull();
    expect(runnersAgree(scenario, 3, plan)).toBeNull();
  },
  PATIENCE_MS,
);
