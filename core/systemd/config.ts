import type { Micros } from "../kernel/index.js";
import type { Dependency } from "./dependency.js";
import { parseUnitName, type SpecifierContext, type UnitName } from "./names.js";
import {
  type Assignment,
  type IgnoredLine,
  type Reader,
  readStartLimit,
  Values,
} from "./reader.js";
import { readService, type ServiceConfig, zeroService } from "./service-config.js";
import { readTimer, type TimerConfig, zeroTimer } from "./timer-config.js";

/** A Condition…= or Assert…= on a path. */
export interface Condition {
  readonly path: string;
  readonly negated: boolean;
  /** With `|`: one of these suffices. */
  readonly trigger: boolean;
  readonly assert: boolean;
}

/** The settings of a unit that this model acts on. */
export interface UnitConfig {
  readonly description: string;
  readonly dependencies: readonly { readonly kind: Dependency; readonly unit: string }[];
  readonly defaultDependencies: boolean;
  readonly refuseManualStart: boolean;
  readonly refuseManualStop: boolean;
  readonly allowIsolate: boolean;
  readonly ignoreOnIsolate: boolean;
  readonly conditions: readonly Condition[];
  /** StartLimitIntervalSec / StartLimitBurst; no limit when either is 0. */
  readonly startLimitInterval: Micros;
  readonly startLimitBurst: number;
  readonly jobTimeout: Micros | null;
  readonly service: ServiceConfig | null;
  readonly timer: TimerConfig | null;
  /** ENOEXEC in systemd: the unit is loaded as `bad-setting`. "" when it is sound. */
  readonly bad: string;
  /** Directives and values that this model reads over, for a fact. */
  readonly unsupported: readonly string[];
  /** Assignments systemd ignores with a warning. */
  readonly ignored: readonly IgnoredLine[];
}

const DEPENDENCY_KEYS: Readonly<Record<string, Dependency>> = {
  Requires: "requires",
  Requisite: "requisite",
  Wants: "wants",
  BindsTo: "bindsTo",
  PartOf: "partOf",
  Conflicts: "conflicts",
  Before: "before",
  After: "after",
  OnFailure: "onFailure",
  OnSuccess: "onSuccess",
  PropagatesReloadTo: "propagatesReloadTo",
  ReloadPropagatedFrom: "reloadPropagatedFrom",
};

const PATH_CONDITIONS: Readonly<Record<string, boolean>> = {
  ConditionPathExists: false,
  ConditionFileNotEmpty: false,
  AssertPathExists: true,
  AssertFileNotEmpty: true,
};

/** What changes nothing that is modelled. */
const HARMLESS = new Set([
  "Documentation",
  "SourcePath",
  "CollectMode",
  "OnFailureJobMode",
  "JobRunningTimeoutSec",
]);

type Draft = { -readonly [Key in keyof UnitConfig]: UnitConfig[Key] };

/** The settings of a unit nothing is known of. */
export function emptyConfig(name: string): UnitConfig {
  return {
    description: name,
    dependencies: [],
    defaultDependencies: true,
    refuseManualStart: false,
    refuseManualStop: false,
    allowIsolate: false,
    ignoreOnIsolate: false,
    conditions: [],
    startLimitInterval: 10_000_000,
    startLimitBurst: 5,
    jobTimeout: null,
    service: null,
    timer: null,
    bad: "",
    unsupported: [],
    ignored: [],
  };
}

/** Reads the assignments of a unit's fragment and drop-ins, in order. */
export function readConfig(
  assignments: readonly Assignment[],
  name: UnitName,
  context: SpecifierContext,
  timeouts: { readonly start: Micros; readonly stop: Micros },
): UnitConfig {
  const reader: Reader = {
    name,
    context,
    timeoutStart: timeouts.start,
    timeoutStop: timeouts.stop,
    unsupported: [],
    ignored: [],
  };
  const values = new Values(reader);
  const draft: Draft = {
    ...emptyConfig(name.name),
    ignoreOnIsolate: name.type === "slice" || name.type === "device" || name.type === "mount",
    service: name.type === "service" ? zeroService(timeouts) : null,
    timer: name.type === "timer" ? zeroTimer(name) : null,
  };
  const own = sectionOf(name);
  const ofType: Assignment[] = [];
  for (const assignment of assignments) {
    if (assignment.section === "Unit") readUnitOption(draft, assignment, values, reader);
    else if (assignment.section === own) ofType.push(assignment);
    else if (!assignment.section.startsWith("X-") && assignment.section !== "Install") {
      reader.unsupported.push(`[${assignment.section}]`);
    }
  }
  if (draft.service !== null) {
    const read = readService(draft.service, ofType, values, reader, draft);
    draft.service = read.service;
    draft.bad = read.bad;
  } else if (draft.timer !== null) {
    draft.timer = readTimer(draft.timer, ofType, values, reader);
  }
  if (draft.service === null && draft.timer === null && name.type !== "target") {
    reader.unsupported.push(`unit type ${name.type}`);
  }
  return { ...draft, unsupported: [...new Set(reader.unsupported)], ignored: reader.ignored };
}

const sectionOf = (name: UnitName) => name.type.charAt(0).toUpperCase() + name.type.slice(1);

function readUnitOption(draft: Draft, at: Assignment, values: Values, reader: Reader): void {
  const dependency = DEPENDENCY_KEYS[at.key];
  if (dependency !== undefined) {
    readDependencies(draft, at, dependency, values);
    return;
  }
  const assert = PATH_CONDITIONS[at.key];
  if (assert !== undefined) {
    readCondition(draft, at, assert, values);
    return;
  }
  switch (at.key) {
    case "Description":
      draft.description = values.text(at);
      return;
    case "DefaultDependencies":
      draft.defaultDependencies = values.boolean(at, draft.defaultDependencies);
      return;
    case "RefuseManualStart":
      draft.refuseManualStart = values.boolean(at, draft.refuseManualStart);
      return;
    case "RefuseManualStop":
      draft.refuseManualStop = values.boolean(at, draft.refuseManualStop);
      return;
    case "AllowIsolate":
      draft.allowIsolate = values.boolean(at, draft.allowIsolate);
      return;
    case "IgnoreOnIsolate":
      draft.ignoreOnIsolate = values.boolean(at, draft.ignoreOnIsolate);
      return;
    case "JobTimeoutSec":
      draft.jobTimeout = values.span(at, draft.jobTimeout ?? 0);
      return;
    default:
      if (!readStartLimit(draft, at, values) && !HARMLESS.has(at.key) && !at.key.startsWith("X-")) {
        reader.unsupported.push(`${at.key}=`);
      }
  }
}

/** Dependencies add up; an empty assignment does not take them back. */
function readDependencies(draft: Draft, at: Assignment, kind: Dependency, values: Values): void {
  const names = values.words(at) ?? [];
  const valid = names.filter((name) => parseUnitName(name) !== null);
  if (valid.length < names.length) values.ignore(at);
  draft.dependencies = [...draft.dependencies, ...valid.map((unit) => ({ kind, unit }))];
}

function readCondition(draft: Draft, at: Assignment, assert: boolean, values: Values): void {
  if (at.value === "") {
    draft.conditions = draft.conditions.filter((condition) => condition.assert !== assert);
    return;
  }
  const match = /^(\|?)\s*(!?)\s*(\/.*)$/s.exec(values.text(at));
  if (match === null) {
    values.ignore(at);
    return;
  }
  const condition: Condition = {
    path: match[3] ?? "/",
    negated: match[2] === "!",
    trigger: match[1] === "|",
    assert,
  };
  draft.conditions = [...draft.conditions, condition];
}
