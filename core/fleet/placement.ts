import {
  areContested,
  conflict,
  hasMetadata,
  type MachineState,
  type NamedUnit,
} from "./able-to-run.js";
import type { ClusterState, EngineJob } from "./engine-task.js";
import { GlobMemory } from "./glob-memory.js";

/**
 * What runs where, as a pass of the engine believes and changes it. Units and machines are numbers
 * of the implementation's choice. A job takes up room on a machine unless it is inactive; a
 * global does wherever its metadata fits and it meets no conflict.
 */
export interface Placement {
  unit(unit: number): NamedUnit;
  /** The unit as a job; undefined for a global. */
  job(unit: number): EngineJob | undefined;
  unitIndex(name: string): number | undefined;
  machine(machine: number): MachineState;
  machineIndex(id: string): number | undefined;
  /** The ID of the machine that a job is scheduled to, null if it is not. */
  targetOf(job: number): string | null;
  /** The machine a job takes up room on. */
  presentOn(job: number): number | null;
  isOn(unit: number, machine: number): boolean;
  /** Jobs by name, then those that this pass has moved there, then globals in the order of the pass. */
  unitsOn(machine: number): number[];
  /** Whether a unit that lists conflicts may be on the machine. */
  anyRepels(machine: number): boolean;
  /** Whether a unit on the machine, other than the one given, has it among its conflicts. */
  isRepelledOn(unit: number, machine: number): boolean;
  /** Whether a unit on the machine, other than the one given, is among its conflicts. */
  repelsOn(unit: number, machine: number): boolean;
  /** Whether a unit that replaces others may be on the machine. */
  anyReplaces(machine: number): boolean;
  /** Whether a job lists that name among its peers. */
  isPeer(name: string): boolean;
  /** The first machine, by load and then ID, that is accepted. */
  leastLoaded(accept: (machine: number) => boolean): number | null;
  /** The same, where only machines that can run the unit are ever accepted. */
  leastLoadedFor(unit: number, accept: (machine: number) => boolean): number | null;
  /** The first machine, by ID, of those with the most units. */
  mostLoaded(): number | null;
  /** Schedules a job elsewhere, or nowhere. */
  move(job: number, target: string | null): void;
  /** No machine, as all of them are now, can run the unit. */
  fitsNowhere(unit: number): void;
  /** From which of the globals the next decision starts to walk them. */
  startGlobalsAt(start: number): void;
}

const NOWHERE = -1;

/**
 * A placement for one pass, made from the whole cluster. Units are numbered as they are listed: jobs
 * first, then globals. A machine's globals follow from the jobs on it and from the order in which
 * globals are tried, so they are worked out again only when one of these changes.
 */
export class FreshPlacement implements Placement {
  readonly #cluster: ClusterState;
  readonly #units: readonly NamedUnit[];
  readonly #unitIndexes = new Map<string, number>();
  readonly #machineIndexes = new Map<string, number>();
  readonly #shortIds = new Map<string, number[]>();
  /** Machine ID by job, null while not scheduled. */
  readonly #targets: (string | null)[];
  /** Machine by job; NOWHERE while it takes up no room: unscheduled, inactive, or on a dead machine. */
  readonly #at: number[];
  readonly #jobs: Set<number>[];
  readonly #repelling: number[];
  readonly #replacing: number[];
  readonly #globals: readonly number[];
  /** Whether two globals conflict, so that their order decides which one a machine gets. */
  readonly #contested: boolean;
  readonly #globalsOn: (readonly number[] | null)[];
  #start = 0;
  /** Machines by load, then ID; null until asked for. */
  #byLoad: number[] | null = null;
  readonly #load: number[];
  readonly #rank: number[];
  readonly #globs = new GlobMemory();
  /** Every peer of a job; null until asked for. */
  #peers: Set<string> | null = null;

