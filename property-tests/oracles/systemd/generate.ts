import { createGenerator, type Generator, nextBetween, pick } from "../../../core/kernel/index.js";
import { commandsAround, generateService, killSettings } from "./generate-service.js";
import { hasTriggers, isAlone, percent, THEMES, type Theme } from "./themes.js";
import {
  type Action,
  fifoOf,
  fileBy,
  type JobAction,
  placeOf,
  type SetUnit,
  type UnitSet,
} from "./unit-set.js";

/** Set `number` of a seed. Of sets that turn out to hang on time, the next `attempt` is taken. */
export function generateSet(
  seed: number,
  number: number,
  attempt: number,
): UnitSet & { theme: Theme } {
  const g = createGenerator(seed, `systemd/${number}/${attempt}`);
  const theme = THEMES[number % THEMES.length] ?? "everything";
  const count = percent(g, 55) ? nextBetween(g, 2, 5) : nextBetween(g, 5, 12);
  const prefix = `o${number}x${attempt}`;
  const names = Array.from({ length: count }, (_, index) => {
    const type = hasTriggers(theme) && index > 0 ? "service" : typeOf(g, theme);
    const instance = type === "service" && percent(g, 6) ? `@${nextBetween(g, 1, 6)}` : "";
    return `${prefix}${String.fromCharCode(97 + index)}${instance}.${type}`;
  });
  if (hasTriggers(theme)) addTriggers(g, theme, names, prefix);
  const units = names.map((name) => withDropIns(g, generateUnit(g, theme, name, names)));
  const actions = generateActions(g, theme, units);
  return { theme, alone: isAlone(theme), units, actions };
}

function typeOf(g: Generator, theme: Theme): string {
  if ((theme === "everything" || isAlone(theme)) && percent(g, 12))
    return pick(g, ["timer", "path", "socket", "mount"]);
  if (theme === "mounts" && percent(g, 60)) return "mount";
  return percent(g, 15) ? "target" : "service";
}

/** Timers, paths and sockets take the name of the service that they start. */
function addTriggers(g: Generator, theme: Theme, names: string[], prefix: string): void {
  const services = names.filter((name) => name.endsWith(".service"));
  for (const service of services) {
    if (names.length >= 12) break;
    if (!percent(g, 60)) continue;
    const type = triggerOf(g, theme);
    names.push(service.replace(/service$/, type));
  }
  if (services.length === 0) names.push(`${prefix}z.service`);
}

function triggerOf(g: Generator, theme: Theme): string {
  if (theme === "calendars") return "timer";
  return theme === "sockets" ? "socket" : pick(g, ["timer", "path", "socket"]);
}

function generateUnit(g: Generator, theme: Theme, name: string, names: readonly string[]): SetUnit {
  if (percent(g, 2)) return { name, lines: [], masked: true };
  const type = name.slice(name.lastIndexOf(".") + 1);
  const lines = ["[Unit]", ...dependencies(g, theme, name, names), ...unitSettings(g, theme, name)];
  const install = theme === "files" ? installSection(g, name, names) : [];
  const own = ownSection(g, theme, name, type);
  const outside = theme === "files" && percent(g, 20) ? { outside: true } : {};
  return { name, lines: [...lines, ...own, ...install], ...outside };
}

/** The section that is named after the type of the unit. */
function ownSection(g: Generator, theme: Theme, name: string, type: string): string[] {
  switch (type) {
    case "service":
      return ["[Service]", ...generateService(g, theme, name)];
    case "timer":
      return ["[Timer]", ...(theme === "calendars" ? calendarSettings(g) : timerSettings(g))];
    case "path":
      return ["[Path]", ...pathSettings(g, name)];
    case "socket":
      return ["[Socket]", `ListenFIFO=${fifoOf(name)}`, ...socketSettings(g, theme)];
    case "mount": {
      const where = `/${name.split(".")[0]}`;
      return ["[Mount]", "What=none", `Where=${where}`, ...mountSettings(g, theme)];
    }
    default:
      return [];
  }
}

