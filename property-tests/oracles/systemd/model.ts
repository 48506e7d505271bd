import { createGenerator, nextBetween, stepInPlace } from "../../../core/kernel/index.js";
import {
  type SystemdEffect,
  type SystemdRequest,
  type SystemdState,
  type SystemdStimulus,
  systemd,
} from "../../../core/systemd/index.js";
import { linksOf, type Outcome, outcomeOf, type Told } from "./outcome.js";
import {
  type Action,
  type DropIn,
  fileOf,
  OUTSIDE,
  STAY,
  STAY_TEXT,
  textOf,
  UNIT_DIRECTORY,
  type UnitSet,
} from "./unit-set.js";
import { Programs } from "./world.js";

/** What the clock shows when a set begins, in microseconds since 1970: an even second of 1 March 2017. */
const EPOCH = 1_488_369_600_000_000;

/** The most steps of a run: a set that needs more goes on for ever. */
const STEPS_MAX = 2_000;

/** The longest that a set may take, in milliseconds; of a stretched set as many times as much. */
const SET_MS_MAX = 9_000;

/** A set as the model has it. */
export interface ModelRun {
  readonly outcome: Outcome;
  /** When the last thing happened, in milliseconds from the beginning. */
  readonly end: number;
  /** It came to rest in good time. */
  readonly quiet: boolean;
}

/** What a run of a set is subject to. */
export interface Conditions {
  /** 0: everything takes the time it says; otherwise a seed by which everything takes somewhat longer, as on a real machine. */
  readonly jitter: number;
  /** The key of systemd's hash tables, by which it visits units in one order or another. */
  readonly hashKey?: number;
  /** How many times as long as it was drawn the set is. */
  readonly stretched?: number;
}

/** Runs a set on the model. */
export function runOnModel(
  set: UnitSet,
  { jitter, hashKey = 0, stretched = 1 }: Conditions,
): ModelRun {
  return new Run(set, jitter, hashKey, SET_MS_MAX * stretched).run();
}

/** Pairs of units of which the first comes after the second, by either's file. */
export function orderedPairs(set: UnitSet): (readonly [string, string])[] {
  const names = new Set(set.units.map(({ name }) => name));
  const pairs = new Map<string, readonly [string, string]>();
  for (const { name, lines, dropIns = [] } of set.units) {
    for (const line of [...lines, ...dropIns.flatMap((dropIn) => dropIn.lines)]) {
      const [key, value = ""] = line.split("=", 2);
      if (key !== "After" && key !== "Before") continue;
      for (const other of value.split(" ")) {
        if (!names.has(other)) continue;
        const pair = key === "After" ? ([name, other] as const) : ([other, name] as const);
        pairs.set(pair.join(" "), pair);
      }
    }
  }
  return [...pairs.values()];
}

/** The slowest that a machine under some load is expected to be, in milliseconds. */
const SLOWNESS = { begin: 45, end: 25, signal: 15, timer: 25, action: 8, fork: 15 } as const;

class Run {
  readonly #set: UnitSet;
  readonly #longest: number;
  readonly #state: SystemdState;
  readonly #told: Told[] = [];
  readonly #replies: string[] = [];
  readonly #queue: { at: number; order: number; act: () => void }[] = [];
  readonly #timers = new Map<string, number>();
  readonly #programs: Programs;
  readonly #slow: (kind: keyof typeof SLOWNESS) => number;
  /** systemd does one thing after the other: until then it is busy with starting programs. */
  #busy = 0;
  #now = 0;
  #order = 0;
  #last = 0;
  #turn = 0;

