import type { NodeIndex } from "../../core/kernel/index.js";
import {
  DURATION_MAX,
  type FaultKind,
  readDuration,
  readShare,
  readSpan,
  type Scenario,
} from "../../sim/index.js";
import { CONTROL_COMMANDS, controlHelp } from "./control-help.js";
import { isServing, type ServedWorld } from "./serve-world.js";

/** A command of `orrery ctl`, as a word list. */
export interface ControlOptions {
  readonly world: ServedWorld;
  /** Where the clients of a host's member connect. */
  readonly addressOf: (node: NodeIndex) => string;
  /** Writes what the log holds so far to a file; the text says what was done, or why not. */
  readonly saveLog: (path: string) => string;
  readonly stop: () => void;
}

/** What a command has to say for itself, and whether it was done. */
export interface ControlAnswer {
  readonly ok: boolean;
  readonly text: string;
}

class Refusal extends Error {}

/** Whether a scenario has the service that is to be out, and what that service is. */
const SERVICES = {
  "discovery-down": ({ discovery }: Scenario) => [discovery !== null, "discovery service"],
  "registry-down": ({ containers }: Scenario) => [containers !== undefined, "registry of images"],
  "update-down": ({ update }: Scenario) => [update !== null, "update service"],
} as const;

/** Carries out what `orrery ctl` asks of a served world. */
export class Control {
  readonly #options: ControlOptions;
  readonly #world: ServedWorld;
  #nextFault: number;

  constructor(options: ControlOptions, firstFault: number) {
    this.#options = options;
    this.#world = options.world;
    this.#nextFault = firstFault;
  }

