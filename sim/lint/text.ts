import { basename } from "node:path";
import {
  CLOUD_CONFIG_MAX_CHARS,
  embeddedUnits,
  findTraps,
  validateCloudConfig,
} from "../../core/cloudconfig/index.js";
import { INVARIANTS } from "../../core/cluster/index.js";
import { parseScenario, readBeside } from "../scenario/index.js";
import { type LintCode, type LintFinding, Places } from "./finding.js";
import { type LintKind, unitOfDropIn } from "./kind.js";
import { lintUnit } from "./unit.js";

/** What is wrong with the text of a file. */
export function lintText(path: string, text: string, kind: LintKind): readonly LintFinding[] {
  switch (kind) {
    case "cloud-config":
      return lintCloudConfig(path, text);
    case "unit":
    case "fleet-unit": {
      const dropInOf = unitOfDropIn(path);
      const unit = dropInOf ?? basename(path);
      const forFleet = kind === "fleet-unit";
      return lintUnit(path, { unit, text, isDropIn: dropInOf !== null, forFleet });
    }
    case "scenario":
      return lintScenario(path, text);
  }
}

function lintCloudConfig(path: string, text: string): LintFinding[] {
  const places = new Places(path, text);
  if (text.length > CLOUD_CONFIG_MAX_CHARS) {
    const message = `more than ${CLOUD_CONFIG_MAX_CHARS} characters`;
    return [{ position: places.at(1), severity: "error", code: "E_FILE_TOO_LARGE", message }];
  }
  const { entries, failed } = validateCloudConfig(text);
  const findings: LintFinding[] = entries.map(({ line, severity, message }) => ({
    position: places.at(line),
    severity,
    code: "CLOUDINIT_VALIDATE" satisfies LintCode,
    message,
  }));
  if (failed !== null) {
    const code: LintCode = "CLOUDINIT_PANIC";
    findings.push({ position: places.at(1), severity: "error", code, message: failed });
  }
  for (const { trap, line, severity, found, advice } of findTraps(text)) {
    const code: LintCode = "ORRERY_TRAP";
    const message = `${trap}: found ${found}. ${advice}`;
    findings.push({ position: places.at(line), severity, code, message });
  }
  for (const { unit, dropIn, text: content, line } of embeddedUnits(text)) {
    const item = { unit, text: content, isDropIn: dropIn !== null, forFleet: false };
    for (const finding of lintUnit(path, item)) {
      const position = places.at(line + finding.position.line - 1);
      const name = dropIn === null ? unit : `${unit}.d/${dropIn}`;
      findings.push({ ...finding, position, message: `${name}: ${finding.message}` });
    }
  }
  return findings.sort((left, right) => left.position.line - right.position.line);
}

function lintScenario(path: string, text: string): LintFinding[] {
  const invariants = Object.keys(INVARIANTS);
  const parsed = parseScenario(text, { invariants, file: path, readFile: readBeside(path) });
  const diagnostics = parsed.ok ? parsed.warnings : parsed.diagnostics;
  return diagnostics.map(({ position, severity, code, found, expected, advice }) => ({
    position,
    severity,
    code,
    message: `found ${found}; expected ${expected}. ${advice}`,
  }));
}
