import { parseCalendar } from "./calendar.js";
import { parseCommands } from "./command.js";
import { readConfig } from "./config.js";
import { directivesOf, sectionsOf, type ValueKind } from "./directives.js";
import { EMERGENCY_ACTIONS } from "./emergency.js";
import { KILL_MODES } from "./kill-config.js";
import { expandSpecifiers, parseUnitName, type SpecifierContext, type UnitName } from "./names.js";
import {
  NOTIFY_ACCESS,
  RESTARTS,
  readStatus,
  SERVICE_TYPES,
  TIMEOUT_FAILURE_MODES,
} from "./service-config.js";
import { parseUnitFile, show, type UnitFileFault, type UnitOption } from "./unitfile.js";
import { parseBoolean, parseSignal, parseSpan, splitWords } from "./value.js";

/** What is wrong with a line: its form, or what it says. */
export type UnitFault =
  | UnitFileFault
  | "unknown-section"
  | "unknown-key"
  /** The value is not one of its kind: the assignment is ignored, or it costs the unit. */
  | "value"
  /** The directive has no effect any more. */
  | "removed"
  /** The value is taken, and advised against. */
  | "deprecated";

/** One complaint of systemd's about a unit file. */
export interface UnitFinding {
  readonly fault: UnitFault;
  /** Where what is complained about begins, and where it ends: the line that systemd names. */
  readonly line: number;
  readonly endLine: number;
  readonly found: string;
}

/** What systemd makes of a unit file, by itself: without drop-ins, other units and the filesystem. */
export interface UnitDiagnosis {
  /** `bad-setting`: loaded, but it cannot be started; `error`: not even loaded. */
  readonly load: "loaded" | "bad-setting" | "error";
  /** Why it cannot be started; "" when it can, or when a finding says it. */
  readonly reason: string;
  /** In the order of the file. */
  readonly findings: readonly UnitFinding[];
}

/**
 * Diagnoses a unit file as `systemd-analyze verify` of systemd 252 does, line by line. Directives of
 * which only the name is known (`other` in directives.ts) are not looked into.
 *
 * @returns null when `file` is not the name of a unit
 */
export function diagnoseUnit(file: string, text: string): UnitDiagnosis | null {
  const parsed = parseUnitName(file);
  if (parsed === null) return null;
  const name = parsed.instance === "" ? instanceOf(parsed) : parsed;
  const unit = parseUnitFile(text, file);
  const sections = sectionsOf(name.type);
  const known = (section: string | null) => section === null || sections.includes(section);
  const findings: UnitFinding[] = [];
  for (const { fault, position, endLine, found, section } of unit.diagnostics) {
    if (fault === "section-header" || known(section)) {
      findings.push({ fault, line: position.line, endLine, found });
    }
  }
  for (const { name: section, line } of unit.sections) {
    if (known(section) || section.startsWith("X-")) continue;
    findings.push({ fault: "unknown-section", line, endLine: line, found: `[${section}]` });
  }
  const checker = new Checker(name, findings);
  for (const option of unit.options) {
    if (sections.includes(option.section)) checker.check(option);
  }
  findings.sort((left, right) => left.endLine - right.endLine);
  const { fatal } = checker;
  if (fatal !== null) {
    // The rest of the file is not read.
    const read = findings.filter(({ endLine }) => endLine <= fatal);
    return { load: "bad-setting", reason: "", findings: read };
  }
  if (unit.refused) return { load: "error", reason: "", findings };
  const assignments = unit.options.map((option) => ({ ...option, file }));
  const { bad } = readConfig(assignments, name, CONTEXT, { start: 0, stop: 0 });
  return { load: bad === "" ? "loaded" : "bad-setting", reason: bad, findings };
}

/** What specifiers stand for does not matter here. */
const CONTEXT: SpecifierContext = { hostname: "host", machineId: "0", bootId: "0" };

/** A template is looked at as an instance of it would be. */
function instanceOf(name: UnitName): UnitName {
  return { ...name, name: `${name.prefix}@i.${name.type}`, instance: "i" };
}

class Checker {
  readonly #name: UnitName;
  readonly #findings: UnitFinding[];
  #triggers = 0;
  /** The line that makes systemd stop reading; null: none does. */
  fatal: number | null = null;

  constructor(name: UnitName, findings: UnitFinding[]) {
    this.#name = name;
    this.#findings = findings;
  }

