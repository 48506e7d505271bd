import { z } from "zod";
import type { NodeIndex, Parsed } from "../../core/kernel/index.js";
import type { FaultPlan } from "../faults/plan.js";
import { SourceDocument } from "./document.js";
import { reportIssues } from "./issues.js";
import { Names } from "./names.js";
import { resolvePlan } from "./resolve-faults.js";
import type { Scenario } from "./scenario.js";
import { faultSchema } from "./schema-faults.js";
import { checkText } from "./text.js";

const planSchema = z.array(faultSchema).max(10_000);

/** Reads a fault plan written as a scenario's `faults: plan:` has it, in a file or a flag. */
export function parseFaultPlan(text: string, file: string, scenario: Scenario): Parsed<FaultPlan> {
  const checked = checkText(text, file);
  if (!checked.ok) return checked;
  const source = new SourceDocument(text, file);
  const values = source.values();
  if (source.problems.length > 0) return { ok: false, diagnostics: source.problems };
  const raw = planSchema.safeParse(values);
  if (!raw.success) {
    reportIssues(source, values, raw.error.issues);
    return { ok: false, diagnostics: source.problems };
  }
  const plan = resolvePlan(source, [], raw.data, namesOf(source, scenario), scenario.duration);
  if (source.problems.length > 0) return { ok: false, diagnostics: source.problems };
  return { ok: true, value: plan, warnings: [] };
}

function namesOf(source: SourceDocument, scenario: Scenario): Names {
  const services = new Map<string, NodeIndex>();
  if (scenario.discovery !== null) services.set("discovery", scenario.discovery.node);
  if (scenario.update !== null) services.set("update", scenario.update.node);
  for (const { name, node } of scenario.clients) services.set(name, node);
  return new Names(
    source,
    scenario.hosts,
    scenario.zones,
    new Set(scenario.releases.map((release) => release.version)),
    new Set(scenario.units.map((unit) => unit.name)),
    services,
  );
}
