import { type Generator, nextBetween, pick } from "../../../core/kernel/index.js";
import { PROGRAM } from "./behaviour.js";
import { isAlone, percent, type Theme } from "./themes.js";
import { fileBy, pidFileOf } from "./unit-set.js";

const TYPES = [
  "simple",
  "simple",
  "simple",
  "exec",
  "forking",
  "oneshot",
  "oneshot",
  "notify",
] as const;

type ServiceType = (typeof TYPES)[number] | "idle";

/** The lines of a [Service] section. */
export function generateService(g: Generator, theme: Theme, name: string): string[] {
  const type = isAlone(theme) && percent(g, 30) ? "idle" : pick(g, TYPES);
  const lines = [`Type=${type}`];
  if (percent(g, type === "oneshot" ? 60 : 15)) lines.push("RemainAfterExit=yes");
  const mains = type === "oneshot" && percent(g, 25) ? 2 : 1;
  for (let left = mains; left > 0; left--) {
    lines.push(`ExecStart=${dash(g, 6)}${mainProgram(g, theme, type, name)}`);
  }
  const around = theme === "timeouts" || theme === "failures" ? 22 : 10;
  const keys = ["ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost"];
  lines.push(...commandsAround(g, theme, keys, around));
  if (percent(g, around / 2)) {
    const exit = pick(g, [0, 0, 1, 7, 255]);
    lines.push(`ExecCondition=${PROGRAM} run=${nextBetween(g, 1, 3) * 50} exit=${exit}`);
  }
  if (percent(g, 25)) lines.push(`ExecReload=${shortProgram(g, theme)}`);
  lines.push(...restartSettings(g, theme, type), ...timeoutSettings(g, theme, lines));
  lines.push(...notifySettings(g, theme, type, lines));
  if (lines.some((line) => line.includes(" pidfile="))) lines.push(`PIDFile=${pidFileOf(name)}`);
  // Debian's systemd leaves no core dumps by itself: whoever dies of such a signal may leave one.
  if (lines.some((line) => /ABRT|SEGV|WatchdogSec/.test(line))) lines.push("LimitCORE=infinity");
  if (type !== "oneshot" && percent(g, 4)) lines.push("ExitType=cgroup");
  // An instance says how long its program runs.
  return name.includes("@") ? lines.map((line) => line.replace(/ run=\d+/, " run=%i00")) : lines;
}

/** One command or two of some of the phases; of each with so many parts of a hundred. */
export function commandsAround(
  g: Generator,
  theme: Theme,
  keys: readonly string[],
  parts: number,
): string[] {
  const lines: string[] = [];
  for (const key of keys) {
    if (percent(g, parts)) lines.push(`${key}=${dash(g, 15)}${shortProgram(g, theme)}`);
    if (percent(g, parts / 5)) lines.push(`${key}=${shortProgram(g, theme)}`);
  }
  return lines;
}

const dash = (g: Generator, parts: number): string => (percent(g, parts) ? "-" : "");

function mainProgram(g: Generator, theme: Theme, type: ServiceType, name: string): string {
  const words = [PROGRAM];
  const fails = theme === "failures" || theme === "restarts" ? 45 : 15;
  if (type === "notify" && !percent(g, 15)) words.push(`ready=${nextBetween(g, 1, 6) * 60}`);
  if (type === "forking") {
    words.push(`fork=${nextBetween(g, 1, 5) * 60}`);
    if (percent(g, fails / 3)) words.push(`forkexit=${nextBetween(g, 1, 3)}`);
    if (percent(g, 40)) words.push(`pidfile=${nextBetween(g, 0, 5) * 70}:${pidFileOf(name)}`);
  }
  if (type === "notify" && percent(g, 20)) words.push(`say=${says(g)}`);
  const alive = type === "simple" || type === "exec" || type === "notify" || type === "forking";
  if (alive && percent(g, theme === "timeouts" ? 25 : 8)) {
    words.push(`ping=${nextBetween(g, 7, 11) * 10}:${nextBetween(g, 1, 8)}`);
  }
  const ends = type === "oneshot" || percent(g, theme === "restarts" ? 80 : 40);
  if (ends) words.push(`run=${nextBetween(g, 1, 12) * 70}`, ...ending(g, fails));
  if (percent(g, theme === "timeouts" ? 45 : 12)) {
    words.push(
      percent(g, 45)
        ? "term=never:0"
        : `term=${nextBetween(g, 1, 7) * 60}:${pick(g, [0, 0, 1, 3])}`,
    );
  }
  if (percent(g, theme === "timeouts" ? 20 : 5)) {
    words.push(`child=${nextBetween(g, 3, 20) * 70}`);
    if (percent(g, 30)) words.push("deaf");
  }
  if (percent(g, theme === "triggers" ? 15 : 2)) {
    words.push(`${pick(g, ["touch", "rm"])}=${fileBy(name)}`);
  }
  if (percent(g, 80)) words.push("drain");
  return words.join(" ");
}

/** What a program may say besides that it is ready. */
function says(g: Generator): string {
  const at = nextBetween(g, 3, 8) * 70;
  switch (nextBetween(g, 0, 4)) {
    case 0:
      return `${at}:RELOADING=1,${at + nextBetween(g, 1, 4) * 70}:READY=1`;
    case 1:
      return `${at}:STOPPING=1`;
    case 2:
      return `70:EXTEND_TIMEOUT_USEC=${nextBetween(g, 4, 12) * 100_000}`;
    case 3:
      return `${at}:WATCHDOG=trigger`;
    default:
      return `${at}:WATCHDOG_USEC=${nextBetween(g, 2, 5) * 100_000}`;
  }
}

