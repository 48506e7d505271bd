import type { Micros } from "../kernel/index.js";
import type { JobMode } from "./client.js";
import { CONDITION_KINDS, type Condition } from "./condition-config.js";
import type { Dependency } from "./dependency.js";
import { type EmergencyActions, readAction } from "./emergency.js";
import { type MountConfig, readMount, zeroMount } from "./mount-config.js";
import { parseUnitName, type SpecifierContext, type UnitName, type UnitType } from "./names.js";
import { type PathConfig, readPath, zeroPath } from "./path-config.js";
import {
  type Assignment,
  type IgnoredLine,
  type Reader,
  readStartLimit,
  Values,
} from "./reader.js";
import { readService, type ServiceConfig, zeroService } from "./service-config.js";
import { readSocket, type SocketConfig, zeroSocket } from "./socket-config.js";
import { readTimer, type TimerConfig, zeroTimer } from "./timer-config.js";
import { FOREVER } from "./value.js";

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
  readonly stopWhenUnneeded: boolean;
  readonly onFailureJobMode: JobMode;
  readonly onSuccessJobMode: JobMode;
  /** JobTimeoutSec= and JobRunningTimeoutSec=; FOREVER: none. */
  readonly jobTimeout: Micros;
  readonly jobRunningTimeout: Micros;
  /** What is done to the host when; absent: nothing. */
  readonly actions?: EmergencyActions;
  readonly service: ServiceConfig | null;
  readonly timer: TimerConfig | null;
  readonly path: PathConfig | null;
  readonly socket: SocketConfig | null;
  readonly mount: MountConfig | null;
  /** ENOEXEC in systemd: the unit is loaded as `bad-setting`. "" when it is sound. */
  readonly bad: string;
  /** Directives and values that this model reads over, for a fact. */
  readonly unsupported: readonly string[];
  /** Assignments systemd ignores with a warning. */
  readonly ignored: readonly IgnoredLine[];
}

const DEPENDENCY_KEYS: ReadonlyMap<string, Dependency> = new Map<string, Dependency>(
  Object.entries({
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
    PropagateReloadTo: "propagatesReloadTo",
    PropagateReloadFrom: "reloadPropagatedFrom",
    PropagatesStopTo: "propagatesStopTo",
    StopPropagatedFrom: "stopPropagatedFrom",
    Upholds: "upholds",
  } as const),
);

/** What changes nothing that is modelled. */
const HARMLESS = new Set([
  "Documentation",
  "SourcePath",
  "CollectMode",
  "JoinsNamespaceOf",
  "RequiresMountsFor",
]);

const JOB_MODES = [
  "replace",
  "replace-irreversibly",
  "fail",
  "isolate",
  "flush",
  "ignore-dependencies",
  "ignore-requirements",
  "triggering",
] as const satisfies readonly JobMode[];

/** A configuration that is still read: its lists grow in place, however many lines add to them. */
type Draft = {
  -readonly [Key in keyof UnitConfig]: UnitConfig[Key] extends readonly (infer Item)[]
    ? Item[]
    : UnitConfig[Key];
};

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
    stopWhenUnneeded: false,
    onFailureJobMode: "replace",
    onSuccessJobMode: "fail",
    jobTimeout: FOREVER,
    jobRunningTimeout: FOREVER,
    service: null,
    timer: null,
    path: null,
    socket: null,
    mount: null,
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
    dependencies: [],
    conditions: [],
    unsupported: [],
    ignored: [],
    ignoreOnIsolate: IGNORED_ON_ISOLATE.has(name.type),
    service: name.type === "service" ? zeroService(timeouts) : null,
    timer: name.type === "timer" ? zeroTimer(name) : null,
    path: name.type === "path" ? zeroPath(name) : null,
    socket: name.type === "socket" ? zeroSocket(name, timeouts.start) : null,
    mount: name.type === "mount" ? zeroMount(name, timeouts.start) : null,
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
  readOwn(draft, ofType, values, reader);
  if (draft.jobRunningTimeout === FOREVER) draft.jobRunningTimeout = draft.jobTimeout;
  return { ...draft, unsupported: [...new Set(reader.unsupported)], ignored: reader.ignored };
}

