import { type Micros, SECOND } from "../kernel/index.js";
import { imageReference } from "./image.js";

/** `--restart`: what the daemon does about a container that has ended. */
export interface RestartPolicy {
  readonly name: "no" | "always" | "on-failure" | "unless-stopped";
  /** Most restarts of `on-failure`; 0: no limit. */
  readonly most: number;
}

/** A command line of the docker client, as far as it is modelled. */
export type DockerCommand =
  | DockerRun
  | { readonly command: "start"; readonly names: readonly string[]; readonly attach: boolean }
  | {
      readonly command: "stop" | "restart";
      readonly names: readonly string[];
      /** From SIGTERM to SIGKILL. */
      readonly grace: Micros;
    }
  | { readonly command: "kill"; readonly names: readonly string[]; readonly signal: string }
  | { readonly command: "rm"; readonly names: readonly string[]; readonly force: boolean }
  | { readonly command: "pull"; readonly image: string }
  | { readonly command: "rmi"; readonly images: readonly string[] }
  /** `wait`, `attach` and `logs -f`: until the container ends. */
  | { readonly command: "follow"; readonly name: string }
  /** `ps`, `images`, `inspect`, `logs` and their like, which change nothing. */
  | { readonly command: "look"; readonly names: readonly string[] };

export interface DockerRun {
  readonly command: "run";
  /** Null: the daemon makes one up. */
  readonly name: string | null;
  readonly image: string;
  readonly detach: boolean;
  readonly remove: boolean;
  readonly restart: RestartPolicy;
  /** Ports of the host that lead to the container. */
  readonly ports: readonly number[];
  readonly hostNetwork: boolean;
  /** Signals of the client go on to the container, unless it has a terminal. */
  readonly signalProxy: boolean;
}

/** What a docker command line comes to. */
export type DockerLine =
  | { readonly kind: "command"; readonly command: DockerCommand }
  | { readonly kind: "daemon" }
  /** The client does not take these arguments. */
  | { readonly kind: "usage"; readonly error: string }
  /** A command that changes something that is not modelled. */
  | { readonly kind: "other"; readonly command: string };

/** Docker's time from SIGTERM to SIGKILL. */
const GRACE: Micros = 10 * SECOND;

const NO_RESTART: RestartPolicy = { name: "no", most: 0 };

/** Flags without a value, by command; every other flag takes one. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  run: [
    "d detach i interactive t tty rm P publish-all privileged read-only sig-proxy oom-kill-disable",
    "disable-content-trust init no-healthcheck",
  ],
  start: ["a attach i interactive"],
  rm: ["f force v volumes l link"],
  rmi: ["f force no-prune"],
  pull: ["a all-tags disable-content-trust"],
  logs: ["f follow t timestamps details"],
  attach: ["no-stdin sig-proxy"],
  ps: ["a all l latest no-trunc q quiet s size"],
  images: ["a all digests no-trunc q quiet"],
  inspect: ["s size"],
};

/** Commands that only look. */
const LOOKS = new Set(
  "diff events history images info inspect logs port ps search stats top version".split(" "),
);

/** Reads the arguments of docker (docker 1.x, api/client), without `docker` itself. */
export function parseDocker(args: readonly string[]): DockerLine {
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  // Flags before the command are the client's own: where the daemon is, how to talk to it.
  if (at < 0)
    return args.some((arg) => arg === "-d" || arg === "--daemon") ? DAEMON : usage("no command");
  const command = args[at] ?? "";
  if (command === "daemon") return DAEMON;
  const switches = new Set((SWITCHES[command] ?? []).flatMap((names) => names.split(" ")));
  const line = readFlags(args.slice(at + 1), switches);
  if (line === null) return usage(`flag needs an argument`);
  return readCommand(command, line);
}

const DAEMON: DockerLine = { kind: "daemon" };
const usage = (error: string): DockerLine => ({ kind: "usage", error });