  check(option: UnitOption): void {
    const kind = directivesOf(option.section).get(option.key);
    if (kind === undefined) {
      if (!option.key.startsWith("X-")) this.#complain("unknown-key", option);
      return;
    }
    switch (kind) {
      case "removed":
        this.#complain("removed", option);
        return;
      case "command":
        this.#checkCommand(option);
        return;
      case "units":
      case "statuses":
      case "environment":
        for (const word of this.#badWords(kind, option.value)) {
          this.#complain("value", { ...option, value: word });
        }
        return;
      case "killMode":
        if (option.value === "none") this.#complain("deprecated", option);
        break;
      case "calendar":
        if (option.value !== "" && parseCalendar(this.#expanded(option.value)) === null) {
          this.#complain("value", option);
        }
        return;
      case "trigger":
        this.#triggers++;
        if (this.#triggers > 1 || !this.#isOther(option.value)) this.#complain("value", option);
        return;
      default:
    }
    if (!isGood(kind, option.value)) this.#complain("value", option);
  }

  #checkCommand(option: UnitOption): void {
    const { complaints, refused } = parseCommands(option.value, this.#name, CONTEXT);
    for (const _ of complaints) this.#complain("value", option);
    if (refused && this.fatal === null) this.fatal = option.endLine;
  }

  /** The words of a list that are passed over; a list with an open quote counts as one. */
  #badWords(kind: "units" | "statuses" | "environment", value: string): readonly string[] {
    if (value === "") return [];
    const words = kind === "environment" ? splitWords(value) : plainWords(value);
    if (words === null) return [value];
    if (kind === "units") return words.filter((word) => this.#unitIn(word) === null);
    if (kind === "statuses") return words.filter((word) => readStatus(word) === null);
    return words.filter((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
  }

  #isOther(value: string): boolean {
    const unit = this.#unitIn(value);
    return unit !== null && unit.name !== this.#name.name;
  }

  /** The unit that a word names once its specifiers are put in; null when that is no name. */
  #unitIn(word: string): UnitName | null {
    return parseUnitName(this.#expanded(word));
  }

  #expanded(text: string): string {
    return expandSpecifiers(text, this.#name, CONTEXT);
  }

  #complain(fault: UnitFault, { key, value, line, endLine }: UnitOption): void {
    this.#findings.push({ fault, line, endLine, found: `${key}=${show(value)}` });
  }
}

/** Words parted by blanks, in which quotes and backslashes mean nothing. */
const plainWords = (value: string): string[] =>
  value.split(/[ \t\n\r]+/).filter((word) => word !== "");

const JOB_MODES = [
  "fail",
  "replace",
  "replace-irreversibly",
  "isolate",
  "flush",
  "ignore-dependencies",
  "ignore-requirements",
  "triggering",
];

const ENUMERATIONS: Readonly<Partial<Record<ValueKind, readonly string[]>>> = {
  serviceType: SERVICE_TYPES,
  restart: RESTARTS,
  notifyAccess: NOTIFY_ACCESS,
  killMode: ["", ...KILL_MODES],
  timeoutFailureMode: TIMEOUT_FAILURE_MODES,
  jobMode: JOB_MODES,
  collectMode: ["inactive", "inactive-or-failed"],
  exitType: ["main", "cgroup"],
  emergencyAction: EMERGENCY_ACTIONS,
};

/** Whether a value is one of its kind. */
function isGood(kind: ValueKind, value: string): boolean {
  switch (kind) {
    case "boolean":
      return parseBoolean(value) !== null;
    case "span":
      return parseSpan(value) !== null;
    case "timer":
      return value === "" || parseSpan(value) !== null;
    case "count":
      return /^(?:[0-9]+|0[xX][0-9a-fA-F]+)$/.test(value) && Number(value) < 2 ** 32;
    case "mode":
      return /^[0-7]+$/.test(value) && Number.parseInt(value, 8) <= 0o7777;
    case "path":
    case "pathSpec":
      return value === "" || isAbsolute(value);
    case "conditionPath":
      return value === "" || isAbsolute(value.replace(/^\|?!?/, ""));
    case "environmentFile":
      return value === "" || isAbsolute(value.replace(/^-/, ""));
    case "signal":
      return parseSignal(value) !== null;
    case "socketService":
      return parseUnitName(value)?.type === "service";
    default:
      return ENUMERATIONS[kind]?.includes(value) ?? true;
  }
}

/** An absolute path, or one that a specifier makes so. */
const isAbsolute = (value: string): boolean =>
  value.startsWith("/") || /^%[tSCLETVhds]/.test(value);
