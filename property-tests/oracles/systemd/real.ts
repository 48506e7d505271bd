import {
  closeSync,
  constants as files,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BusError, type BusSignal } from "../../../adapters/systemd/index.js";
import { type Container, callManager, DESTINATION, getProperty, MANAGER } from "./container.js";
import { orderedPairs } from "./model.js";
import { linksOf, type Outcome, outcomeOf, type Told } from "./outcome.js";
import {
  type Action,
  type DropIn,
  fifoOf,
  folderOf,
  looksAtClock,
  PHASE_MS,
  placeOf,
  STAY,
  STAY_TEXT,
  textOf,
  UNIT_DIRECTORY,
  type UnitSet,
} from "./unit-set.js";

/**
 * How often systemd is woken, in milliseconds. Its event loop lets timers be late by up to 250 ms to
 * save energy; a process that is awake anyway sees that they are due.
 */
const WAKE_MS = 10;

/** How long the jobs of a set may take once it has been cleaned up. */
const JOBS_MS_MAX = 10_000;

const ETC = "/etc/systemd/system";

const UNIT_PATH = `${MANAGER}/unit/`;

/** The container's systemd, on which sets are run one beside the other: their units have names of their own. */
export class RealSystemd {
  readonly #container: Container;
  readonly #told = new Map<string, Told[]>();
  readonly #waker: ReturnType<typeof setInterval>;
  /** When the last set that was alone has gone. */
  #free: Promise<unknown> = Promise.resolve();