  constructor(cluster: ClusterState, globalOrder: readonly number[]) {
    const { jobs, globals, machines } = cluster;
    this.#cluster = cluster;
    this.#units = [...jobs, ...globals];
    for (const [index, { name }] of this.#units.entries()) this.#unitIndexes.set(name, index);
    machines.forEach(({ id }, index) => {
      this.#machineIndexes.set(id, index);
      const short = id.slice(0, 8);
      this.#shortIds.set(short, [...(this.#shortIds.get(short) ?? []), index]);
    });
    this.#targets = jobs.map(({ machine }) => machine);
    this.#at = jobs.map(() => NOWHERE);
    this.#jobs = machines.map(() => new Set());
    this.#repelling = machines.map(() => 0);
    this.#replacing = machines.map(() => 0);
    this.#globals = globalOrder.map((index) => jobs.length + index);
    this.#contested = areContested(globals);
    this.#globalsOn = machines.map(() => null);
    this.#load = machines.map(() => 0);
    this.#rank = ranks(machines);
    for (const index of jobs.keys()) this.#enter(index);
  }

  unit(index: number): NamedUnit {
    return at(this.#units, index);
  }

  job(index: number): EngineJob | undefined {
    return this.#cluster.jobs[index];
  }

  unitIndex(name: string): number | undefined {
    return this.#unitIndexes.get(name);
  }

  machine(index: number): MachineState {
    return at(this.#cluster.machines, index);
  }

  machineIndex(id: string): number | undefined {
    return this.#machineIndexes.get(id);
  }

  /** Machines of that ID or short ID. */
  #machinesMatching(required: string): readonly number[] {
    const full = this.#machineIndexes.get(required);
    const short = this.#shortIds.get(required) ?? [];
    return full === undefined || short.includes(full) ? short : [full, ...short];
  }

  targetOf(job: number): string | null {
    return this.#targets[job] ?? null;
  }

  presentOn(job: number): number | null {
    const machine = at(this.#at, job);
    return machine === NOWHERE ? null : machine;
  }

  isOn(unit: number, machine: number): boolean {
    if (unit < this.#at.length) return this.#at[unit] === machine;
    return this.#globalsFor(machine).includes(unit);
  }

  unitsOn(machine: number): number[] {
    return [...at(this.#jobs, machine), ...this.#globalsFor(machine)];
  }

  anyRepels(machine: number): boolean {
    return at(this.#repelling, machine) > 0 || this.#globals.length > 0;
  }

  isRepelledOn(unit: number, machine: number): boolean {
    return this.#someOn(
      machine,
      (other) => other !== unit && this.#lists(this.unit(other).requirements.conflicts, unit),
    );
  }

  repelsOn(unit: number, machine: number): boolean {
    const { conflicts } = this.unit(unit).requirements;
    return this.#someOn(machine, (other) => other !== unit && this.#lists(conflicts, other));
  }

  #someOn(machine: number, test: (unit: number) => boolean): boolean {
    for (const job of at(this.#jobs, machine)) if (test(job)) return true;
    return this.#globals.length > 0 && this.#globalsFor(machine).some(test);
  }

  #lists(globs: readonly string[], unit: number): boolean {
    return this.#globs.anyMatches(globs, this.unit(unit).name);
  }

  anyReplaces(machine: number): boolean {
    return at(this.#replacing, machine) > 0 || this.#globals.length > 0;
  }

  isPeer(name: string): boolean {
    this.#peers ??= new Set(this.#cluster.jobs.flatMap(({ requirements }) => requirements.peers));
    return this.#peers.has(name);
  }

  move(job: number, target: string | null): void {
    const from = at(this.#at, job);
    if (from !== NOWHERE) {
      at(this.#jobs, from).delete(job);
      this.#count(job, from, -1);
      this.#at[job] = NOWHERE;
      this.#changed(from);
    }
    this.#targets[job] = target;
    this.#enter(job);
  }

  #enter(job: number): void {
    const target = this.#targets[job] ?? null;
    const machine = target === null ? undefined : this.#machineIndexes.get(target);
    if (machine === undefined || this.#cluster.jobs[job]?.targetState === "inactive") return;
    this.#at[job] = machine;
    at(this.#jobs, machine).add(job);
    this.#count(job, machine, 1);
    this.#changed(machine);
  }

  #count(job: number, machine: number, by: number): void {
    const { conflicts, replaces } = this.unit(job).requirements;
    if (conflicts.length > 0) this.#repelling[machine] = at(this.#repelling, machine) + by;
    if (replaces.length > 0) this.#replacing[machine] = at(this.#replacing, machine) + by;
  }

  #changed(machine: number): void {
    this.#globalsOn[machine] = null;
    if (this.#byLoad === null || this.#contested) return;
    this.#byLoad.splice(this.#position(machine), 1);
    this.#load[machine] = this.#loadOf(machine);
    this.#byLoad.splice(this.#position(machine), 0, machine);
  }

  startGlobalsAt(start: number): void {
    if (!this.#contested || start === this.#start) return;
    this.#start = start;
    this.#globalsOn.fill(null);
  }

  /** The globals the engine takes to run on a machine: those whose metadata fits and that meet no conflict. */
  #globalsFor(machine: number): readonly number[] {
    const known = this.#globalsOn[machine];
    if (known) return known;
    const placed: number[] = [];
    const jobs = at(this.#jobs, machine);
    for (let i = 0; i < this.#globals.length; i++) {
      const index = at(this.#globals, (i + this.#start) % this.#globals.length);
      const unit = this.unit(index);
      if (!hasMetadata(this.machine(machine), unit.requirements.metadata)) continue;
      if (this.#meetsConflict(unit, jobs, machine)) continue;
      if (!placed.some((other) => conflict(unit, this.unit(other)))) placed.push(index);
    }
    this.#globalsOn[machine] = placed;
    return placed;
  }

  #meetsConflict(unit: NamedUnit, jobs: ReadonlySet<number>, machine: number): boolean {
    if (unit.requirements.conflicts.length === 0 && at(this.#repelling, machine) === 0)
      return false;
    for (const job of jobs) if (conflict(unit, this.unit(job))) return true;
    return false;
  }

  leastLoaded(accept: (machine: number) => boolean): number | null {
    if (this.#byLoad === null || this.#contested) this.#sort();
    return this.#byLoad?.find(accept) ?? null;
  }

  leastLoadedFor(unit: number, accept: (machine: number) => boolean): number | null {
    const { requiredTarget } = this.unit(unit).requirements;
    if (requiredTarget === null) return this.leastLoaded(accept);
    const able = new Set(this.#machinesMatching(requiredTarget).filter(accept));
    return able.size === 0 ? null : this.leastLoaded((machine) => able.has(machine));
  }

  mostLoaded(): number | null {
    let most: number | null = null;
    let load = -1;
    for (const machine of this.#cluster.machines.keys()) {
      const units = this.#loadOf(machine);
      if (units > load || (units === load && this.#comesFirst(machine, most))) most = machine;
      load = Math.max(load, units);
    }
    return most;
  }

  #comesFirst(machine: number, other: number | null): boolean {
    return other !== null && at(this.#rank, machine) < at(this.#rank, other);
  }

  /** Nothing is kept beyond the pass, in which the question does not come again. */
  fitsNowhere(): void {}

  #sort(): void {
    this.#cluster.machines.forEach((_, machine) => {
      this.#load[machine] = this.#loadOf(machine);
    });
    this.#byLoad ??= this.#cluster.machines.map((_, machine) => machine);
    this.#byLoad.sort((left, right) => this.#compare(left, right));
  }

  #loadOf(machine: number): number {
    return at(this.#jobs, machine).size + this.#globalsFor(machine).length;
  }

  #compare(left: number, right: number): number {
    return (
      at(this.#load, left) - at(this.#load, right) || at(this.#rank, left) - at(this.#rank, right)
    );
  }

  /** Where a machine stands, or would stand, in `byLoad`. */
  #position(machine: number): number {
    const order = this.#byLoad ?? [];
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(at(order, middle), machine) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function ranks(machines: readonly MachineState[]): number[] {
  const order = machines.map((_, index) => index);
  order.sort((left, right) => (at(machines, left).id < at(machines, right).id ? -1 : 1));
  const rank = machines.map(() => 0);
  order.forEach((machine, place) => {
    rank[machine] = place;
  });
  return rank;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${list.length}`);
  return item;
}
