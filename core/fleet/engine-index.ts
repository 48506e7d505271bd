import { areContested, hasMetadata, type MachineState, type NamedUnit } from "./able-to-run.js";
import { countJob, emptyRoom, isTouchy, type Room, RoomChanges } from "./engine-room.js";
import type { ClusterState, EngineJob } from "./engine-task.js";
import { GlobMemory } from "./glob-memory.js";
import { MachineIndex } from "./machine-index.js";
import type { Placement } from "./placement.js";
import { SortedList } from "./sorted-list.js";

type Accept = (machine: number) => boolean;

interface UnitEntry {
  unit: EngineJob;
  role: "job" | "global";
  /** Of a job: the ID of its machine, which a pass under way may have changed. */
  target: string | null;
  /** The machine it takes up room on, null for none. */
  at: number | null;
  /** How many changes there had been when no machine could run it, null if that is not known. */
  unfitSince: number | null;
}

/** A job, and where it is in the list of jobs by name. */
export interface Turn {
  readonly job: number;
  readonly position: number;
}

/** Less than one in so many are looked up one by one. */
const FEW = 16;

/** A pass under way. */
interface Trial {
  /** Jobs that were moved and from where, in turn. */
  readonly moves: [job: number, target: string | null][];
  /** Machines on which something is not as the registry has it. */
  readonly touched: Set<number>;
  readonly globalOrder: ReadonlyMap<number, number> | null;
}

/**
 * A placement that is kept from pass to pass and takes what changes in the registry in between.
 * What a pass moves is taken back at its end (`begin`, `rollBack`), so that between passes this is
 * what the registry says. Beside that it remembers for which units nothing can have changed since
 * they were last looked at. Globals that conflict with each other are beyond it: see `contested`.
 */
export class EngineIndex implements Placement {
  readonly #machines = new MachineIndex();
  readonly #rooms: (Room | undefined)[] = [];
  readonly #units: (UnitEntry | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #jobs = this.#newList();
  readonly #globals = this.#newList();
  readonly #unplaced = new Set<number>();
  /** Jobs by the machine the registry has them on, whether that is live or not. */
  readonly #byTarget = new Map<string, Set<number>>();
  /** How many jobs list a name as a peer. */
  readonly #peers = new Map<string, number>();
  readonly #globs = new GlobMemory();
  #scheduled = 0;
  #contested: boolean | null = null;
  #touchyGlobals = 0;

  readonly #suspects = new Set<number>();
  /** Machines all of whose jobs are suspects. */
  readonly #suspectMachines = new Set<number>();
  /** Machines whose load may have changed. */
  readonly #stale = new Set<number>();
  readonly #changes = new RoomChanges();
  #trial: Trial | null = null;
  #rollingBack = false;
  #onTouch: ((job: number) => void) | null = null;