  private constructor(container: Container) {
    this.#container = container;
    container.bus.signals.subscribe((signal) => this.#hear(signal));
    this.#waker = setInterval(() => {
      const target = { destination: DESTINATION, path: MANAGER };
      const ping = { ...target, interface: "org.freedesktop.DBus.Peer", member: "Ping" };
      container.bus.call(ping, 20_000).catch(() => {});
    }, WAKE_MS);
  }

  /** With `alone` its sets run one after the other, and may isolate: all that is up now stays up. */
  static async over(container: Container, alone: boolean): Promise<RealSystemd> {
    const { bus } = container;
    for (const rule of [
      `type='signal',sender='${DESTINATION}',interface='org.freedesktop.DBus.Properties',arg0='${DESTINATION}.Unit'`,
      `type='signal',sender='${DESTINATION}',interface='${DESTINATION}.Manager',member='JobRemoved'`,
    ]) {
      const target = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };
      const call = { ...target, interface: "org.freedesktop.DBus", member: "AddMatch" };
      await bus.call({ ...call, signature: "s", body: [rule] }, 20_000);
    }
    await callManager(bus, "Subscribe");
    if (alone) await keepUnits(container);
    return new RealSystemd(container);
  }

  close(): void {
    clearInterval(this.#waker);
  }

  /** Runs a set to its end; `restMs` is how long the model says it takes. One that is alone waits for its turn. */
  run(set: UnitSet, restMs: number): Promise<Outcome> {
    if (!set.alone) return this.#run(set, restMs);
    const done = this.#free.then(async () => {
      const outcome = await this.#run(set, restMs);
      await this.#jobsDone();
      return outcome;
    });
    this.#free = done.catch(() => {});
    return done;
  }

  /** What the set before has left to do would be seen by the next one. */
  async #jobsDone(): Promise<void> {
    for (let waited = 0; waited < JOBS_MS_MAX; waited += 50) {
      const [jobs] = await this.#manager("ListJobs");
      if (Array.isArray(jobs) && jobs.length === 0) return;
      await sleep(50);
    }
  }

  async #run(set: UnitSet, restMs: number): Promise<Outcome> {
    const names = set.units.map(({ name }) => name);
    const told: Told[] = [];
    this.#place(set);
    const held = new Set<string>();
    try {
      await this.#hold(names, held);
      for (const name of names) this.#told.set(name, told);
      const replies = await this.#act(set, held);
      await this.#rest(told, restMs - (set.actions.at(-1)?.at ?? 0));
      const ends: Record<string, string> = {};
      for (const name of names) ends[name] = await this.#endOf(name);
      const seen = { replies, told, ends, links: linksOf(names, this.#links()) };
      return outcomeOf(seen, names, orderedPairs(set));
    } finally {
      for (const name of names) this.#told.delete(name);
      await this.#cleanUp(set);
    }
  }

  /** Loads units and keeps them loaded while nothing is up; one that is not there cannot be kept. */
  async #hold(names: readonly string[], held: Set<string>): Promise<void> {
    for (const name of names) {
      if (held.has(name)) continue;
      try {
        await this.#manager("RefUnit", "s", [name]);
        held.add(name);
      } catch (error) {
        if (!(error instanceof BusError)) throw error;
      }
    }
  }

  #place(set: UnitSet): void {
    for (const folder of this.#folders(set)) mkdirSync(folder, { recursive: true });
    for (const unit of set.units) {
      const path = this.#container.path(placeOf(unit));
      if (unit.masked === true) symlinkSync("/dev/null", path);
      else writeFileSync(path, textOf(unit));
      for (const dropIn of unit.dropIns ?? []) this.#writeDropIn(unit.name, dropIn);
    }
  }

  #writeDropIn(unit: string, dropIn: DropIn): void {
    const folder = this.#container.path(`${UNIT_DIRECTORY}/${unit}.d`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${dropIn.name}.conf`), textOf(dropIn));
  }

  /** All links in the folders in which units are installed, `PATH -> TARGET`. */
  #links(): string[] {
    return [ETC, UNIT_DIRECTORY].flatMap((folder) => {
      const root = this.#container.path(folder);
      return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((entry) => {
        if (!entry.isSymbolicLink()) return [];
        const path = join(entry.parentPath, entry.name);
        return [`${folder}${path.slice(root.length)} -> ${readlinkSync(path)}`];
      });
    });
  }

  async #act(set: UnitSet, held: Set<string>): Promise<string[]> {
    const outside = set.units.filter((unit) => unit.outside === true).map(({ name }) => name);
    const begun = looksAtClock(set) ? await evenSecond() : performance.now();
    const replies: string[] = [];
    for (const { at, action } of set.actions) {
      const wait = begun + at - performance.now();
      if (wait > 0) await sleep(wait);
      replies.push(await this.#carryOut(action));
      if (action.kind === "daemon-reload") await this.#hold(outside, held);
    }
    return replies;
  }

  async #carryOut(action: Action): Promise<string> {
    try {
      switch (action.kind) {
        case "job":
          await this.#manager(METHODS[action.call], "ss", [action.unit, action.mode]);
          break;
        case "touch":
          closeSync(openSync(this.#container.path(action.path), "w"));
          break;
        case "remove":
          rmSync(this.#container.path(action.path), { force: true });
          break;
        case "traffic":
          this.#write(this.#container.path(fifoOf(action.unit)));
          break;
        case "reset-failed":
          await this.#manager("ResetFailedUnit", "s", [action.unit]);
          break;
        case "drop-in":
          this.#writeDropIn(action.unit, action.dropIn);
          break;
        case "install":
          await this.#install(action);
          break;
        case "link": {
          const { path, runtime, force } = action;
          await this.#manager("LinkUnitFiles", "asbb", [[path], runtime, force]);
          break;
        }
        case "kill": {
          const { unit, who, signal } = action;
          await this.#manager("KillUnit", "ssi", [unit, who, constants.signals[signal]]);
          break;
        }
        case "daemon-reload":
          await this.#manager("Reload");
      }
      return "ok";
    } catch (error) {
      if (error instanceof BusError) return error.errorName;
      throw error;
    }
  }

  #install({ call, unit, runtime }: Extract<Action, { readonly kind: "install" }>) {
    switch (call) {
      case "enable":
        return this.#manager("EnableUnitFiles", "asbb", [[unit], runtime, true]);
      case "mask":
        return this.#manager("MaskUnitFiles", "asbb", [[unit], runtime, false]);
      case "disable":
        return this.#manager("DisableUnitFiles", "asb", [[unit], runtime]);
      case "unmask":
        return this.#manager("UnmaskUnitFiles", "asb", [[unit], runtime]);
    }
  }

  /** Nobody may have the FIFO open for reading, in which case nothing is written. */
  #write(path: string): void {
    try {
      const file = openSync(path, files.O_WRONLY | files.O_NONBLOCK);
      writeSync(file, "x");
      closeSync(file);
    } catch {
      // The socket unit is not listening.
    }
  }

  /** Waits for as long as the model says, and on until nothing has been told for a while. */
  async #rest(told: readonly Told[], ms: number): Promise<void> {
    await sleep(Math.max(0, ms) + 150);
    for (let before = -1; before < told.length; ) {
      before = told.length;
      await sleep(200);
    }
  }

  #hear(signal: BusSignal): void {
    if (signal.member === "JobRemoved") {
      const [, , unit, result] = signal.body;
      this.#tell(String(unit), `job ${String(result)}`);
    } else if (signal.member === "PropertiesChanged" && signal.path.startsWith(UNIT_PATH)) {
      const [, changed] = signal.body;
      const active = valueIn(changed, "ActiveState");
      if (active === null) return;
      this.#tell(unitOf(signal.path), `${active}/${valueIn(changed, "SubState")}`);
    }
  }

  #tell(unit: string, what: string): void {
    const told = this.#told.get(unit);
    // Each thing has a turn of its own here: it is the order that was seen.
    told?.push({ unit, what, turn: told.length });
  }

  async #endOf(name: string): Promise<string> {
    const path = `${UNIT_PATH}${escapeName(name)}`;
    const type = name.slice(name.lastIndexOf(".") + 1);
    if (type === "target" || type === "slice") return "success";
    const owner = `${DESTINATION}.${type.charAt(0).toUpperCase()}${type.slice(1)}`;
    const { bus } = this.#container;
    const result = String(await getProperty(bus, path, owner, "Result"));
    if (type !== "service") return result;
    return `${result} ${String(await getProperty(bus, path, owner, "NRestarts"))}`;
  }

  async #cleanUp(set: UnitSet): Promise<void> {
    const names = set.units.map(({ name }) => name);
    for (const link of linksOf(names, this.#links())) {
      rmSync(this.#container.path(link.split(" -> ", 1)[0] ?? ""), { force: true });
    }
    for (const { name } of set.units) {
      await this.#manager("KillUnit", "ssi", [name, "all", 9]).catch(() => {});
      await this.#manager("StopUnit", "ss", [name, "replace"]).catch(() => {});
    }
    for (const unit of set.units) {
      await this.#manager("ResetFailedUnit", "s", [unit.name]).catch(() => {});
      await this.#manager("UnrefUnit", "s", [unit.name]).catch(() => {});
      rmSync(this.#container.path(placeOf(unit)), { force: true });
      rmSync(this.#container.path(`${UNIT_DIRECTORY}/${unit.name}.d`), {
        force: true,
        recursive: true,
      });
    }
    for (const folder of this.#folders(set)) rmSync(folder, { force: true, recursive: true });
  }

  #folders(set: UnitSet): Set<string> {
    return new Set(set.units.map(({ name }) => this.#container.path(folderOf(name))));
  }

  #manager(member: string, signature = "", body: readonly unknown[] = []) {
    return callManager(this.#container.bus, member, signature, body);
  }
}

/** Waits for the clock's seconds to be even, which the container has from this machine; tells when they were. */
async function evenSecond(): Promise<number> {
  // A little longer, as a timer may be early by less than a millisecond.
  await sleep(PHASE_MS - (Date.now() % PHASE_MS) + 2);
  return performance.now() - (Date.now() % PHASE_MS);
}

const METHODS = {
  start: "StartUnit",
  stop: "StopUnit",
  restart: "RestartUnit",
  "try-restart": "TryRestartUnit",
  reload: "ReloadUnit",
  "reload-or-restart": "ReloadOrRestartUnit",
  "reload-or-try-restart": "ReloadOrTryRestartUnit",
} as const;

/** A string among the properties of a PropertiesChanged, null when it has not changed. */
function valueIn(changed: unknown, name: string): string | null {
  if (typeof changed !== "object" || changed === null) return null;
  const variant: unknown = Object.entries(changed).find(([key]) => key === name)?.[1];
  if (typeof variant !== "object" || variant === null || !("value" in variant)) return null;
  return String(variant.value);
}

const escapeName = (name: string): string =>
  name.replace(/[^A-Za-z0-9]/g, (character) => `_${character.charCodeAt(0).toString(16)}`);

const unitOf = (path: string): string =>
  path
    .slice(UNIT_PATH.length)
    .replace(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Lets every unit that is loaded stay up whatever is isolated. */
async function keepUnits({ bus, path }: Container): Promise<void> {
  const [units] = await callManager(bus, "ListUnits");
  if (!Array.isArray(units)) throw new Error("systemd did not list its units");
  for (const [name] of units) {
    const folder = path(`${UNIT_DIRECTORY}/${String(name)}.d`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, STAY), STAY_TEXT);
  }
  await callManager(bus, "Reload");
}