/** WatchdogSec= for whoever says that it is alive, and sometimes for who does not. */
function notifySettings(
  g: Generator,
  theme: Theme,
  type: ServiceType,
  lines: readonly string[],
): string[] {
  const settings: string[] = [];
  const pings = lines.some((line) => line.includes(" ping="));
  if (pings || (type === "notify" && percent(g, 5))) {
    settings.push(`WatchdogSec=${nextBetween(g, 2, 5) * 100}ms`);
    if (percent(g, 30)) settings.push(`TimeoutAbortSec=${nextBetween(g, 3, 6) * 100}ms`);
    if (percent(g, 30))
      settings.push(`WatchdogSignal=${pick(g, ["SIGUSR1", "SIGTERM", "SIGABRT"])}`);
  }
  const told = settings.length > 0 || type === "notify";
  if (told && percent(g, theme === "timeouts" ? 20 : 10)) {
    settings.push(`NotifyAccess=${pick(g, ["main", "exec", "all", "none"])}`);
  }
  return settings;
}

function ending(g: Generator, fails: number): string[] {
  if (!percent(g, fails)) return [];
  return percent(g, 75)
    ? [`exit=${pick(g, [1, 2, 7, 143])}`]
    : [`die=${pick(g, ["TERM", "KILL", "HUP", "USR1", "ABRT"])}`];
}

function shortProgram(g: Generator, theme: Theme): string {
  const words = [PROGRAM, `run=${nextBetween(g, 1, theme === "timeouts" ? 10 : 4) * 60}`];
  if (percent(g, theme === "failures" ? 30 : 12)) words.push(`exit=${pick(g, [1, 3, 255])}`);
  if (percent(g, 6)) words.push("term=never:0");
  return words.join(" ");
}

const RESTARTS = [
  "always",
  "on-success",
  "on-failure",
  "on-failure",
  "on-abnormal",
  "on-abort",
  "on-watchdog",
] as const;

function restartSettings(g: Generator, theme: Theme, type: ServiceType): string[] {
  if (!percent(g, theme === "restarts" ? 85 : 20)) return [];
  const lines = [`Restart=${pick(g, RESTARTS)}`, `RestartSec=${nextBetween(g, 1, 6) * 100}ms`];
  if (percent(g, 12))
    lines.push(`SuccessExitStatus=${pick(g, ["1", "7", "SIGKILL", "SIGUSR1", "2 7"])}`);
  if (percent(g, 10)) lines.push(`RestartPreventExitStatus=${pick(g, ["1", "7", "SIGKILL"])}`);
  if (percent(g, 8) && (type !== "oneshot" || percent(g, 10))) {
    lines.push(`RestartForceExitStatus=${pick(g, ["0", "2", "SIGTERM"])}`);
  }
  return lines;
}

/** Whatever does not end by itself or by SIGTERM needs a timeout, so that a set ends. */
function timeoutSettings(g: Generator, theme: Theme, lines: readonly string[]): string[] {
  const odd = theme === "timeouts";
  const settings = [`TimeoutStopSec=${nextBetween(g, 3, 6) * 100}ms`];
  if (odd || percent(g, 40) || lines.includes("Type=notify")) {
    settings.push(`TimeoutStartSec=${nextBetween(g, 3, 9) * 100}ms`);
  }
  if (percent(g, odd ? 20 : 3)) settings.push(`RuntimeMaxSec=${nextBetween(g, 3, 9) * 100}ms`);
  settings.push(...killSettings(g, odd));
  if (percent(g, odd ? 15 : 2)) {
    settings.push(`TimeoutStopFailureMode=${pick(g, ["kill", "terminate", "abort"])}`);
  }
  if (percent(g, odd ? 15 : 2)) {
    settings.push(`TimeoutStartFailureMode=${pick(g, ["kill", "terminate", "abort"])}`);
  }
  if (percent(g, odd ? 12 : 2)) settings.push("GuessMainPID=no");
  return settings;
}

/** How the processes of a unit are ended; `odd` makes settings that are seldom used frequent. */
export function killSettings(g: Generator, odd: boolean): string[] {
  const settings: string[] = [];
  if (percent(g, odd ? 40 : 8)) {
    settings.push(`KillMode=${pick(g, ["control-group", "mixed", "process", "none"])}`);
  }
  if (percent(g, odd ? 20 : 4)) {
    settings.push(`KillSignal=${pick(g, ["SIGINT", "SIGHUP", "SIGUSR1", "SIGKILL"])}`);
  }
  if (percent(g, odd ? 8 : 2)) settings.push(`RestartKillSignal=${pick(g, ["SIGINT", "SIGUSR2"])}`);
  if (percent(g, odd ? 8 : 2)) settings.push(`FinalKillSignal=${pick(g, ["SIGUSR1", "SIGTERM"])}`);
  if (percent(g, odd ? 12 : 2)) settings.push("SendSIGKILL=no");
  if (percent(g, odd ? 10 : 2)) settings.push("SendSIGHUP=yes");
  return settings;
}
