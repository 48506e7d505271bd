import type { z } from "zod";
import type { Diagnostic, Parsed } from "../../core/kernel/index.js";
import type { Fault, FaultPlan } from "../faults/plan.js";
import { type Action, type Scenario, serviceNodes } from "./scenario.js";
import { faultPlanJson, scenarioJson } from "./schema-json.js";

/**
 * The scenario in a log's header, checked as far as a run depends on it: shapes, ranges, and that
 * every node index is one of the scenario's. `file` is what diagnostics call the log.
 */
export function scenarioFromJson(value: unknown, file: string): Parsed<Scenario> {
  const parsed = scenarioJson.safeParse(value);
  if (!parsed.success) return refuse(file, "scenario", parsed.error.issues);
  const scenario = parsed.data;
  const problem = incoherence(scenario);
  if (problem !== null) return refuseWith(file, problem);
  return { ok: true, value: scenario, warnings: [] };
}

/** The fault plan in a log's header, for the scenario beside it. */
export function faultPlanFromJson(
  value: unknown,
  scenario: Scenario,
  file: string,
): Parsed<FaultPlan> {
  const parsed = faultPlanJson.safeParse(value);
  if (!parsed.success) return refuse(file, "faults", parsed.error.issues);
  const stray = parsed.data.faults.find((fault) => !knows(scenario, nodesOf(fault)));
  if (stray !== undefined) return refuseWith(file, `fault ${stray.id} on a node that is not there`);
  return { ok: true, value: parsed.data, warnings: [] };
}

function incoherence(scenario: Scenario): string | null {
  const { hosts, zones, clients, timeline, faults } = scenario;
  const misplaced = hosts.find((host, i) => host.index !== i || host.zone >= zones.length);
  if (misplaced !== undefined) return `host ${misplaced.name} out of its place`;
  const services = serviceNodes(scenario);
  if (services.some((node, i) => node !== hosts.length + i)) return "a service out of its place";
  const firstClient = hosts.length + services.length;
  if (clients.some(({ node }, i) => node !== firstClient + i)) return "a client out of its place";
  if (clients.some(({ members }) => members.some((host) => host >= hosts.length))) {
    return "a client of a host that is not there";
  }
  if (timeline.some((entry) => !knows(scenario, actionNodes(entry.action)))) {
    return "an action on a node that is not there";
  }
  if (faults.kind === "plan" && faults.plan.faults.some((f) => !knows(scenario, nodesOf(f)))) {
    return "a fault on a node that is not there";
  }
  if (faults.kind === "budget") {
    const targets = faults.budget.allowances.flatMap((allowance) => allowance.hosts);
    if (targets.some((host) => host >= hosts.length))
      return "a budget for a host that is not there";
  }
  return null;
}

function knows(scenario: Scenario, nodes: readonly number[]): boolean {
  const { hosts, clients } = scenario;
  const all = hosts.length + serviceNodes(scenario).length + clients.length;
  return nodes.every((node) => node < all);
}

function nodesOf(fault: Fault): readonly number[] {
  if ("host" in fault) return [fault.host];
  return "from" in fault ? [...fault.from, ...fault.to] : [];
}

function actionNodes(action: Action): readonly number[] {
  const nodes: number[] = [];
  if ("host" in action) nodes.push(action.host);
  if ("by" in action) nodes.push(action.by);
  if ("hosts" in action) nodes.push(...action.hosts);
  if ("from" in action) nodes.push(...action.from, ...action.to);
  if ("via" in action && action.via !== null) nodes.push(action.via);
  return nodes;
}

function refuse(file: string, what: string, issues: readonly z.core.$ZodIssue[]): Parsed<never> {
  const [issue] = issues;
  const place = [what, ...(issue?.path ?? []).map(String)].join(".");
  return refuseWith(file, `${place}: ${issue?.message ?? "not valid"}`);
}

function refuseWith(file: string, found: string): Parsed<never> {
  const diagnostic: Diagnostic = {
    code: "E_LOG_HEADER",
    severity: "error",
    position: { file, line: 1, column: 1 },
    found,
    expected: "a scenario as Orrery writes it into a log",
    advice: "The log was made by another version or changed by hand; run the scenario again.",
  };
  return { ok: false, diagnostics: [diagnostic] };
}