  constructor(set: UnitSet, jitter: number, hashKey: number, longest: number) {
    this.#set = set;
    this.#state = systemd.create({
      hostname: "oracle",
      machineId: "0".repeat(32),
      serviceWatchdogs: true,
      reloadForgetsLimits: true,
      hashKey,
    });
    this.#longest = longest;
    const generator = createGenerator(jitter, "slowness");
    this.#slow = (kind) =>
      jitter === 0 ? FASTEST[kind] : nextBetween(generator, 1, SLOWNESS[kind]);
    this.#programs = new Programs(
      (delay, act) => this.#schedule(delay, act),
      (stimulus) => this.#send(stimulus),
      (kind) => this.#slow(kind),
    );
  }

  run(): ModelRun {
    this.#send({ kind: "boot", defaultTarget: "multi-user.target", bootId: "b", vendorUnits: [] });
    this.#send({ kind: "file-changed", path: "/etc/passwd", text: "root" });
    if (this.#set.alone) this.#keepOwnUnits();
    for (const unit of this.#set.units) {
      const file = fileOf(unit);
      if (unit.masked === true) this.#call({ call: "mask", unit: file, runtime: true });
      else {
        const directory = unit.outside === true ? OUTSIDE : UNIT_DIRECTORY;
        this.#call({ call: "write-unit", unit: file, text: textOf(unit), directory });
      }
      for (const dropIn of unit.dropIns ?? []) this.#writeDropIn(unit.name, dropIn);
    }
    const names = this.#set.units.map(({ name }) => name);
    for (const unit of names) this.#call({ call: "ref", unit });
    this.#told.length = 0;
    this.#actFrom(0);
    const quiet = this.#drain();
    const ends: Record<string, string> = {};
    // Who asks for a unit's properties has it loaded.
    this.#call({ call: "list-units", units: names });
    for (const name of names) ends[name] = this.#endOf(name);
    const pairs = orderedPairs(this.#set);
    const links = [...this.#state.links].map((link) => link.join(" -> "));
    const seen = { replies: this.#replies, told: this.#told, ends, links: linksOf(names, links) };
    const outcome = outcomeOf(seen, names, pairs);
    return { outcome, end: this.#last, quiet };
  }

  #writeDropIn(unit: string, dropIn: DropIn): string {
    const name = `${dropIn.name}.conf`;
    return this.#call({ call: "write-drop-in", unit, name, text: textOf(dropIn) });
  }

  /** What is up by itself is no business of a set that isolates. */
  #keepOwnUnits(): void {
    for (const unit of this.#state.units.keys()) {
      this.#call({ call: "write-drop-in", unit, name: STAY, text: STAY_TEXT });
    }
    this.#call({ call: "daemon-reload" });
  }

  /** Actions are carried out one after the other, late ones too. */
  #actFrom(index: number): void {
    const next = this.#set.actions[index];
    if (next === undefined) return;
    this.#schedule(Math.max(0, next.at - this.#now) + this.#slow("action"), () => {
      this.#replies.push(this.#act(next.action));
      this.#actFrom(index + 1);
    });
  }

  #drain(): boolean {
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      const next = this.#queue.shift();
      if (next === undefined) return true;
      if (next.at > this.#longest) return false;
      this.#now = Math.max(this.#now, next.at);
      next.act();
    }
    return false;
  }

  #schedule(delay: number, act: () => void): void {
    const entry = { at: this.#now + delay, order: this.#order++, act };
    const index = this.#queue.findLastIndex(({ at }) => at <= entry.at);
    this.#queue.splice(index + 1, 0, entry);
  }

  #act(action: Action): string {
    switch (action.kind) {
      case "job":
        return this.#call({ call: action.call, unit: action.unit, mode: action.mode });
      case "touch":
        this.#send({ kind: "file-changed", path: action.path, text: "" });
        return "ok";
      case "remove":
        this.#send({ kind: "file-changed", path: action.path, text: null });
        return "ok";
      case "traffic":
        this.#send({ kind: "socket-traffic", unit: action.unit });
        return "ok";
      case "reset-failed":
        return this.#call({ call: "reset-failed", unit: action.unit });
      case "drop-in":
        return this.#writeDropIn(action.unit, action.dropIn);
      case "install":
        return this.#call({ call: action.call, unit: action.unit, runtime: action.runtime });
      case "kill": {
        const { unit, who, signal } = action;
        return this.#call({ call: "kill", unit, who, signal });
      }
      case "link": {
        const { path, runtime, force } = action;
        return this.#call({ call: "link", path, runtime, force });
      }
      case "daemon-reload": {
        const reply = this.#call({ call: "daemon-reload" });
        for (const { name, outside } of this.#set.units) {
          if (outside === true) this.#call({ call: "ref", unit: name });
        }
        return reply;
      }
    }
  }

  #call(request: SystemdRequest): string {
    const effects = this.#send({ kind: "systemd-call", id: 1, request });
    const reply = effects.find((effect) => effect.kind === "systemd-reply");
    if (reply?.kind !== "systemd-reply") throw new Error(`no answer to ${request.call}`);
    return reply.reply.ok ? "ok" : reply.reply.error;
  }

  #send(stimulus: SystemdStimulus): readonly SystemdEffect[] {
    this.#now = Math.max(this.#now, this.#busy);
    const at = EPOCH + Math.round(this.#now * 1_000);
    this.#turn++;
    const { facts, effects } = stepInPlace(systemd, this.#state, stimulus, at);
    for (const fact of facts) {
      if (fact.kind === "systemd.unit") this.#tell(fact.unit, `${fact.active}/${fact.sub}`);
      else if (fact.kind === "systemd.job") this.#tell(fact.unit, `job ${fact.result}`);
    }
    for (const effect of effects) this.#carryOut(effect);
    return effects;
  }

  #tell(unit: string, what: string): void {
    this.#last = this.#now;
    this.#told.push({ unit, what, turn: this.#turn });
  }

  #carryOut(effect: SystemdEffect): void {
    switch (effect.kind) {
      case "exec":
        this.#busy = Math.max(this.#now, this.#busy) + this.#slow("fork");
        this.#programs.exec(effect);
        return;
      case "kill":
        this.#programs.kill(effect);
        return;
      case "arm-timer": {
        const { timer } = effect;
        const order = this.#order;
        this.#timers.set(timer, order);
        this.#schedule(effect.delay / 1_000 + this.#slow("timer"), () => {
          if (this.#timers.get(timer) === order) this.#send({ kind: "timer", timer });
        });
        return;
      }
      case "cancel-timer":
        this.#timers.delete(effect.timer);
        return;
      default:
    }
  }

  #endOf(name: string): string {
    const unit = this.#state.units.get(name);
    if (unit === undefined) return "unloaded";
    const { service, timer, path, socket, mount } = unit;
    const result = (service ?? timer ?? path ?? socket ?? mount)?.result ?? "success";
    return service === null ? result : `${result} ${service.restarts}`;
  }
}

/** What everything takes without jitter: next to nothing, as on a machine with nothing else to do. */
const FASTEST = { begin: 2, end: 0, signal: 0, timer: 0, action: 0, fork: 0 } as const;