/** Moves lines of a unit's file to drop-ins. */
function withDropIns(g: Generator, unit: SetUnit): SetUnit {
  if (unit.masked === true || !percent(g, 25)) return unit;
  const lines: string[] = [];
  const moved = new Map<string, string[]>();
  let section = "";
  for (const line of unit.lines) {
    if (line.startsWith("[")) section = line;
    // Commands stay in their order, and what makes a unit sound stays in its file.
    const stays =
      section === "[Install]" || /^(Exec|Type=|What|Where|Listen|Path|On[AU])/.test(line);
    if (line === section || stays || !percent(g, 25)) lines.push(line);
    else moved.set(section, [...(moved.get(section) ?? [section]), line]);
  }
  const [first = [], ...rest] = [...moved.values()];
  const dropIns = [
    { name: "10-first", lines: first },
    { name: "20-second", lines: rest.flat() },
  ];
  return { ...unit, lines, dropIns: dropIns.filter((dropIn) => dropIn.lines.length > 0) };
}

/** The [Install] section of a unit: what wants it, what it is also called, and what comes along. */
function installSection(g: Generator, name: string, names: readonly string[]): string[] {
  if (!percent(g, 60)) return [];
  const lines = ["[Install]"];
  if (percent(g, 70)) lines.push(`WantedBy=${pick(g, names)}`);
  if (percent(g, 35)) lines.push(`RequiredBy=${pick(g, names)}`);
  if (percent(g, 25)) lines.push(`Also=${pick(g, names)}`);
  if (percent(g, 25)) lines.push(`Alias=${aliasOf(name, percent(g, 85) ? name : pick(g, names))}`);
  if (name.includes("@") && percent(g, 50)) lines.push(`DefaultInstance=${nextBetween(g, 1, 6)}`);
  return lines;
}

/** Another name of a unit, with the type and the instance of `like`. */
const aliasOf = (unit: string, like: string): string =>
  unit.replace(/[@.].*$/, `alias${like.slice(like.search(/[@.]/))}`);

const PULLS = ["Requires", "Wants", "BindsTo", "Requisite", "Upholds"] as const;
const OTHERS = [
  "PartOf",
  "Conflicts",
  "OnFailure",
  "OnSuccess",
  "PropagatesReloadTo",
  "ReloadPropagatedFrom",
  "PropagatesStopTo",
  "StopPropagatedFrom",
  "JoinsNamespaceOf",
] as const;

function dependencies(
  g: Generator,
  theme: Theme,
  name: string,
  names: readonly string[],
): string[] {
  const lines: string[] = [];
  const index = names.indexOf(name);
  const most = theme === "dependencies" || theme === "cycles" ? 4 : 2;
  for (let left = nextBetween(g, 0, most); left > 0; left--) {
    const other = percent(g, 3) ? `${name.split(/[@.]/)[0]}missing.service` : pick(g, names);
    if (other === name) continue;
    const key = percent(g, 62) ? pick(g, PULLS) : pick(g, OTHERS);
    lines.push(`${key}=${other}`);
    // Order mostly goes one way, so that cycles are the exception; in sets about them they are not.
    const down = names.indexOf(other) > index;
    if (percent(g, 65)) {
      const natural = theme === "cycles" ? percent(g, 70) : true;
      lines.push(`${down === natural ? "After" : "Before"}=${other}`);
    }
  }
  return lines;
}

