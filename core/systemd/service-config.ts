import type { Micros } from "../kernel/index.js";
import type { Command } from "./command.js";
import { type EmergencyActions, readAction } from "./emergency.js";
import { type EnvironmentConfig, readEnvironment } from "./environment.js";
import { type KillConfig, readKill, ZERO_KILL } from "./kill-config.js";
import { type Assignment, type Reader, readStartLimit, type Values } from "./reader.js";
import { FOREVER, parseSignal, parseSpan } from "./value.js";

export const SERVICE_TYPES = [
  "simple",
  "exec",
  "forking",
  "oneshot",
  "dbus",
  "notify",
  "idle",
] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export const RESTARTS = [
  "no",
  "on-success",
  "on-failure",
  "on-abnormal",
  "on-watchdog",
  "on-abort",
  "always",
] as const;
export type Restart = (typeof RESTARTS)[number];

export const TIMEOUT_FAILURE_MODES = ["terminate", "abort", "kill"] as const;
export type TimeoutFailureMode = (typeof TIMEOUT_FAILURE_MODES)[number];

export const EXIT_TYPES = ["main", "cgroup"] as const;
export type ExitType = (typeof EXIT_TYPES)[number];

export const NOTIFY_ACCESS = ["none", "main", "exec", "all"] as const;
export type NotifyAccess = (typeof NOTIFY_ACCESS)[number];

/** The phases in which a service runs commands. */
export type CommandList =
  | "ExecCondition"
  | "ExecStartPre"
  | "ExecStart"
  | "ExecStartPost"
  | "ExecReload"
  | "ExecStop"
  | "ExecStopPost";

/** Exit codes and signals, as in SuccessExitStatus=. */
export interface ExitStatuses {
  readonly codes: readonly number[];
  readonly signals: readonly string[];
}

/** The [Service] section. Spans in microseconds; FOREVER stands for infinity. */
export interface ServiceConfig extends KillConfig, EnvironmentConfig {
  readonly type: ServiceType;
  readonly commands: Readonly<Record<CommandList, readonly Command[]>>;
  readonly restart: Restart;
  readonly restartDelay: Micros;
  readonly timeoutStart: Micros;
  readonly timeoutStop: Micros;
  /** TimeoutAbortSec=: how long the watchdog's signal is given. */
  readonly timeoutAbort: Micros;
  readonly timeoutStartFailureMode: TimeoutFailureMode;
  readonly timeoutStopFailureMode: TimeoutFailureMode;
  readonly runtimeMax: Micros;
  readonly remainAfterExit: boolean;
  readonly guessMainPid: boolean;
  readonly notifyAccess: NotifyAccess;
  /** Whether the service ends with its main process, or with its last one; absent: main. */
  readonly exitType?: ExitType;
  /** WatchdogSec=; absent, 0 or FOREVER: none. */
  readonly watchdog?: Micros;
  /** PIDFile=, a path; absent: none. */
  readonly pidFile?: string;
  /** Whether BusName= is set. */
  readonly busName: boolean;
  readonly success: ExitStatuses;
  readonly restartPrevent: ExitStatuses;
  readonly restartForce: ExitStatuses;
}

const NO_STATUSES: ExitStatuses = { codes: [], signals: [] };

export function zeroService(timeouts: {
  readonly start: Micros;
  readonly stop: Micros;
}): ServiceConfig {
  return {
    type: "simple",
    commands: {
      ExecCondition: [],
      ExecStartPre: [],
      ExecStart: [],
      ExecStartPost: [],
      ExecReload: [],
      ExecStop: [],
      ExecStopPost: [],
    },
    restart: "no",
    restartDelay: 100_000,
    timeoutStart: timeouts.start,
    timeoutStop: timeouts.stop,
    timeoutAbort: timeouts.stop,
    timeoutStartFailureMode: "terminate",
    timeoutStopFailureMode: "terminate",
    runtimeMax: FOREVER,
    remainAfterExit: false,
    guessMainPid: true,
    ...ZERO_KILL,
    notifyAccess: "none",
    busName: false,
    success: NO_STATUSES,
    restartPrevent: NO_STATUSES,
    restartForce: NO_STATUSES,
    environment: [],
    environmentFiles: [],
  };
}

/** Directives that change nothing a model of processes shows. */
const HARMLESS =
  /^(User|Group|WorkingDirectory|RootDirectory|Standard(Input|Output|Error)|Syslog\w*|Limit\w+|Nice|OOM\w+|CPU\w+|Memory\w*|IO\w+|Block\w+|Tasks\w+|UMask|Private\w+|Protect\w+|ReadWritePaths|ReadOnlyPaths|Capability\w*|AmbientCapabilities|NoNewPrivileges|Runtime(Directory\w*)|State(Directory\w*)|Cache(Directory\w*)|Logs(Directory\w*)|Slice|Delegate|TTY\w+|SupplementaryGroups|System\w+|Restrict\w+|Lock\w+|X-.*)$/;

