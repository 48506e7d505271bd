import {
  hasSection,
  parseUnit,
  requirements,
  type UnitFile,
  unitContents,
  unknownRequirements,
  validateOptions,
  validateUnitName,
} from "../../core/fleet/index.js";
import { diagnoseUnit, type UnitFault } from "../../core/systemd/index.js";
import { containerTraps } from "./container.js";
import { type LintCode, type LintFinding, Places } from "./finding.js";

/** A unit file, or a drop-in of a unit. */
export interface UnitText {
  /** The unit's name, such as `web.service`. */
  readonly unit: string;
  readonly text: string;
  /** Only a part of the unit: nothing is said of what it lacks. */
  readonly isDropIn: boolean;
  /** Whether fleet is asked too, as it is anyway about a file with `[X-Fleet]`. */
  readonly forFleet: boolean;
}

/** What systemd says of a unit file, and fleet of one that is for it. */
export function lintUnit(file: string, item: UnitText): LintFinding[] {
  const places = new Places(file, item.text);
  const findings = systemdFindings(places, item);
  if (!item.isDropIn) {
    for (const { line, message } of containerTraps(item.unit, item.text)) {
      findings.push(finding(places, line, "warning", "ORRERY_CONTAINER", message));
    }
  }
  const parsed = parseUnit(item.text);
  const isFleets = item.forFleet || /^\[X-Fleet\]/m.test(item.text);
  if (!isFleets || item.isDropIn) return findings;
  const invalid = validateUnitName(item.unit);
  if (invalid !== null) findings.push(finding(places, 1, "error", "FLEET_NAME", invalid));
  if (parsed.ok) findings.push(...fleetFindings(places, item.unit, parsed.unit));
  else {
    const line = lineOfError(places, parsed.error);
    findings.push(finding(places, line, "error", "FLEET_FILE", parsed.error));
  }
  return findings.sort((left, right) => left.position.line - right.position.line);
}

function finding(
  places: Places,
  line: number,
  severity: LintFinding["severity"],
  code: LintCode,
  message: string,
): LintFinding {
  return { position: places.at(line), severity, code, message: short(message) };
}

/** A message that quotes the input must not be as long as the input. */
function short(message: string): string {
  return message.length > 400 ? `${message.slice(0, 400)}…` : message;
}

function systemdFindings(places: Places, { unit, text, isDropIn }: UnitText): LintFinding[] {
  const diagnosis = diagnoseUnit(unit, text);
  if (diagnosis === null) {
    const message = `found ${JSON.stringify(unit)}; expected the name of a unit`;
    return [finding(places, 1, "error", "SYSTEMD_LOAD", message)];
  }
  const findings = diagnosis.findings.map(({ fault, line, found }) => {
    const { code, severity, message } = FAULTS[fault];
    return finding(places, line, severity, code, `${message}: ${found}`);
  });
  if (isDropIn || diagnosis.load === "loaded") return findings;
  const reason = diagnosis.reason === "" ? "what is found in it" : diagnosis.reason;
  const what = diagnosis.load === "error" ? "the unit is not loaded" : "the unit cannot be started";
  findings.push(finding(places, 1, "error", "SYSTEMD_LOAD", `${what}: ${reason}`));
  return findings;
}

type Meaning = Pick<LintFinding, "severity" | "message"> & { readonly code: LintCode };

const FAULTS: Readonly<Record<UnitFault, Meaning>> = {
  "section-header": {
    code: "SYSTEMD_FILE",
    severity: "error",
    message: "a section header that is broken",
  },
  "outside-section": {
    code: "SYSTEMD_FILE",
    severity: "warning",
    message: "an assignment before the first section, ignored",
  },
  "no-equals": {
    code: "SYSTEMD_FILE",
    severity: "warning",
    message: "a line without =, ignored",
  },
  "no-key": {
    code: "SYSTEMD_FILE",
    severity: "warning",
    message: "nothing before the =, ignored",
  },
  nul: { code: "SYSTEMD_FILE", severity: "error", message: "a NUL character" },
  "long-line": { code: "SYSTEMD_FILE", severity: "error", message: "a line that is too long" },
  "unknown-section": {
    code: "SYSTEMD_UNKNOWN",
    severity: "warning",
    message: "a section that this type of unit does not have, ignored",
  },
  "unknown-key": {
    code: "SYSTEMD_UNKNOWN",
    severity: "warning",
    message: "a key that the section does not have, ignored",
  },
  value: {
    code: "SYSTEMD_VALUE",
    severity: "warning",
    message: "a value, or a word of it, that is not one of its kind",
  },
  removed: {
    code: "SYSTEMD_OLD",
    severity: "warning",
    message: "a directive without effect since systemd dropped it",
  },
  deprecated: { code: "SYSTEMD_OLD", severity: "warning", message: "a value advised against" },
};

