import type { KillSignal } from "./process.js";
import type { Assignment, Values } from "./reader.js";
import { parseSignal } from "./value.js";

export const KILL_MODES = ["control-group", "mixed", "process", "none"] as const;
export type KillMode = (typeof KILL_MODES)[number];

/** How the processes of a unit are ended (systemd.kill(5)). */
export interface KillConfig {
  readonly killMode: KillMode;
  readonly killSignal: KillSignal;
  readonly restartKillSignal: KillSignal | null;
  readonly finalKillSignal: KillSignal;
  readonly watchdogSignal: KillSignal;
  readonly sendSigkill: boolean;
  readonly sendSighup: boolean;
}

export const ZERO_KILL: KillConfig = {
  killMode: "control-group",
  killSignal: "SIGTERM",
  restartKillSignal: null,
  finalKillSignal: "SIGKILL",
  watchdogSignal: "SIGABRT",
  sendSigkill: true,
  sendSighup: false,
};

const KILL_SIGNALS = [
  "SIGTERM",
  "SIGKILL",
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGABRT",
] as const satisfies readonly KillSignal[];

const SIGNAL_KEYS = new Map<
  string,
  "killSignal" | "restartKillSignal" | "finalKillSignal" | "watchdogSignal"
>([
  ["KillSignal", "killSignal"],
  ["RestartKillSignal", "restartKillSignal"],
  ["FinalKillSignal", "finalKillSignal"],
  ["WatchdogSignal", "watchdogSignal"],
]);

/** Reads a setting of how to kill; false when it is none. */
export function readKill(
  draft: { -readonly [Key in keyof KillConfig]: KillConfig[Key] },
  at: Assignment,
  values: Values,
): boolean {
  const field = SIGNAL_KEYS.get(at.key);
  if (field !== undefined) {
    const signal = KILL_SIGNALS.find((candidate) => candidate === parseSignal(at.value));
    if (signal === undefined) values.ignore(at);
    else draft[field] = signal;
    return true;
  }
  switch (at.key) {
    case "KillMode":
      draft.killMode = values.oneOf(at, KILL_MODES, draft.killMode);
      return true;
    case "SendSIGKILL":
      draft.sendSigkill = values.boolean(at, draft.sendSigkill);
      return true;
    case "SendSIGHUP":
      draft.sendSighup = values.boolean(at, draft.sendSighup);
      return true;
    default:
      return false;
  }
}