/** Settings that are still read: their lists grow in place, however many lines add to them. */
type Draft = { -readonly [Key in keyof ServiceConfig]: Grows<ServiceConfig[Key]> };

type Grows<Value> = Value extends readonly (infer Item)[]
  ? Item[]
  : Value extends ExitStatuses | Readonly<Record<CommandList, readonly Command[]>>
    ? { [Key in keyof Value]: Grows<Value[Key]> }
    : Value;

function draftOf(service: ServiceConfig): Draft {
  const { commands, success, restartPrevent, restartForce } = service;
  return {
    ...service,
    commands: {
      ExecCondition: [...commands.ExecCondition],
      ExecStartPre: [...commands.ExecStartPre],
      ExecStart: [...commands.ExecStart],
      ExecStartPost: [...commands.ExecStartPost],
      ExecReload: [...commands.ExecReload],
      ExecStop: [...commands.ExecStop],
      ExecStopPost: [...commands.ExecStopPost],
    },
    success: { codes: [...success.codes], signals: [...success.signals] },
    restartPrevent: { codes: [...restartPrevent.codes], signals: [...restartPrevent.signals] },
    restartForce: { codes: [...restartForce.codes], signals: [...restartForce.signals] },
    environment: [...service.environment],
    environmentFiles: [...service.environmentFiles],
  };
}

/** Reads a [Service] section. `bad` says why systemd refuses the service; "" when it does not. */
export function readService(
  before: ServiceConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
  unit: { startLimitInterval: Micros; startLimitBurst: number; actions?: EmergencyActions },
): { service: ServiceConfig; bad: string } {
  const draft = draftOf(before);
  let typeGiven = false;
  let startGiven = false;
  let abortGiven = false;
  let bad = "";
  for (const at of assignments) {
    if (at.key === "Type") typeGiven = true;
    if (at.key === "TimeoutStartSec" || at.key === "TimeoutSec") startGiven = true;
    if (at.key === "TimeoutAbortSec") abortGiven = true;
    if (isCommandList(at.key)) {
      if (!values.commands(at, draft.commands[at.key])) bad = `${at.key}=${at.value}`;
      continue;
    }
    // Old spellings of settings of [Unit].
    if (readStartLimit(unit, at, values)) continue;
    if (OLD_ACTIONS.has(at.key) && readAction(unit, at, values)) continue;
    if (readLifecycle(draft, at, values) || readEnvironment(draft, at, values)) continue;
    if (!HARMLESS.test(at.key)) reader.unsupported.push(`${at.key}=`);
  }
  if (!typeGiven) {
    // What a service has says what it is.
    if (draft.busName) draft.type = "dbus";
    else if (draft.commands.ExecStart.length === 0) draft.type = "oneshot";
  }
  if (draft.type === "oneshot" && !startGiven) draft.timeoutStart = FOREVER;
  if (!abortGiven) draft.timeoutAbort = draft.timeoutStop;
  const notifies = draft.type === "notify" || (draft.watchdog ?? 0) > 0;
  if (notifies && draft.notifyAccess === "none") draft.notifyAccess = "main";
  const succeeds = (unit.actions?.SuccessAction ?? "none") !== "none";
  return { service: draft, bad: bad === "" ? verify(draft, succeeds) : bad };
}

const OLD_ACTIONS = new Set(["FailureAction", "StartLimitAction"]);

/** What service_verify refuses (core/service.c). `succeeds`: SuccessAction= does something, which is enough to do. */
function verify(service: ServiceConfig, succeeds: boolean): string {
  const { commands, type } = service;
  if (commands.ExecStart.length === 0 && commands.ExecStop.length === 0 && !succeeds) {
    return "Service has no ExecStart=, ExecStop=, or SuccessAction=.";
  }
  if (type !== "oneshot" && commands.ExecStart.length === 0) {
    return "Service has no ExecStart= setting, which is only allowed for Type=oneshot services.";
  }
  if (!service.remainAfterExit && commands.ExecStart.length === 0 && !succeeds) {
    return "Service has no ExecStart= and no SuccessAction= settings and does not have RemainAfterExit=yes set.";
  }
  if (type !== "oneshot" && commands.ExecStart.length > 1) {
    return "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services.";
  }
  if (type === "oneshot" && service.exitType === "cgroup") {
    return "Service has ExitType=cgroup set, which isn't allowed for Type=oneshot services.";
  }
  if (type === "dbus" && !service.busName) {
    return "Service is of type D-Bus but no D-Bus service name has been specified.";
  }
  const forced = service.restartForce.codes.length + service.restartForce.signals.length;
  if (type === "oneshot" && forced > 0) {
    return "Service has RestartForceExitStatus= set, which isn't allowed for Type=oneshot services.";
  }
  if (type === "oneshot" && (service.restart === "always" || service.restart === "on-success")) {
    return "Service has Restart= set to either always or on-success, which isn't allowed for Type=oneshot services.";
  }
  return "";
}