function unitSettings(g: Generator, theme: Theme, name: string): string[] {
  const lines: string[] = [];
  if (isAlone(theme) && percent(g, 60)) lines.push("AllowIsolate=yes");
  if (isAlone(theme) && percent(g, 12)) {
    lines.push(`IgnoreOnIsolate=${pick(g, ["yes", "yes", "no"])}`);
  }
  if (percent(g, 12)) lines.push("StopWhenUnneeded=yes");
  if (percent(g, 5)) lines.push("DefaultDependencies=no");
  if (percent(g, 8)) lines.push(`${condition(g)}=${file(g, name)}`);
  if (percent(g, 3)) lines.push("RefuseManualStart=yes");
  if (percent(g, 2)) lines.push("RefuseManualStop=yes");
  if (percent(g, theme === "modes" ? 15 : 4)) lines.push(`JobTimeoutSec=${span(g, 3, 8)}`);
  if (percent(g, theme === "modes" ? 10 : 2)) lines.push(`JobRunningTimeoutSec=${span(g, 3, 8)}`);
  const failures = theme === "failures" || theme === "restarts";
  if (percent(g, failures ? 15 : 3)) {
    lines.push(`OnFailureJobMode=${pick(g, ["fail", "replace", "ignore-dependencies"])}`);
  }
  if (theme === "restarts" || hasTriggers(theme) || percent(g, 15)) {
    lines.push(`StartLimitIntervalSec=${pick(g, ["2", "4", "10"])}`);
    lines.push(`StartLimitBurst=${nextBetween(g, 2, 4)}`);
  }
  return lines;
}

const condition = (g: Generator): string =>
  pick(g, ["ConditionPathExists", "ConditionPathExists", "AssertPathExists"]);

/** A file that is there, one that is not, or one that an action may make. */
const file = (g: Generator, name: string): string =>
  pick(g, ["/etc/passwd", "!/etc/passwd", fileBy(name)]);

/** A span of so many hundred milliseconds. */
const span = (g: Generator, low: number, high: number): string =>
  `${nextBetween(g, low, high) * 100}ms`;

function timerSettings(g: Generator): string[] {
  const lines = [`OnActiveSec=${span(g, 1, 5)}`, "AccuracySec=1us"];
  if (percent(g, 40)) lines.push(`OnUnitActiveSec=${span(g, 3, 9)}`);
  if (percent(g, 40)) lines.push(`OnUnitInactiveSec=${span(g, 3, 9)}`);
  if (percent(g, 30)) lines.push("RemainAfterElapse=no");
  return lines;
}

/** An event that comes every second or two, in whatever minute. Sets that run beside each other have moments of their own. */
function soon(g: Generator): string {
  const part = `.${String(nextBetween(g, 0, 99)).padStart(2, "0")}`;
  return pick(g, [
    "*:*:*",
    `*:*:0${part}/1`,
    `*:*:0${part}/1.0`,
    `*:*:0${part}/2`,
    `*:*:1${part}/2`,
  ]);
}

/** Events that are not due while a set runs, or never. */
const FAR = ["2150-06-01", "Mon 2199-*~1", "1999-12-31 23:59", "*-02-30", "2016-02-29 12:00 UTC"];

function calendarSettings(g: Generator): string[] {
  const lines = ["AccuracySec=1us"];
  for (let left = nextBetween(g, 1, 2); left > 0; left--) {
    lines.push(`OnCalendar=${percent(g, 75) ? soon(g) : pick(g, FAR)}`);
  }
  if (percent(g, 15)) lines.push(`OnActiveSec=${span(g, 1, 5)}`);
  if (percent(g, 15)) lines.push(`OnUnitInactiveSec=${span(g, 3, 9)}`);
  if (percent(g, 30)) lines.push("Persistent=yes");
  if (percent(g, 10)) lines.push("OnClockChange=yes");
  if (percent(g, 6)) lines.push("OnCalendar=");
  if (percent(g, 30)) lines.push("RemainAfterElapse=no");
  return lines;
}

/** Commands around the sockets, which may fail, last too long, or not mind being told to end. */
function socketSettings(g: Generator, theme: Theme): string[] {
  const odd = theme === "sockets";
  const lines = percent(g, 30) ? ["RemoveOnStop=yes"] : [];
  if (percent(g, odd ? 25 : 5)) lines.push(`SocketUser=${pick(g, ["root", "root", "nosuchuser"])}`);
  if (!percent(g, odd ? 90 : 30)) return lines;
  const keys = ["ExecStartPre", "ExecStartPost", "ExecStopPre", "ExecStopPost"];
  lines.push(...commandsAround(g, odd ? pick(g, ["failures", "timeouts"]) : theme, keys, 45));
  if (percent(g, 60)) lines.push(`TimeoutSec=${span(g, 2, 6)}`);
  return [...lines, ...killSettings(g, odd && percent(g, 35))];
}

