import type { Parsed } from "../../core/kernel/index.js";
import { writeDuration } from "../scenario/quantity.js";
import { nodeName, type Scenario } from "../scenario/scenario.js";
import { type Fault, type FaultPlan, faultPlan, type Span } from "./plan.js";

/** Fault ids as a short text: `3,7,12`, runs as `3-5`, no faults as `none`. */
export function writeFaultIds(ids: readonly number[]): string {
  if (ids.length === 0) return "none";
  const sorted = [...new Set(ids)].sort((left, right) => left - right);
  const runs: string[] = [];
  let first = sorted[0] ?? 0;
  let last = first;
  const close = (): void => {
    runs.push(
      last - first > 1 ? `${first}-${last}` : first === last ? `${first}` : `${first},${last}`,
    );
  };
  for (const id of sorted.slice(1)) {
    if (id !== last + 1) {
      close();
      first = id;
    }
    last = id;
  }
  close();
  return runs.join(",");
}

const IDS_MAX = 100_000;

/** Reads what `writeFaultIds` writes. */
export function readFaultIds(text: string): Parsed<number[]> {
  const ids: number[] = [];
  if (text.trim() === "none") return { ok: true, value: ids, warnings: [] };
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,7})(?:-(\d{1,7}))?\s*$/.exec(part);
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match === null || low > high || ids.length + high - low >= IDS_MAX) {
      return refuseFlag(`"${part.slice(0, 40)}"`, "ids such as 3,7,12 or 0-4, or none");
    }
    for (let id = low; id <= high; id++) ids.push(id);
  }
  return { ok: true, value: [...new Set(ids)].sort((left, right) => left - right), warnings: [] };
}

/** The faults of a plan that have one of these ids; it is an error if the plan has no such fault. */
export function keepFaults(plan: FaultPlan, ids: readonly number[]): Parsed<FaultPlan> {
  const known = new Map(plan.faults.map((fault) => [fault.id, fault]));
  const kept: Fault[] = [];
  for (const id of ids) {
    const fault = known.get(id);
    if (fault === undefined) {
      const had = writeFaultIds([...known.keys()]);
      return refuseFlag(`fault ${id}`, `ids of the plan drawn from this seed: ${had}`);
    }
    kept.push(fault);
  }
  return { ok: true, value: faultPlan(kept), warnings: [] };
}

/**
 * The flag that brings a plan back, given what the seed draws: `--faults 3,7` when the plan is a
 * part of the drawn one, else `--fault-plan '[…]'` with the whole plan in the words of a scenario.
 * Null when the plan is the drawn one.
 */
export function faultFlag(scenario: Scenario, drawn: FaultPlan, plan: FaultPlan): string | null {
  const texts = new Set(drawn.faults.map((fault) => JSON.stringify(fault)));
  if (!plan.faults.every((fault) => texts.has(JSON.stringify(fault)))) {
    return `--fault-plan '${writeFaultPlan(scenario, plan)}'`;
  }
  if (plan.faults.length === drawn.faults.length) return null;
  return `--faults ${writeFaultIds(plan.faults.map((fault) => fault.id))}`;
}

/** A plan as a scenario's `faults: plan:` has it, in one line of YAML without quotes in it. */
export function writeFaultPlan(scenario: Scenario, plan: FaultPlan): string {
  return `[${plan.faults.map((fault) => writeFault(scenario, fault)).join(", ")}]`;
}

/** One fault in the words of a scenario: `{id: 3, at: 10m, for: 30s, kind: crash, host: core-2}`. */
export function writeFault(scenario: Scenario, fault: Fault): string {
  const fields: string[] = [
    `id: ${fault.id}`,
    `at: ${writeDuration(fault.at)}`,
    `for: ${writeDuration(fault.duration)}`,
    `kind: ${fault.kind}`,
  ];
  const names = (nodes: readonly number[]): string =>
    `[${nodes.map((node) => nodeName(scenario, node)).join(", ")}]`;
  if ("host" in fault) fields.push(`host: ${nodeName(scenario, fault.host)}`);
  if ("from" in fault) fields.push(`between: [${names(fault.from)}, ${names(fault.to)}]`);
  if ("oneWay" in fault && fault.oneWay) fields.push("one_way: true");
  switch (fault.kind) {
    case "link":
      if (fault.lossPpm > 0) fields.push(`loss: ${fault.lossPpm}ppm`);
      if (fault.duplicatePpm > 0) fields.push(`duplicate: ${fault.duplicatePpm}ppm`);
      if (fault.delay.high > 0) fields.push(`delay: ${writeSpan(fault.delay)}`);
      break;
    case "crash":
      fields.push(`lose_unsynced: ${fault.loseUnsyncedPpm}ppm`);
      if (fault.loseDisk) fields.push("lose_disk: true");
      break;
    case "kill-process":
      fields.push(`unit: ${fault.unit}`);
      break;
    case "member-change":
      if (fault.learner) fields.push("learner: true");
      break;
    case "clock-step":
      fields.push(`by: ${writeDuration(fault.by)}`);
      break;
    case "clock-drift":
      fields.push(`by: ${fault.ppm}ppm`);
      break;
    case "slow-disk":
      fields.push(`delay: ${writeSpan(fault.delay)}`);
      break;
    case "partition":
    case "pause":
    case "update-down":
    case "discovery-down":
    case "registry-down":
      break;
  }
  return `{${fields.join(", ")}}`;
}

function writeSpan(span: Span): string {
  const low = writeDuration(span.low);
  return span.low === span.high ? low : `${low}..${writeDuration(span.high)}`;
}

function refuseFlag(found: string, expected: string): Parsed<never> {
  const position = { file: "--faults", line: 1, column: 1 };
  const advice = "Copy the flag from the report of the failure, with its seed and scenario.";
  return {
    ok: false,
    diagnostics: [{ code: "E_FLAG", severity: "error", position, found, expected, advice }],
  };
}
