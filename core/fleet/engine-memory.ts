import type { MachineState } from "./able-to-run.js";
import { FLEET_FIXES, type FleetFixes } from "./config.js";
import { type Engine, wholeEngine } from "./engine.js";
import { IncrementalEngine } from "./engine-incremental.js";
import type { EngineJob } from "./engine-task.js";
import { emptyReadingMemory, type ReadingMemory } from "./reading-memory.js";
import type { Requirements } from "./requirements.js";
import type { FleetState, JobEntry } from "./state.js";

type Demands = (entry: JobEntry) => Requirements;

/**
 * What an engine keeps of the registry from one pass to the next, so that a pass costs what has
 * changed since. It stands beside the state and not in it, because it says nothing that the next
 * reading does not say again: `look` makes it agree with that reading whatever it held before, and the
 * decisions are those from the reading alone. Without it the next pass only costs more.
 */
class EngineMemory {
  readonly reading = emptyReadingMemory();
  readonly #fixes: FleetFixes;
  readonly #engine: IncrementalEngine;
  #entries: readonly JobEntry[] = [];
  #machines: readonly MachineState[] = [];
  /** How many units the registry has on each machine. */
  readonly #targets = new Map<string, number>();

  constructor(fixes: FleetFixes) {
    this.#fixes = fixes;
    this.#engine = new IncrementalEngine(fixes);
  }

  /** False if two units have one name or two machines one ID, which fleet's own writes never make. */
  take(entries: readonly JobEntry[], machines: readonly MachineState[], demands: Demands): boolean {
    const taken = this.#takeUnits(entries, demands) && this.#takeMachines(machines);
    if (taken) [this.#entries, this.#machines] = [entries, machines];
    return taken;
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** Machines to which units are scheduled. */
  targets(): Iterable<string> {
    return this.#targets.keys();
  }

  /** Walks along both readings, the last and the new one. */
  #takeUnits(entries: readonly JobEntry[], demands: Demands): boolean {
    const before = this.#entries;
    let at = 0;
    let last: string | null = null;
    for (const entry of entries) {
      const { name } = entry;
      let old = before[at];
      while (old !== undefined && old.name !== name && old.name < name) {
        this.#drop(old);
        old = before[++at];
      }
      if (old?.name === name) {
        at++;
        if (old !== entry && !isSame(old, entry)) this.#put(old, entry, demands);
      } else {
        if (last !== null && name <= last) return false;
        this.#put(null, entry, demands);
      }
      last = name;
    }
    for (; at < before.length; at++) this.#drop(before[at] as JobEntry);
    return true;
  }

  #put(old: JobEntry | null, entry: JobEntry, demands: Demands): void {
    if (old !== null) this.#count(old.machine, -1);
    this.#count(entry.machine, 1);
    const unit = engineUnit(entry, demands(entry));
    if (isNowhere(unit, this.#fixes)) this.#engine.change({ kind: "drop-unit", name: unit.name });
    else this.#engine.change({ kind: "put-unit", unit });
  }

  #drop({ name, machine }: JobEntry): void {
    this.#count(machine, -1);
    this.#engine.change({ kind: "drop-unit", name });
  }

  #count(machine: string | null, by: number): void {
    if (machine === null) return;
    const units = (this.#targets.get(machine) ?? 0) + by;
    if (units === 0) this.#targets.delete(machine);
    else this.#targets.set(machine, units);
  }

  #takeMachines(machines: readonly MachineState[]): boolean {
    const before = this.#machines;
    let at = 0;
    let last: string | null = null;
    for (const machine of machines) {
      const { id } = machine;
      if (last !== null && id <= last) return false;
      last = id;
      let old = before[at];
      while (old !== undefined && old.id < id) {
        this.#engine.change({ kind: "drop-machine", id: old.id });
        old = before[++at];
      }
      if (old?.id === id) at++;
      else old = undefined;
      if (old === undefined || !sameMetadata(old, machine)) {
        this.#engine.change({ kind: "put-machine", machine });
      }
    }
    for (; at < before.length; at++) {
      this.#engine.change({ kind: "drop-machine", id: (before[at] as MachineState).id });
    }
    return true;
  }
}

/**
 * The memories of engines, by the part of the state that is an engine's own. Nothing can be learnt
 * from it but how long a pass takes: see `EngineMemory`. A state that is a copy, or an immer draft, has
 * none and gets one.
 */
const memories = new WeakMap<object, EngineMemory>();

function memoryOf({ engine, config }: Pick<FleetState, "engine" | "config">): EngineMemory {
  const known = memories.get(engine);
  if (known !== undefined) return known;
  const memory = new EngineMemory(FLEET_FIXES[config.profile]);
  memories.set(engine, memory);
  return memory;
}

/** What the engine keeps of its last reading of the registry. */
export function readingMemory(state: FleetState): ReadingMemory {
  return memoryOf(state).reading;
}

/** What a pass needs for its decisions. */
export interface RegistryView {
  readonly engine: Engine;
  /** IDs of machines to which units are scheduled, live or not; some may come twice. */
  targets(): Iterable<string>;
}

/**
 * The registry as a pass has read it.
 *
 * @param demands - what a unit demands; asked for units that are not as they were
 */
export function registryView({ engine, config }: FleetState, demands: Demands): RegistryView {
  const fixes = FLEET_FIXES[config.profile];
  const { entries } = engine.units;
  const memory = memoryOf({ engine, config });
  if (memory.take(entries, engine.machines, demands)) return memory;
  memories.delete(engine);
  const units = entries
    .map((entry) => engineUnit(entry, demands(entry)))
    .filter((unit) => !isNowhere(unit, fixes));
  const cluster = {
    jobs: units.filter(({ requirements: { global } }) => !global),
    globals: units.filter(({ requirements: { global } }) => global),
    machines: engine.machines,
  };
  const targets = entries.flatMap(({ machine }) => machine ?? []);
  return { engine: wholeEngine(cluster, fixes), targets: () => targets };
}

/** An engine that leads no more, or whose units have to be asked again what they demand. */
export function forgetRegistry({ engine }: FleetState): void {
  memories.delete(engine);
}

function engineUnit({ name, targetState, machine }: JobEntry, demands: Requirements): EngineJob {
  return { name, targetState, machine, requirements: demands };
}

/** `inactiveIsNowhere`: a global that nobody wants is not there for the engine. */
function isNowhere({ targetState, requirements }: EngineJob, fixes: FleetFixes): boolean {
  if (!fixes.inactiveIsNowhere || !requirements.global) return false;
  return targetState === "inactive" || targetState === "";
}

function isSame(old: JobEntry, entry: JobEntry): boolean {
  return (
    old.machine === entry.machine &&
    old.targetState === entry.targetState &&
    old.hash === entry.hash
  );
}

function sameMetadata({ metadata: old }: MachineState, { metadata }: MachineState): boolean {
  if (old === metadata) return true;
  const keys = Object.keys(metadata);
  return (
    keys.length === Object.keys(old).length &&
    keys.every((key) => Object.hasOwn(old, key) && old[key] === metadata[key])
  );
}