/** Mounts that succeed, fail, or take their time. */
function mountSettings(g: Generator, theme: Theme): string[] {
  const odd = theme === "mounts";
  const type = pick(g, ["tmpfs", "tmpfs", "slow", odd ? "slow" : "nosuchfs"]);
  const lines = [`Type=${type}`];
  if (type === "slow") {
    lines.push(`Options=run=${nextBetween(g, 1, 8) * 70}`);
    if (percent(g, 20)) lines.push(`Options=exit=${pick(g, [1, 32])}`);
  }
  if (percent(g, odd ? 60 : 20)) lines.push(`TimeoutSec=${span(g, 2, 5)}`);
  return [...lines, ...killSettings(g, odd && percent(g, 35))];
}

function pathSettings(g: Generator, name: string): string[] {
  const kind = pick(g, ["PathExists", "PathChanged", "PathModified", "PathChanged"]);
  return [`${kind}=${fileBy(name)}`];
}

const CALLS: readonly JobAction["call"][] = [
  "start",
  "start",
  "start",
  "start",
  "stop",
  "stop",
  "restart",
  "restart",
  "try-restart",
  "reload",
  "reload-or-restart",
  "reload-or-try-restart",
];

const MODES: readonly JobAction["mode"][] = [
  "fail",
  "fail",
  "ignore-dependencies",
  "ignore-requirements",
  "replace-irreversibly",
  "triggering",
];

/** Milliseconds between calls. systemd takes up to 20 ms to start a program. */
const APART = 50;

/** Jobs for some units, one after the other, and in the end a stop of each. */
function generateActions(
  g: Generator,
  theme: Theme,
  units: readonly SetUnit[],
): UnitSet["actions"] {
  const actions: { at: number; action: UnitSet["actions"][number]["action"] }[] = [];
  const names = units.map(({ name }) => name);
  let at = 10;
  for (const unit of units) {
    if (unit.outside !== true || !percent(g, 80)) continue;
    actions.push({ at, action: generateLink(g, unit) });
    at += APART;
    if (percent(g, 80)) {
      actions.push({ at, action: { kind: "daemon-reload" } });
      at += APART;
    }
  }
  for (const name of names) {
    if (/\.(timer|path|socket)$/.test(name) && percent(g, 85)) {
      actions.push({ at, action: { kind: "job", call: "start", unit: name, mode: "replace" } });
      at += APART;
    }
  }
  const first = hasTriggers(theme) ? 0 : nextBetween(g, 1, 3);
  for (let left = first; left > 0; left--) {
    const unit = pick(g, names);
    actions.push({ at, action: { kind: "job", call: "start", unit, mode: "replace" } });
    if (left > 1) at += APART;
  }
  for (let left = nextBetween(g, 2, theme === "files" ? 6 : 5); left > 0; left--) {
    at += nextBetween(g, 2, 9) * 80;
    if (theme === "files" && percent(g, 70)) {
      actions.push({ at, action: generateFileAction(g, units) });
      // As systemctl does it: the files are read anew at once.
      at += APART;
      actions.push({ at, action: { kind: "daemon-reload" } });
    } else actions.push({ at, action: generateAction(g, theme, names) });
  }
  at += nextBetween(g, 6, 12) * (theme === "calendars" ? 240 : 80);
  const rank = (name: string) => (/\.(timer|path|socket)$/.test(name) ? 0 : 1);
  for (const unit of [...names].sort((left, right) => rank(left) - rank(right))) {
    // Calls that follow at once are heard before the jobs of the one before are run, or after.
    at += APART;
    actions.push({ at, action: { kind: "job", call: "stop", unit, mode: "replace" } });
  }
  return actions;
}

