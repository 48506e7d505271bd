/** Where the program lies in the container. */
export const PROGRAM = "/usr/local/bin/act";

/** and the one that mount(8) runs for the type `slow`. */
export const MOUNT_SLOW = "/usr/sbin/mount.slow";

/** What the program does; times in milliseconds from its start. */
export interface Behaviour {
  /** `run=`: how long it runs; null: until a signal ends it. */
  readonly run: number | null;
  /** `exit=`: its exit status. */
  readonly exit: number;
  /** `die=`: the signal it ends itself with, instead of exiting. */
  readonly die: string | null;
  /** `ready=`: when it says READY=1. */
  readonly ready: number | null;
  /** `say=AT:TAG,…`: what else it says, and `ping=EVERY:TIMES`: how often that it is alive, in ascending order. */
  readonly says: readonly { readonly at: number; readonly tag: string }[];
  /** `pidfile=AT:PATH`: where it writes its pid, and when. */
  readonly pidFile: { readonly at: number; readonly path: string } | null;
  /** `term=TAKES:CODE` or `term=never:0`: what it does on SIGTERM, SIGINT, SIGHUP, SIGABRT; null: it dies of it. */
  readonly term: { readonly takes: number | null; readonly code: number } | null;
  /** `fork=`: it forks at once; the parent exits then, the child does the rest. */
  readonly fork: number | null;
  readonly forkexit: number;
  /** `child=`: it starts a child at once that lives as long; with `deaf` the child ignores what `term=` is about. */
  readonly child: number | null;
  readonly deaf: boolean;
  /** `touch=` and `rm=`: files it makes and removes at once. */
  readonly touch: string | null;
  readonly rm: string | null;
  /** `drain`: it takes off what is on its socket. */
  readonly drain: boolean;
}

/** Reads the command line of the program; null when it is another one. */
export function behaviourOf(argv: readonly string[]): Behaviour | null {
  if (argv[0] !== PROGRAM) return null;
  const words = new Map(
    argv.slice(1).map((word): [string, string] => {
      const equals = word.indexOf("=");
      return equals < 0 ? [word, ""] : [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
  const number = (name: string): number | null => {
    const text = words.get(name);
    if (text === undefined) return null;
    if (!/^[0-9]+$/.test(text)) throw new Error(`${name}=${text} is no number: ${argv.join(" ")}`);
    return Number(text);
  };
  const term = words.get("term")?.split(":");
  return {
    run: number("run"),
    exit: number("exit") ?? 0,
    die: words.get("die") ?? null,
    ready: number("ready"),
    says: saysOf(words),
    pidFile: pidFileOf(words.get("pidfile")),
    term:
      term === undefined
        ? null
        : { takes: term[0] === "never" ? null : Number(term[0]), code: Number(term[1] ?? "0") },
    fork: number("fork"),
    forkexit: number("forkexit") ?? 0,
    child: number("child"),
    deaf: words.has("deaf"),
    touch: words.get("touch") ?? null,
    rm: words.get("rm") ?? null,
    drain: words.has("drain"),
  };
}

function saysOf(words: ReadonlyMap<string, string>): Behaviour["says"] {
  const says = (words.get("say") ?? "")
    .split(",")
    .filter((say) => say !== "")
    .map((say) => {
      const colon = say.indexOf(":");
      return { at: Number(say.slice(0, colon)), tag: say.slice(colon + 1) };
    });
  const [every = 0, times = 0] = words.get("ping")?.split(":").map(Number) ?? [];
  for (let ping = 1; ping <= times; ping++) says.push({ at: ping * every, tag: "WATCHDOG=1" });
  return says.sort((left, right) => left.at - right.at);
}

function pidFileOf(word: string | undefined): Behaviour["pidFile"] {
  if (word === undefined) return null;
  const colon = word.indexOf(":");
  return { at: Number(word.slice(0, colon)), path: word.slice(colon + 1) };
}

/**
 * What other programs do: how long they take and with what they end. Of mount(8)'s type `slow` the options say it;
 * nobody knows `nosuchfs`, nor `nosuchuser`.
 */
export function endOf(argv: readonly string[]): { readonly run: number; readonly exit: number } {
  if (argv[0] === "(sd-chown)") return { run: 0, exit: argv[1] === "nosuchuser" ? 217 : 0 };
  const after = (flag: string) => argv[argv.indexOf(flag) + 1] ?? "";
  const type = argv.includes("-t") ? after("-t") : "";
  if (type === "nosuchfs") return { run: 0, exit: 32 };
  if (type !== "slow") return { run: 0, exit: 0 };
  const option = (name: string) =>
    Number(new RegExp(`\\b${name}=([0-9]+)`).exec(after("-o"))?.[1] ?? "0");
  return { run: option("run"), exit: option("exit") };
}