  #newList(): SortedList {
    return new SortedList((left, right) => {
      const [one, other] = [this.unit(left).name, this.unit(right).name];
      return one < other ? -1 : one > other ? 1 : 0;
    });
  }

  /** A unit that appears, or is not as it was. */
  putUnit(unit: EngineJob): void {
    const number = this.#numbers.get(unit.name);
    const role = unit.requirements.global ? "global" : "job";
    if (number === undefined) {
      const next = this.#free.pop() ?? this.#units.length;
      this.#units[next] = { unit, role, target: null, at: null, unfitSince: null };
      this.#numbers.set(unit.name, next);
      this.#listOf(role).add(next);
      this.#takeIn(next);
      return;
    }
    const entry = this.#entry(number);
    // State and machine of a global do not matter to the engine.
    const same = role === "global" && entry.unit.requirements === unit.requirements;
    if (!same) this.#takeOut(number);
    if (role !== entry.role) {
      this.#listOf(entry.role).remove(number);
      this.#listOf(role).add(number);
    }
    entry.unit = unit;
    entry.role = role;
    if (!same) this.#takeIn(number);
  }

  dropUnit(name: string): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    this.#takeOut(number);
    this.#listOf(this.#entry(number).role).remove(number);
    this.#numbers.delete(name);
    this.#units[number] = undefined;
    this.#free.push(number);
  }

  /** A machine that appears, or has other metadata than before. */
  putMachine(state: MachineState): void {
    const isNew = this.#machines.indexOf(state.id) === undefined;
    const machine = this.#machines.put(state);
    if (isNew) {
      this.#rooms[machine] = emptyRoom();
      for (const job of this.#byTarget.get(state.id) ?? []) this.#enter(job);
    }
    this.#touch(machine);
  }

  dropMachine(id: string): void {
    const machine = this.#machines.indexOf(id);
    if (machine === undefined) return;
    for (const job of this.#room(machine).jobs) {
      this.#entry(job).at = null;
      this.#suspects.add(job);
    }
    this.#machines.drop(machine);
    this.#rooms[machine] = undefined;
    this.#stale.delete(machine);
    this.#suspectMachines.delete(machine);
  }

  #listOf(role: UnitEntry["role"]): SortedList {
    return role === "job" ? this.#jobs : this.#globals;
  }

  #takeIn(number: number): void {
    const { unit, role } = this.#entry(number);
    if (role === "global") {
      this.#globalsChanged(unit, 1);
      return;
    }
    for (const peer of unit.requirements.peers) {
      this.#peers.set(peer, (this.#peers.get(peer) ?? 0) + 1);
    }
    if (unit.machine !== null) {
      this.#scheduled++;
      const there = this.#byTarget.get(unit.machine) ?? new Set();
      this.#byTarget.set(unit.machine, there.add(number));
      this.#suspects.add(number);
    }
    this.#retarget(number, unit.machine);
    this.#enter(number);
  }

  #takeOut(number: number): void {
    const entry = this.#entry(number);
    const { unit, role } = entry;
    if (role === "global") {
      this.#globalsChanged(unit, -1);
      return;
    }
    this.#leave(number);
    entry.unfitSince = null;
    this.#unplaced.delete(number);
    this.#suspects.delete(number);
    for (const peer of unit.requirements.peers) {
      const left = (this.#peers.get(peer) ?? 0) - 1;
      if (left === 0) this.#peers.delete(peer);
      else this.#peers.set(peer, left);
    }
    if (unit.machine === null) return;
    this.#scheduled--;
    const there = this.#byTarget.get(unit.machine);
    there?.delete(number);
    if (there?.size === 0) this.#byTarget.delete(unit.machine);
  }

  #globalsChanged(unit: NamedUnit, by: number): void {
    this.#contested = null;
    if (isTouchy(unit)) this.#touchyGlobals += by;
    for (const machine of this.#machines.numbers()) this.#touch(machine);
  }

  /** The cluster as the registry has it, by name and ID. */
  cluster(): ClusterState {
    return {
      jobs: Array.from(this.#jobs, (job) => this.#entry(job).unit),
      globals: Array.from(this.#globals, (unit) => this.unit(unit)),
      machines: Array.from(this.#machines.numbers(), (machine) => this.machine(machine)).sort(
        (left, right) => (left.id < right.id ? -1 : 1),
      ),
    };
  }

  get jobCount(): number {
    return this.#jobs.size;
  }

  /** Jobs that the registry has on a machine. */
  get scheduledCount(): number {
    return this.#scheduled;
  }

  get globalCount(): number {
    return this.#globals.size;
  }

  /** Whether two globals conflict: the order of globals then decides at every look at a machine. */
  get contested(): boolean {
    this.#contested ??= areContested(Array.from(this.#globals, (unit) => this.unit(unit)));
    return this.#contested;
  }

  /** Where a job is in the list of jobs by name. */
  positionOf(job: number): number {
    return this.#jobs.countBefore(job);
  }

  /** Jobs with their positions, in the order of these. */
  turns(jobs: ReadonlySet<number>): Turn[] {
    if (FEW * jobs.size < this.#jobs.size) {
      return Array.from(jobs, (job): Turn => ({ job, position: this.positionOf(job) })).sort(
        (left, right) => left.position - right.position,
      );
    }
    const turns: Turn[] = [];
    let position = 0;
    for (const job of this.#jobs) {
      if (jobs.has(job)) turns.push({ job, position });
      position++;
    }
    return turns;
  }

  /** Scheduled jobs that may have to leave their machine. Every other job stays where it is. */
  suspects(): ReadonlySet<number> {
    for (const machine of this.#suspectMachines) {
      for (const job of this.#room(machine).jobs) this.#suspects.add(job);
    }
    this.#suspectMachines.clear();
    return this.#suspects;
  }

  /** Jobs that are wanted somewhere and have no machine. */
  unplaced(): ReadonlySet<number> {
    return this.#unplaced;
  }

  /** The job stays where it is until something changes there; void if the pass has changed that. */
  settle(job: number): void {
    const { unit, target, at } = this.#entry(job);
    if (target !== unit.machine || (at !== null && this.#trial?.touched.has(at))) return;
    this.#suspects.delete(job);
  }

  /**
   * @param globalOrder - the order of the globals, by their places in the list by name; null: as listed
   */
  begin(globalOrder: readonly number[] | null): void {
    const order =
      globalOrder === null || this.#globals.size === 0
        ? null
        : globalRanks([...this.#globals], globalOrder);
    this.#trial = { moves: [], touched: new Set(), globalOrder: order };
  }

  /** @param listener - told of each job for which something has changed on its machine; null: nobody is */
  onTouch(listener: ((job: number) => void) | null): void {
    this.#onTouch = listener;
  }

  rollBack(): void {
    const moves = this.#trial?.moves ?? [];
    this.#trial = null;
    this.#onTouch = null;
    this.#rollingBack = true;
    for (let move = moves.pop(); move !== undefined; move = moves.pop()) {
      const [job, target] = move;
      this.#leave(job);
      this.#retarget(job, target);
      this.#enter(job);
    }
    this.#rollingBack = false;
  }

  unit(number: number): NamedUnit {
    return this.#entry(number).unit;
  }

  job(number: number): EngineJob | undefined {
    const { unit, role } = this.#entry(number);
    return role === "job" ? unit : undefined;
  }

  unitIndex(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  machine(machine: number): MachineState {
    return this.#machines.state(machine);
  }

  machineIndex(id: string): number | undefined {
    return this.#machines.indexOf(id);
  }

  targetOf(job: number): string | null {
    return this.#entry(job).target;
  }

  presentOn(job: number): number | null {
    return this.#entry(job).at;
  }

  isOn(unit: number, machine: number): boolean {
    const { role, at } = this.#entry(unit);
    return role === "job" ? at === machine : this.#globalsOn(machine).includes(unit);
  }

  unitsOn(machine: number): number[] {
    const { jobs } = this.#orderedRoom(machine);
    const globals = this.#globalsOn(machine);
    const ranks = this.#trial?.globalOrder ?? null;
    if (ranks === null || globals.length < 2) return [...jobs, ...globals];
    const rank = (unit: number): number => ranks.get(unit) ?? 0;
    return [...jobs, ...[...globals].sort((left, right) => rank(left) - rank(right))];
  }

  anyRepels(machine: number): boolean {
    return this.#room(machine).repelling > 0 || this.#touchyGlobals > 0;
  }

  isRepelledOn(unit: number, machine: number): boolean {
    const { name } = this.unit(unit);
    return this.#anyOn(machine, unit, ({ requirements: { conflicts } }) =>
      this.#globs.anyMatches(conflicts, name),
    );
  }

  repelsOn(unit: number, machine: number): boolean {
    const { conflicts } = this.unit(unit).requirements;
    return this.#anyOn(machine, unit, ({ name }) => this.#globs.anyMatches(conflicts, name));
  }

  #anyOn(machine: number, except: number, test: (unit: NamedUnit) => boolean): boolean {
    for (const job of this.#room(machine).jobs) {
      if (job !== except && test(this.unit(job))) return true;
    }
    if (this.#globals.size === 0) return false;
    return this.#globalsOn(machine).some((unit) => unit !== except && test(this.unit(unit)));
  }

  anyReplaces(machine: number): boolean {
    return this.#room(machine).replacing > 0 || this.#touchyGlobals > 0;
  }

  isPeer(name: string): boolean {
    return this.#peers.has(name);
  }

  leastLoaded(accept: Accept): number | null {
    this.#countLoads();
    return this.#machines.first(accept);
  }

  leastLoadedFor(number: number, accept: Accept): number | null {
    this.#countLoads();
    const { unit, unfitSince } = this.#entry(number);
    const changed = unfitSince === null ? null : this.#changes.since(unfitSince);
    return changed === null
      ? this.#machines.firstFor(unit.requirements, accept)
      : this.#machines.firstOf(changed, accept);
  }

  mostLoaded(): number | null {
    this.#countLoads();
    return this.#machines.mostLoaded();
  }

  fitsNowhere(job: number): void {
    this.#entry(job).unfitSince = this.#changes.count;
  }

  startGlobalsAt(): void {
    // Only which of two globals that conflict is on a machine depends on it.
  }

  move(job: number, target: string | null): void {
    this.#trial?.moves.push([job, this.#entry(job).target]);
    this.#leave(job);
    this.#retarget(job, target);
    this.#enter(job);
  }

  #retarget(job: number, target: string | null): void {
    const entry = this.#entry(job);
    entry.target = target;
    if (target === null && entry.unit.targetState !== "inactive") this.#unplaced.add(job);
    else this.#unplaced.delete(job);
  }

  #enter(job: number): void {
    const entry = this.#entry(job);
    const { target, unit } = entry;
    const machine = target === null ? undefined : this.#machines.indexOf(target);
    if (machine === undefined || unit.targetState === "inactive") return;
    // Those that the pass moves here come after all others.
    const room = this.#trial === null ? this.#room(machine) : this.#orderedRoom(machine);
    if (this.#trial === null) room.ordered = false;
    room.jobs.add(job);
    entry.at = machine;
    entry.unfitSince = null;
    countJob(room, unit, 1);
    this.#touch(machine);
  }

  #leave(job: number): void {
    const entry = this.#entry(job);
    const { at: machine, unit } = entry;
    if (machine === null) return;
    const room = this.#room(machine);
    room.jobs.delete(job);
    entry.at = null;
    countJob(room, unit, -1);
    this.#touch(machine);
  }

  /** Something about the machine has changed, or a job came or left. */
  #touch(machine: number): void {
    const room = this.#room(machine);
    room.globals = null;
    this.#stale.add(machine);
    this.#changes.add(machine, 2 * this.#machines.count + 1_024);
    if (this.#rollingBack) return;
    if (this.#trial === null) {
      this.#suspectMachines.add(machine);
      return;
    }
    this.#trial.touched.add(machine);
    if (this.#onTouch === null) return;
    // Units that demand nothing of each other do not care who comes and goes.
    if (this.#touchyGlobals === 0 && room.touchy === 0) return;
    for (const job of room.jobs) this.#onTouch(job);
  }

  /** The globals that run on a machine: those whose metadata fits and that meet no conflict. */
  #globalsOn(machine: number): readonly number[] {
    const room = this.#room(machine);
    if (room.globals !== null) return room.globals;
    const state = this.#machines.state(machine);
    const globals: number[] = [];
    for (const global of this.#globals) {
      const unit = this.unit(global);
      if (!hasMetadata(state, unit.requirements.metadata)) continue;
      if (!this.#meetsConflict(unit, room)) globals.push(global);
    }
    room.globals = globals;
    return globals;
  }

  #meetsConflict({ name, requirements: { conflicts } }: NamedUnit, room: Room): boolean {
    if (conflicts.length === 0 && room.repelling === 0) return false;
    for (const job of room.jobs) {
      const other = this.unit(job);
      if (this.#globs.anyMatches(conflicts, other.name)) return true;
      if (this.#globs.anyMatches(other.requirements.conflicts, name)) return true;
    }
    return false;
  }

  #countLoads(): void {
    for (const machine of this.#stale) {
      const units = this.#room(machine).jobs.size + this.#globalsOn(machine).length;
      this.#machines.setLoad(machine, units);
    }
    this.#stale.clear();
  }

  #orderedRoom(machine: number): Room {
    const room = this.#room(machine);
    if (!room.ordered) {
      const jobs = [...room.jobs].sort((left, right) => this.#byName(left, right));
      room.jobs.clear();
      for (const job of jobs) room.jobs.add(job);
      room.ordered = true;
    }
    return room;
  }

  #byName(left: number, right: number): number {
    return this.unit(left).name < this.unit(right).name ? -1 : 1;
  }

  #entry(number: number): UnitEntry {
    const entry = this.#units[number];
    if (entry === undefined) throw new RangeError(`no unit ${number}`);
    return entry;
  }

  #room(machine: number): Room {
    const room = this.#rooms[machine];
    if (room === undefined) throw new RangeError(`no machine ${machine}`);
    return room;
  }
}

function globalRanks(
  globals: readonly number[],
  order: readonly number[],
): ReadonlyMap<number, number> {
  return new Map(order.map((place, rank) => [globals[place] ?? 0, rank]));
}