  run(words: readonly string[]): ControlAnswer {
    try {
      return { ok: true, text: this.#run(readWords(words)) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { ok: false, text: error.message };
    }
  }

  #run({ command, words, flags }: Words): string {
    switch (command) {
      case "help":
        return controlHelp();
      case "status":
        return this.#status();
      case "partition":
        return this.#partition(words, flags);
      case "link":
        return this.#link(words, flags);
      case "heal":
        return this.#heal(words);
      case "crash":
        return this.#each(words, flags, (host) => ({
          kind: "crash",
          host,
          loseUnsyncedPpm: 1_000_000,
          loseDisk: flags.has("lose-disk"),
        }));
      case "start":
        return this.#endKind(words, "crash", "was not crashed from here");
      case "kill-process":
        return this.#kill(words, flags);
      case "pause":
        return this.#each(words, flags, (host) => ({ kind: "pause", host }));
      case "resume":
        return this.#endKind(words, "pause", "was not paused from here");
      case "slow-disk": {
        const [name, text = ""] = words;
        const delay = readSpan(text, readDuration);
        if (delay === null) throw new Refusal(`"${text}" is no delay: expected 20ms or 5ms..80ms`);
        return this.#begin({ kind: "slow-disk", host: this.#host(name), delay }, flags);
      }
      case "clock": {
        const [name, text = ""] = words;
        const by = readDuration(text);
        if (by === null) throw new Refusal(`"${text}" is no time: expected 5s or -200ms`);
        return this.#begin({ kind: "clock-step", host: this.#host(name), by }, flags);
      }
      case "discovery-down":
      case "registry-down":
      case "update-down": {
        const [there, what] = SERVICES[command](this.#world.simulation.scenario);
        if (!there) throw new Refusal(`this scenario has no ${what}`);
        return this.#begin({ kind: command }, flags);
      }
      case "reboot": {
        const hosts = this.#hosts(words);
        this.#world.intervene({ kind: "action", action: { kind: "reboot", hosts } });
        return `${this.#names(hosts)} reboots`;
      }
      case "end":
        return this.#end(words);
      case "speed":
        return this.#speed(words[0]);
      case "log":
        if (words[0] === undefined) throw new Refusal("expected a file");
        return this.#options.saveLog(words[0]);
      case "stop":
        this.#options.stop();
        return "stopping";
      default: {
        const known = CONTROL_COMMANDS.map(([usage]) => usage.split(" ")[0]).join(", ");
        throw new Refusal(`"${command}" is no command. There are: ${known}.`);
      }
    }
  }

  #partition(words: readonly string[], flags: Flags): string {
    const [left = [], right] = sides(words);
    const named = [...left, ...(right ?? [])];
    if (named.includes("clients")) {
      const others = named.filter((name) => name !== "clients");
      const hosts = others.length === 0 ? this.#all() : this.#hosts(others);
      for (const host of hosts) this.#world.cutClients(host, true);
      return `clients no longer reach ${this.#names(hosts)}; heal ends it`;
    }
    const from = this.#hosts(left);
    const to =
      right === undefined ? this.#all().filter((host) => !from.includes(host)) : this.#hosts(right);
    const both = from.filter((host) => to.includes(host));
    if (both.length > 0) throw new Refusal(`${this.#names(both)} is on both sides`);
    return this.#begin({ kind: "partition", from, to, oneWay: flags.has("one-way") }, flags);
  }

  #link(words: readonly string[], flags: Flags): string {
    const [left = [], right] = sides(words);
    const from = this.#hosts(left);
    const to =
      right === undefined ? this.#all().filter((host) => !from.includes(host)) : this.#hosts(right);
    const delay = readSpan(flags.get("delay") ?? "0s", readDuration);
    const lossPpm = readShare(flags.get("loss") ?? "0%");
    if (delay === null) throw new Refusal("--delay: expected 50ms or 10ms..80ms");
    if (lossPpm === null) throw new Refusal("--loss: expected 10%");
    const oneWay = flags.has("one-way");
    return this.#begin({ kind: "link", from, to, oneWay, lossPpm, duplicatePpm: 0, delay }, flags);
  }

  #heal(ids: readonly string[]): string {
    if (ids.length > 0) return this.#end(ids);
    const hosts = this.#all().filter((host) => this.#world.areClientsCut(host));
    for (const host of hosts) this.#world.cutClients(host, false);
    const healed = [...this.#world.simulation.activeFaults.values()].filter(
      ({ kind }) => kind === "partition" || kind === "link",
    );
    for (const { id } of healed) this.#world.intervene({ kind: "end-fault", id });
    return healed.length + hosts.length === 0 ? "there was nothing to heal" : "healed";
  }

  #kill([name, unit]: readonly string[], flags: Flags): string {
    const host = this.#host(name);
    const daemons = [...(this.#world.simulation.hosts[host]?.daemons.values() ?? [])];
    const chosen = unit ?? daemons.find((daemon) => daemon.name === "etcd")?.unit;
    if (chosen === undefined) throw new Refusal(`no etcd runs on ${name ?? ""}; name a unit`);
    return this.#begin({ kind: "kill-process", host, unit: chosen }, flags, KILL);
  }

  #each(words: readonly string[], flags: Flags, fault: (host: NodeIndex) => FaultKind): string {
    return this.#hosts(words)
      .map((host) => this.#begin(fault(host), flags))
      .join("\n");
  }

  #begin(kind: FaultKind, flags: Flags, lasts = DURATION_MAX): string {
    const text = flags.get("for");
    const duration = text === undefined ? lasts : readDuration(text);
    if (duration === null || duration <= 0) throw new Refusal("--for: expected 500ms, 10s or 2m");
    const id = this.#nextFault++;
    this.#world.begin(kind, id, duration);
    return `${this.#describe(kind)} (${id})`;
  }

  #endKind(words: readonly string[], kind: FaultKind["kind"], otherwise: string): string {
    const hosts = this.#hosts(words);
    const lasting = [...this.#world.simulation.activeFaults.values()];
    for (const host of hosts) {
      const ours = lasting.filter(
        (fault) => fault.kind === kind && "host" in fault && fault.host === host,
      );
      if (ours.length === 0) throw new Refusal(`${this.#names([host])} ${otherwise}`);
      for (const { id } of ours) this.#world.intervene({ kind: "end-fault", id });
    }
    return `${this.#names(hosts)}: ${kind} ended`;
  }

  #end(words: readonly string[]): string {
    const lasting = this.#world.simulation.activeFaults;
    const ids = words[0] === "all" ? [...lasting.keys()] : words.map(Number);
    if (ids.length === 0 && words[0] !== "all") throw new Refusal("expected numbers, or all");
    for (const id of ids) {
      if (!lasting.has(id)) throw new Refusal(`there is no fault ${id}. See status.`);
    }
    for (const id of ids) this.#world.intervene({ kind: "end-fault", id });
    return ids.length === 0 ? "no fault lasts" : `ended ${ids.join(", ")}`;
  }

  #speed(text = ""): string {
    const speed = Number(text);
    if (text === "" || !Number.isFinite(speed) || speed < 0 || speed > SPEED_MAX) {
      throw new Refusal(`"${text}" is no speed: expected a number from 0 to ${SPEED_MAX}`);
    }
    this.#world.speed = speed;
    return speed === 0 ? "time stands still" : `${speed} simulated seconds in a real one`;
  }

  #status(): string {
    const { simulation } = this.#world;
    const lines = simulation.hosts.map((host) => {
      const node = host.config.index;
      const paused = simulation.isPaused(node) ? ", paused" : "";
      const cut = this.#world.areClientsCut(node) ? ", clients cut off" : "";
      const run = isServing(host) ? (host.member?.run ?? null) : null;
      const what = run === null ? `${host.power === "up" ? "no etcd" : host.power}` : run.node.role;
      const figures =
        run === null
          ? ""
          : `, term ${run.node.term}, revision ${run.stores.mvcc.revision}, applied ${run.stores.applied.index}`;
      return `${host.config.name.padEnd(12)} ${this.#options.addressOf(node)}  ${what}${figures}${paused}${cut}`;
    });
    const faults = [...simulation.activeFaults.values()].map(
      (fault) => `fault ${fault.id}: ${this.#describe(fault)}`,
    );
    const { lostMs, speed } = this.#world;
    const pace = `time ${(simulation.at / 1_000_000).toFixed(1)} s, speed ${speed}${lostMs > 0 ? `, ${lostMs} ms behind what was asked` : ""}`;
    const broken = simulation.invariants.violations.map(
      ({ invariant, detail }) => `VIOLATED ${invariant}: ${detail}`,
    );
    return [pace, ...lines, ...faults, ...broken].join("\n");
  }

  #describe(fault: FaultKind): string {
    switch (fault.kind) {
      case "partition":
        return `partition ${this.#names(fault.from)} ${fault.oneWay ? ">" : "|"} ${this.#names(fault.to)}`;
      case "link":
        return `bad link ${this.#names(fault.from)} | ${this.#names(fault.to)}`;
      case "kill-process":
        return `${this.#names([fault.host])}: ${fault.unit} killed`;
      case "update-down":
      case "discovery-down":
      case "registry-down":
        return fault.kind;
      default:
        return `${this.#names([fault.host])}: ${fault.kind}`;
    }
  }

  #all(): NodeIndex[] {
    return this.#world.simulation.hosts.map((host) => host.config.index);
  }

  #names(hosts: readonly NodeIndex[]): string {
    return hosts.map((host) => this.#world.simulation.name(host)).join(",");
  }

  #hosts(words: readonly string[]): NodeIndex[] {
    const names = words.flatMap((word) => word.split(",")).filter((name) => name !== "");
    if (names.length === 0) throw new Refusal(`expected a host: ${this.#names(this.#all())}`);
    return [...new Set(names.map((name) => this.#host(name)))];
  }

  #host(name: string | undefined): NodeIndex {
    const host = this.#world.simulation.hosts.find((one) => one.config.name === name);
    if (host !== undefined) return host.config.index;
    throw new Refusal(`there is no host "${name ?? ""}". There are: ${this.#names(this.#all())}.`);
  }
}

