import { InvalidArgumentError, Option } from "commander";
import { INVARIANTS, type InvariantMode } from "../../core/cluster/index.js";
import { type Diagnostic, formatDiagnostic, type Parsed } from "../../core/kernel/index.js";
import {
  BUGS,
  counterfactual,
  drawFaultPlan,
  type FaultPlan,
  keepFaults,
  loadScenario,
  NO_FAULTS,
  parseFaultPlan,
  readDuration,
  readFaultIds,
  SAFEGUARDS,
  type Safeguards,
  type Scenario,
  variantOf,
} from "../../sim/index.js";
import { EXIT } from "./exit.js";

export { EXIT };

/** Prints what is wrong and ends the program: bad input. */
export function refuse(diagnostics: readonly Diagnostic[]): never {
  for (const diagnostic of diagnostics) console.error(formatDiagnostic(diagnostic));
  process.exit(EXIT.badInput);
}

/** The value, or the end of the program with what is wrong. Warnings are printed. */
export function accept<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) refuse(parsed.diagnostics);
  for (const warning of parsed.warnings) console.error(formatDiagnostic(warning));
  return parsed.value;
}

/** A whole number flag with bounds. */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

/** Seeds leave room for the host streams that are derived from them. */
export const SEED_MAX = 2 ** 40;

export interface ScenarioFlags {
  readonly safeguard?: readonly string[];
  readonly bug?: readonly string[];
  readonly counterfactual?: true;
  readonly variant?: string;
}

/** Reads a scenario file and switches on what the flags say. */
export function openScenario(path: string, flags: ScenarioFlags): Scenario {
  const file = accept(loadScenario(path, { invariants: Object.keys(INVARIANTS) }));
  const scenario = chosen(file, flags);
  const bugs = (flags.bug ?? []).map((name) => known(BUGS, "--bug", name));
  let { safeguards } = scenario;
  for (const text of flags.safeguard ?? []) safeguards = switched(safeguards, text);
  return { ...scenario, safeguards, bugs: [...new Set([...scenario.bugs, ...bugs])].sort() };
}

/** The scenario itself, its counterfactual, or one of its variants. */
function chosen(scenario: Scenario, { counterfactual: other, variant }: ScenarioFlags): Scenario {
  if (variant !== undefined) {
    if (other === true) {
      badFlag("--variant", "--counterfactual as well", "one of the two", []);
    }
    const names = Object.keys(scenario.variants);
    const expected = names.length === 0 ? "a scenario that has variants" : "one of those below";
    return variantOf(scenario, variant) ?? badFlag("--variant", variant, expected, names);
  }
  if (other !== true) return scenario;
  const expected = "a scenario that has a counterfactual";
  return counterfactual(scenario) ?? badFlag("--counterfactual", scenario.name, expected, []);
}

/** `reboot_health_gate`, `max_reboots=2`, `fleet_profile=fixed`. */
function switched(safeguards: Safeguards, text: string): Safeguards {
  const [name = "", value] = text.split("=", 2);
  switch (known(SAFEGUARDS, "--safeguard", name)) {
    case "fleet_profile":
      if (value !== "faithful" && value !== "documented" && value !== "fixed") {
        badFlag("--safeguard", text, "a profile", ["faithful", "documented", "fixed"]);
      }
      return { ...safeguards, fleetProfile: value };
    case "max_reboots": {
      const max = Number(value);
      if (!Number.isInteger(max) || max < 1 || max > 1000) {
        badFlag("--safeguard", text, "max_reboots=N with N from 1 to 1000", []);
      }
      return { ...safeguards, maxReboots: max };
    }
    case "agent_ttl": {
      const ttl = readDuration(value ?? "");
      if (ttl === null || ttl <= 0) badFlag("--safeguard", text, "agent_ttl=5m", []);
      return { ...safeguards, agentTtl: ttl };
    }
    case "reboot_health_gate":
      return { ...safeguards, rebootHealthGate: onOff(text, value) };
    case "quorum_gate":
      return { ...safeguards, quorumGate: onOff(text, value) };
    case "mark_good_gate":
      return { ...safeguards, markGoodGate: onOff(text, value) };
    case "remove_before_add":
      return { ...safeguards, removeBeforeAdd: onOff(text, value) };
    case "pre_vote":
      return { ...safeguards, preVote: onOff(text, value) };
    case "check_quorum":
      return { ...safeguards, checkQuorum: onOff(text, value) };
  }
}

function onOff(text: string, value: string | undefined): boolean {
  if (value === undefined || value === "on" || value === "true") return true;
  if (value === "off" || value === "false") return false;
  badFlag("--safeguard", text, "on or off", []);
}

function known<Name extends string>(
  catalogue: Readonly<Record<Name, string>>,
  flag: string,
  name: string,
): Name {
  const names = Object.keys(catalogue) as Name[];
  const found = names.find((candidate) => candidate === name);
  return found ?? badFlag(flag, name, "one of those below", names);
}

function badFlag(flag: string, found: string, expected: string, names: readonly string[]): never {
  const advice = names.length === 0 ? "See --help." : `There are: ${names.join(", ")}.`;
  const position = { file: flag, line: 1, column: 1 };
  refuse([{ code: "E_FLAG", severity: "error", position, found: `"${found}"`, expected, advice }]);
}

export interface PlanFlags {
  readonly faults?: string;
  readonly faultPlan?: string;
}

/** The fault plan a run has: the seed's, a part of it, or another one. */
export function choosePlan(scenario: Scenario, seed: number, flags: PlanFlags): FaultPlan {
  if (flags.faultPlan !== undefined) {
    return accept(parseFaultPlan(flags.faultPlan, "--fault-plan", scenario));
  }
  const drawn = drawFaultPlan(scenario, seed);
  if (flags.faults === undefined) return drawn;
  if (flags.faults === "none") return NO_FAULTS;
  return accept(keepFaults(drawn, accept(readFaultIds(flags.faults))));
}

/** How much a run's monitor looks at. */
export const INVARIANT_MODES: readonly InvariantMode[] = ["events", "every-step"];

/** The option `--invariants`. */
export function invariantsOption(): Option {
  return new Option(
    "--invariants <when>",
    "look at raft's whole specification at events only, or after every step",
  )
    .choices(INVARIANT_MODES)
    .default("events");
}

/** Collects a flag that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(",").filter((part) => part !== "")];
}