const IGNORED_ON_ISOLATE: ReadonlySet<UnitType> = new Set<UnitType>([
  "automount",
  "device",
  "mount",
  "scope",
  "slice",
  "swap",
]);

/** Reads the section of the unit's type, and says in `bad` what systemd refuses about it. */
function readOwn(
  draft: Draft,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): void {
  if (draft.service !== null) {
    const read = readService(draft.service, assignments, values, reader, draft);
    draft.service = read.service;
    draft.bad = read.bad;
  } else if (draft.timer !== null) {
    const read = readTimer(draft.timer, assignments, values, reader);
    draft.timer = read.timer;
    draft.bad = read.bad;
  } else if (draft.path !== null) {
    const read = readPath(draft.path, assignments, values, reader);
    draft.path = read.path;
    draft.bad = read.bad;
  } else if (draft.socket !== null) {
    const read = readSocket(draft.socket, assignments, values, reader);
    draft.socket = read.socket;
    draft.bad = read.bad;
  } else if (draft.mount !== null) {
    const read = readMount(draft.mount, assignments, values, reader);
    draft.mount = read.mount;
    draft.bad = read.bad;
  } else if (reader.name.type !== "target" && reader.name.type !== "slice") {
    reader.unsupported.push(`unit type ${reader.name.type}`);
  }
}

const sectionOf = (name: UnitName) => name.type.charAt(0).toUpperCase() + name.type.slice(1);

function readUnitOption(draft: Draft, at: Assignment, values: Values, reader: Reader): void {
  const dependency = DEPENDENCY_KEYS.get(at.key);
  if (dependency !== undefined) {
    readDependencies(draft, at, dependency, values);
    return;
  }
  const condition = /^(Condition|Assert)(.*)$/.exec(at.key);
  const kind = CONDITION_KINDS.find((candidate) => candidate === condition?.[2]);
  if (kind !== undefined) {
    readCondition(draft, at, kind, condition?.[1] === "Assert", values);
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
    case "StopWhenUnneeded":
      draft.stopWhenUnneeded = values.boolean(at, draft.stopWhenUnneeded);
      return;
    case "OnFailureJobMode":
      draft.onFailureJobMode = values.oneOf(at, JOB_MODES, draft.onFailureJobMode);
      return;
    case "OnSuccessJobMode":
      draft.onSuccessJobMode = values.oneOf(at, JOB_MODES, draft.onSuccessJobMode);
      return;
    case "JobTimeoutSec":
      draft.jobTimeout = values.limit(at, draft.jobTimeout);
      return;
    case "JobRunningTimeoutSec":
      draft.jobRunningTimeout = values.limit(at, draft.jobRunningTimeout);
      return;
    default:
      if (readStartLimit(draft, at, values) || readAction(draft, at, values)) return;
      if (!HARMLESS.has(at.key) && !at.key.startsWith("X-")) {
        reader.unsupported.push(`${at.key}=`);
      }
  }
}

/** Dependencies add up; an empty assignment does not take them back. A `\x2d` belongs to the name. */
function readDependencies(draft: Draft, at: Assignment, kind: Dependency, values: Values): void {
  const names = values.words(at, "keep") ?? [];
  const valid = names.filter((name) => parseUnitName(name) !== null);
  if (valid.length < names.length) values.ignore(at);
  for (const unit of valid) draft.dependencies.push({ kind, unit });
}

function readCondition(
  draft: Draft,
  at: Assignment,
  kind: Condition["kind"],
  assert: boolean,
  values: Values,
): void {
  if (at.value === "") {
    // An empty assignment takes back the conditions of every kind.
    draft.conditions = draft.conditions.filter((condition) => condition.assert !== assert);
    return;
  }
  const match = /^(\|?)\s*(!?)\s*(\/.*)$/s.exec(values.text(at));
  if (match === null) {
    values.ignore(at);
    return;
  }
  draft.conditions.push({
    kind,
    path: match[3] ?? "/",
    negated: match[2] === "!",
    trigger: match[1] === "|",
    assert,
  });
}