/** Flags with all their values, and what comes after them. */
interface Line {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

function readFlags(args: readonly string[], switches: ReadonlySet<string>): Line | null {
  const flags = new Map<string, string[]>();
  const set = (name: string, value: string) => flags.set(name, [...(flags.get(name) ?? []), value]);
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      at++;
      break;
    }
    if (!arg.startsWith("-") || arg === "-") break;
    const name = arg.replace(/^--?/, "");
    const equals = name.indexOf("=");
    if (equals >= 0) set(name.slice(0, equals), name.slice(equals + 1));
    else if (switches.has(name)) set(name, "true");
    else if (!arg.startsWith("--") && [...name].every((letter) => switches.has(letter))) {
      for (const letter of name) set(letter, "true");
    } else {
      const value = args[++at];
      if (value === undefined) return null;
      set(name, value);
    }
  }
  return { flags, rest: args.slice(at) };
}

function readCommand(command: string, { flags, rest }: Line): DockerLine {
  const value = (...names: string[]) => names.flatMap((name) => flags.get(name) ?? []).at(-1);
  const on = (...names: string[]) => (value(...names) ?? "false") !== "false";
  const done = (made: DockerCommand): DockerLine => ({ kind: "command", command: made });
  const [first] = rest;
  if (LOOKS.has(command) && !(command === "logs" && on("f", "follow"))) {
    const named =
      command === "inspect" || command === "logs" || command === "port" || command === "top";
    return done({ command: "look", names: named ? rest : [] });
  }
  if (first === undefined) return usage(`"docker ${command}" requires an argument`);
  switch (command) {
    case "run":
      return done(readRun({ flags, rest }, first));
    case "start":
      return done({ command, names: rest, attach: on("a", "attach") });
    case "stop":
    case "restart": {
      const seconds = Number(value("t", "time") ?? GRACE / SECOND);
      if (!Number.isInteger(seconds)) return usage(`invalid value for --time`);
      return done({ command, names: rest, grace: Math.max(0, seconds) * SECOND });
    }
    case "kill":
      return done({ command, names: rest, signal: signalName(value("s", "signal") ?? "KILL") });
    case "rm":
      return done({ command, names: rest, force: on("f", "force") });
    case "rmi":
      return done({ command, images: rest.map(imageReference) });
    case "pull":
      return done({ command, image: imageReference(first) });
    case "wait":
    case "attach":
    case "logs":
      return done({ command: "follow", name: first });
    default:
      return { kind: "other", command };
  }
}

function readRun({ flags }: Line, image: string): DockerRun {
  const all = (...names: string[]) => names.flatMap((name) => flags.get(name) ?? []);
  const on = (...names: string[]) => (all(...names).at(-1) ?? "false") !== "false";
  return {
    command: "run",
    name: all("name").at(-1) ?? null,
    image: imageReference(image),
    detach: on("d", "detach"),
    remove: on("rm"),
    restart: restartPolicy(all("restart").at(-1) ?? "no"),
    ports: all("p", "publish").flatMap(hostPort),
    hostNetwork: all("net", "network").at(-1) === "host",
    signalProxy: (all("sig-proxy").at(-1) ?? "true") !== "false" && !on("t", "tty"),
  };
}

/** `80:80`, `127.0.0.1:80:80/tcp`. A port that docker chooses itself is nobody's here. */
function hostPort(text: string): number[] {
  const parts = text.replace(/\/(tcp|udp)$/, "").split(":");
  const port = Number(parts.at(-2));
  return parts.length > 1 && Number.isInteger(port) && port > 0 ? [port] : [];
}

function restartPolicy(text: string): RestartPolicy {
  const [name, most] = text.split(":");
  switch (name) {
    case "always":
    case "unless-stopped":
      return { name, most: 0 };
    case "on-failure":
      return { name, most: Number.parseInt(most ?? "0", 10) || 0 };
    default:
      return NO_RESTART;
  }
}

/** `9`, `KILL` and `SIGKILL` are one. */
function signalName(text: string): string {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const numbers: Readonly<Record<string, string>> = {
    "1": "HUP",
    "2": "INT",
    "9": "KILL",
    "15": "TERM",
  };
  return `SIG${numbers[name] ?? name}`;
}