const COMMAND_LISTS: ReadonlySet<string> = new Set<CommandList>([
  "ExecCondition",
  "ExecStartPre",
  "ExecStart",
  "ExecStartPost",
  "ExecReload",
  "ExecStop",
  "ExecStopPost",
]);

function isCommandList(key: string): key is CommandList {
  return COMMAND_LISTS.has(key);
}

function readLifecycle(draft: Draft, at: Assignment, values: Values): boolean {
  switch (at.key) {
    case "Type":
      draft.type = values.oneOf(at, SERVICE_TYPES, draft.type);
      return true;
    case "Restart":
      draft.restart = values.oneOf(at, RESTARTS, draft.restart);
      return true;
    case "RestartSec":
      draft.restartDelay = values.span(at, draft.restartDelay);
      return true;
    case "TimeoutStartSec":
      draft.timeoutStart = values.limit(at, draft.timeoutStart);
      return true;
    case "TimeoutStopSec":
      draft.timeoutStop = values.limit(at, draft.timeoutStop);
      return true;
    case "TimeoutSec":
      if (parseSpan(at.value) === null) values.ignore(at);
      else {
        draft.timeoutStart = values.limit(at, draft.timeoutStart);
        draft.timeoutStop = draft.timeoutStart;
      }
      return true;
    case "TimeoutAbortSec":
      draft.timeoutAbort = values.limit(at, draft.timeoutAbort);
      return true;
    case "TimeoutStartFailureMode":
      draft.timeoutStartFailureMode = values.oneOf(
        at,
        TIMEOUT_FAILURE_MODES,
        draft.timeoutStartFailureMode,
      );
      return true;
    case "TimeoutStopFailureMode":
      draft.timeoutStopFailureMode = values.oneOf(
        at,
        TIMEOUT_FAILURE_MODES,
        draft.timeoutStopFailureMode,
      );
      return true;
    case "NotifyAccess":
      draft.notifyAccess = values.oneOf(at, NOTIFY_ACCESS, draft.notifyAccess);
      return true;
    case "ExitType":
      draft.exitType = values.oneOf(at, EXIT_TYPES, draft.exitType ?? "main");
      return true;
    case "WatchdogSec":
      draft.watchdog = values.span(at, draft.watchdog ?? 0);
      return true;
    case "PIDFile":
      if (at.value === "") delete draft.pidFile;
      else draft.pidFile = pidFilePath(values.text(at));
      return true;
    case "BusName":
      draft.busName = values.text(at) !== "";
      return true;
    case "RuntimeMaxSec":
      draft.runtimeMax = values.limit(at, draft.runtimeMax);
      return true;
    case "RemainAfterExit":
      draft.remainAfterExit = values.boolean(at, draft.remainAfterExit);
      return true;
    case "GuessMainPID":
      draft.guessMainPid = values.boolean(at, draft.guessMainPid);
      return true;
    default:
      return readKill(draft, at, values) || readStatuses(draft, at, values);
  }
}

/** A relative path is one below /run, and what lies in /var/run lies there (config_parse_pid_file). */
function pidFilePath(text: string): string {
  const path = text.startsWith("/") ? text : `/run/${text}`;
  return path.replace(/^\/var\/run\//, "/run/");
}

const STATUS_KEYS = new Map<string, "success" | "restartPrevent" | "restartForce">([
  ["SuccessExitStatus", "success"],
  ["RestartPreventExitStatus", "restartPrevent"],
  ["RestartForceExitStatus", "restartForce"],
]);

/** Names systemd has for exit codes (shared/exit-status.c) that one meets in SuccessExitStatus=. */
const STATUS_NAMES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    SUCCESS: 0,
    FAILURE: 1,
    INVALIDARGUMENT: 2,
    NOTIMPLEMENTED: 3,
    NOPERMISSION: 4,
    NOTINSTALLED: 5,
    NOTCONFIGURED: 6,
    NOTRUNNING: 7,
    USAGE: 64,
    DATAERR: 65,
    NOINPUT: 66,
    UNAVAILABLE: 69,
    SOFTWARE: 70,
    OSERR: 71,
    IOERR: 74,
    TEMPFAIL: 75,
    PROTOCOL: 76,
    NOPERM: 77,
    CONFIG: 78,
    EXEC: 203,
  }),
);

/** An exit status by number or name, or a signal; null when it is neither. */
export function readStatus(word: string): number | string | null {
  const code = /^[0-9]{1,3}$/.test(word) ? Number(word) : STATUS_NAMES.get(word);
  if (code !== undefined && code <= 255) return code;
  return parseSignal(word);
}

function readStatuses(draft: Draft, at: Assignment, values: Values): boolean {
  const field = STATUS_KEYS.get(at.key);
  if (field === undefined) return false;
  const statuses = draft[field];
  if (at.value === "") {
    statuses.codes.length = 0;
    statuses.signals.length = 0;
    return true;
  }
  for (const word of values.words(at) ?? []) {
    const status = readStatus(word);
    if (typeof status === "number") statuses.codes.push(status);
    else if (status !== null) statuses.signals.push(status);
    else values.ignore(at);
  }
  return true;
}