function generateAction(g: Generator, theme: Theme, names: readonly string[]): Action {
  const unit = pick(g, names);
  const path = fileBy(unit);
  if (percent(g, hasTriggers(theme) ? 35 : 6)) return { kind: "touch", path } as const;
  if (percent(g, hasTriggers(theme) ? 8 : 2)) return { kind: "remove", path } as const;
  const socket = names.find((name) => name.endsWith(".socket"));
  if (socket !== undefined && percent(g, 40)) return { kind: "traffic", unit: socket } as const;
  if (percent(g, 4)) return { kind: "reset-failed", unit } as const;
  if (percent(g, 10)) return generateKill(g, unit);
  if (percent(g, 4)) return { kind: "daemon-reload" } as const;
  if (isAlone(theme) && percent(g, 50)) {
    return { kind: "job", call: "start", unit, mode: "isolate" } as const;
  }
  const odd = percent(g, theme === "modes" ? 60 : 12);
  const call = pick(g, CALLS);
  const name = theme === "files" && percent(g, 15) ? aliasOf(unit, unit) : unit;
  return { kind: "job", call, unit: name, mode: odd ? pick(g, MODES) : "replace" } as const;
}

const INSTALLS = ["enable", "enable", "enable", "disable", "mask", "unmask"] as const;

/** A change to the files of units: a drop-in, or what `systemctl enable` and its kin do. */
function generateFileAction(g: Generator, units: readonly SetUnit[]): Action {
  const names = units.map(({ name }) => name);
  const chosen = pick(g, units);
  const unit = chosen.name;
  if (chosen.outside === true && percent(g, 25)) return generateLink(g, chosen);
  if (percent(g, 45)) {
    const dropIn = { name: pick(g, ["10-first", "30-third"]), lines: changedLines(g, unit, names) };
    return { kind: "drop-in", unit, dropIn };
  }
  const call = pick(g, INSTALLS);
  const template = percent(g, 30) ? unit.replace(/@[^.]*\./, "@.") : unit;
  const name = call === "disable" && percent(g, 20) ? aliasOf(unit, unit) : template;
  return { kind: "install", call, unit: name, runtime: percent(g, 50) };
}

/** Mostly of the unit's file, now and then of one that is not there or is named after no unit. */
function generateLink(g: Generator, unit: SetUnit): Action {
  const path = placeOf(unit);
  const odd = pick(g, [path.replace(/[@.]/, "missing$&"), path.replace(/\.[a-z]+$/, ".txt")]);
  const flags = { runtime: percent(g, 50), force: percent(g, 30) };
  return { kind: "link", path: percent(g, 92) ? path : odd, ...flags };
}

function changedLines(g: Generator, unit: string, names: readonly string[]): string[] {
  const lines = ["[Unit]"];
  if (percent(g, 60)) lines.push(`${pick(g, [...PULLS, ...OTHERS])}=${pick(g, names)}`);
  if (percent(g, 20)) lines.push("StopWhenUnneeded=yes");
  if (percent(g, 20)) lines.push("RefuseManualStop=yes");
  if (!unit.endsWith(".service")) return lines;
  lines.push("[Service]");
  if (percent(g, 30)) lines.push(`TimeoutStopSec=${span(g, 3, 6)}`, `RestartSec=${span(g, 1, 6)}`);
  if (percent(g, 20)) lines.push("Restart=on-failure");
  if (percent(g, 20)) lines.push("RemainAfterExit=yes");
  if (percent(g, 15)) lines.push("ExecStop=", "ExecReload=");
  return lines;
}

function generateKill(g: Generator, unit: string) {
  const who = pick(g, ["all", "all", "main", "control"] as const);
  const signal = pick(g, ["SIGTERM", "SIGKILL", "SIGHUP", "SIGUSR1"] as const);
  return { kind: "kill", unit, who, signal } as const;
}
