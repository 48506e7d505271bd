import {
  ableToRun,
  agentTasks,
  type CurrentUnit,
  desiredUnits,
  type MachineState,
} from "../../core/fleet/index.js";
import { asSet, compareRows, namedUnit, unitFile, type WitnessUnit } from "./fleet-witness.js";
import type { Suite } from "./suite.js";

/** What an agent can run, wants to run, and does about it. */
export const fleetAgent: Suite = {
  name: "fleet-agent",
  about: "able-to-run answers, desired units and ordered tasks, against coreos/fleet 45224983",
  run(dataDir, report) {
    compareRows<AbleCase>(dataDir, "fleet-engine/able-to-run.jsonl", report, ableCase);
    compareRows<AgentCase>(dataDir, "fleet-engine/agent.jsonl", report, agentCase);
  },
};

interface Compared {
  readonly expected: unknown;
  readonly actual: unknown;
}

interface AbleCase {
  readonly id: string;
  readonly machine: MachineState;
  readonly units: readonly WitnessUnit[];
  readonly job: WitnessUnit;
  readonly results: readonly (readonly [action: string, reason: string])[];
}

function ableCase(row: AbleCase): Compared {
  const verdict = ableToRun(namedUnit(row.job), row.machine, row.units.map(namedUnit));
  const reasons = verdict.action === "schedule" ? [""] : verdict.reasons;
  const actual = asSet(reasons.map((reason) => [verdict.action, reason]));
  return { expected: asSet(row.results), actual };
}

interface AgentCase {
  readonly id: string;
  readonly machine: MachineState;
  readonly units: readonly (WitnessUnit & { readonly machine?: string })[];
  readonly current: Readonly<Record<string, CurrentUnit>>;
  readonly desired: readonly string[];
  readonly tasks: readonly (readonly [type: string, unit: string | null, reason: string])[];
}

function agentCase(row: AgentCase): Compared {
  const units = row.units.map((unit) => ({
    ...namedUnit(unit),
    hash: unitFile(unit).hash,
    targetState: unit.target,
    machine: unit.machine ?? null,
  }));
  const desired = desiredUnits(row.machine, units);
  const tasks = agentTasks(desired, new Map(Object.entries(row.current))).map(
    ({ type, unit, reason }) => [type, unit === "" ? null : unit, reason],
  );
  return {
    expected: { desired: row.desired, tasks: row.tasks },
    actual: { desired: desired.map(({ name }) => name), tasks },
  };
}