function fleetFindings(places: Places, name: string, unit: UnitFile): LintFinding[] {
  const findings: LintFinding[] = [];
  const header = places.lineOf(/^\s*\[X-Fleet\]/);
  // Which of several offending pairs fleet names is up to Go's map order.
  for (const error of validateOptions(unit).slice(0, 1)) {
    findings.push(finding(places, header, "error", "FLEET_OPTIONS", error));
  }
  if (!hasSection(unit, "X-Fleet")) return findings;
  for (const error of unknownRequirements(unit)) {
    const key = /: "(.*)"$/.exec(error)?.[1] ?? "";
    findings.push(finding(places, lineOfKey(places, key), "warning", "FLEET_UNKNOWN", error));
  }
  const own = (line: number, message: string): void => {
    findings.push(finding(places, line, "warning", "ORRERY_FLEET", message));
  };
  const seen = new Map<string, number>();
  for (const option of unit.options) {
    if (option.section !== "X-Fleet") continue;
    const nth = seen.get(option.name) ?? 0;
    seen.set(option.name, nth + 1);
    const line = lineOfKey(places, option.name, nth);
    for (const message of silentLosses(option.name, valuesOf(unit, option))) own(line, message);
  }
  if (SINGLE.some((key) => (seen.get(key) ?? 0) > 1)) {
    const key = SINGLE.find((one) => (seen.get(one) ?? 0) > 1) ?? "";
    const line = lineOfKey(places, key, 1);
    own(line, `${key} is given more than once, and only the first counts`);
  }
  const globals = unitContents(unit)["X-Fleet"]?.Global ?? [];
  const last = globals.at(-1);
  if (
    last !== undefined &&
    !requirements(name, unit).global &&
    !/^(false|no|0|off|f)$/i.test(last)
  ) {
    const line = lineOfKey(places, "Global", (seen.get("Global") ?? 1) - 1);
    own(line, `Global=${last} is not taken for true; it is true, yes, 1, on or t`);
  }
  return findings;
}

const METADATA: readonly string[] = ["MachineMetadata", "X-ConditionMachineMetadata"];
const SINGLE: readonly string[] = ["MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID"];

/** The values that one line holds, as fleet parts them. */
function valuesOf(unit: UnitFile, option: UnitFile["options"][number]): readonly string[] {
  return unitContents({ ...unit, options: [option] })["X-Fleet"]?.[option.name] ?? [];
}

/** What fleet drops of a line, or demands in vain, without a word. */
function silentLosses(key: string, values: readonly string[]): string[] {
  const losses: string[] = [];
  if (values.length > 1 && values.includes("")) {
    losses.push(`two spaces between values of ${key} make an empty value`);
  }
  if (SINGLE.includes(key) && values[0] === "") {
    losses.push(`an empty ${key} is a demand that no machine meets`);
  }
  if (METADATA.includes(key)) {
    for (const value of values) {
      const parts = value.split("=");
      if (value === "" || (parts.length === 2 && parts[0] !== "" && parts[1] !== "")) continue;
      losses.push(
        `${key}: ${value} is not one KEY=VALUE and is dropped; write "a=b" "c=d" with one space between`,
      );
    }
  }
  return losses;
}

function lineOfKey(places: Places, key: string, nth = 0): number {
  const name = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return places.lineOf(new RegExp(`^\\s*${name}\\s*=`), nth);
}

/**
 * The line at which the parser gives up, which it does not say: that with which the file up to
 * there fails as the whole does.
 */
function lineOfError(places: Places, error: string): number {
  const fails = (count: number): boolean => {
    const parsed = parseUnit(places.first(count));
    return !parsed.ok && parsed.error === error;
  };
  let good = 0;
  let bad = places.count;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (fails(middle)) bad = middle;
    else good = middle;
  }
  return bad;
}