/** Fastest that a world may be asked to run. */
export const SPEED_MAX = 1_000;

/** A killed process is kept down for so long, so that its end is seen. */
const KILL = 100_000;

type Flags = ReadonlyMap<string, string>;

interface Words {
  readonly command: string;
  readonly words: readonly string[];
  readonly flags: Flags;
}

const WITH_VALUE = ["for", "delay", "loss"];
const ALONE = ["one-way", "lose-disk"];

function readWords(all: readonly string[]): Words {
  const [command = "help", ...rest] = all;
  const words: string[] = [];
  const flags = new Map<string, string>();
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? "";
    if (!word.startsWith("--")) {
      words.push(word);
      continue;
    }
    const [name = "", given] = word.slice(2).split("=", 2);
    if (ALONE.includes(name)) flags.set(name, "");
    else if (WITH_VALUE.includes(name)) flags.set(name, given ?? rest[++i] ?? "");
    else
      throw new Refusal(
        `--${name} is no flag. There are: --${[...WITH_VALUE, ...ALONE].join(", --")}.`,
      );
  }
  return { command, words, flags };
}

/** `a,b | c` as two lists; the second is missing when there is no bar. */
function sides(words: readonly string[]): [string[], string[] | undefined] {
  const [left = "", right, ...more] = words.join(" ").split("|");
  if (more.length > 0) throw new Refusal("expected two sides: a,b | c");
  const names = (text: string): string[] => text.split(/[\s,]+/).filter((name) => name !== "");
  return [names(left), right === undefined ? undefined : names(right)];
}
