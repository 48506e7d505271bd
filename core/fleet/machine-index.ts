import type { MachineState } from "./able-to-run.js";
import type { MetadataRequirement, Requirements } from "./requirements.js";
import { SortedList } from "./sorted-list.js";

type Accept = (machine: number) => boolean;

interface MachineEntry {
  state: MachineState;
  load: number;
  /** The lists of its metadata that it is in, beside the one of all. */
  lists: readonly SortedList[];
}

/**
 * The machines of a fleet as the engine looks for them: by ID, by short ID, and by load and then ID,
 * all together and those that share a value of metadata. Machines are numbers; one that is gone
 * leaves its number to the next.
 */
export class MachineIndex {
  readonly #entries: (MachineEntry | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byId = new Map<string, number>();
  readonly #byShortId = new Map<string, Set<number>>();
  readonly #all = this.#newList();
  /** By key, then by value. A list that becomes empty goes. */
  readonly #byMetadata = new Map<string, Map<string, SortedList>>();

  /** A machine that appears, with no load, or has other metadata than before. */
  put(state: MachineState): number {
    const known = this.#byId.get(state.id);
    if (known !== undefined) {
      const entry = this.#entry(known);
      this.#leaveLists(known, entry);
      entry.state = state;
      entry.lists = this.#enterLists(known, state);
      return known;
    }
    const machine = this.#free.pop() ?? this.#entries.length;
    const entry: MachineEntry = { state, load: 0, lists: [] };
    this.#entries[machine] = entry;
    this.#byId.set(state.id, machine);
    const short = state.id.slice(0, 8);
    this.#byShortId.set(short, (this.#byShortId.get(short) ?? new Set()).add(machine));
    this.#all.add(machine);
    entry.lists = this.#enterLists(machine, state);
    return machine;
  }

  drop(machine: number): void {
    const entry = this.#entry(machine);
    const { id } = entry.state;
    this.#all.remove(machine);
    this.#leaveLists(machine, entry);
    this.#byId.delete(id);
    const short = this.#byShortId.get(id.slice(0, 8));
    short?.delete(machine);
    if (short?.size === 0) this.#byShortId.delete(id.slice(0, 8));
    this.#entries[machine] = undefined;
    this.#free.push(machine);
  }

  get count(): number {
    return this.#byId.size;
  }

  isLive(machine: number): boolean {
    return this.#entries[machine] !== undefined;
  }

  numbers(): IterableIterator<number> {
    return this.#byId.values();
  }

  state(machine: number): MachineState {
    return this.#entry(machine).state;
  }

  indexOf(id: string): number | undefined {
    return this.#byId.get(id);
  }

  setLoad(machine: number, load: number): void {
    const entry = this.#entry(machine);
    if (entry.load === load) return;
    this.#all.remove(machine);
    for (const list of entry.lists) list.remove(machine);
    entry.load = load;
    this.#all.add(machine);
    for (const list of entry.lists) list.add(machine);
  }

  /** The first by load, then ID, that is accepted. */
  first(accept: Accept): number | null {
    return this.#all.find(accept) ?? null;
  }

  /** The same, of those that have what the unit requires of the machine itself, and maybe of others. */
  firstFor({ requiredTarget, metadata }: Requirements, accept: Accept): number | null {
    if (requiredTarget !== null) return this.firstOf(this.#matching(requiredTarget), accept);
    const rarest = this.#rarest(metadata);
    if (rarest === null) return this.first(accept);
    const byValue = this.#byMetadata.get(rarest.key);
    // A machine has one value for the key, and so is in one of the lists only.
    let best: number | null = null;
    for (const value of rarest.values) {
      const found = byValue
        ?.get(value)
        ?.find((machine) => this.#isAfter(machine, best) || accept(machine));
      if (found !== undefined && !this.#isAfter(found, best)) best = found;
    }
    return best;
  }

  /** The requirement that the fewest machines meet. */
  #rarest(metadata: readonly MetadataRequirement[]): MetadataRequirement | null {
    if (metadata.length < 2) return metadata[0] ?? null;
    let rarest: MetadataRequirement | null = null;
    let fewest = Number.POSITIVE_INFINITY;
    for (const requirement of metadata) {
      const byValue = this.#byMetadata.get(requirement.key);
      let machines = 0;
      for (const value of requirement.values) machines += byValue?.get(value)?.size ?? 0;
      if (machines < fewest) [rarest, fewest] = [requirement, machines];
    }
    return rarest;
  }

  /** The same, of some machines, in any order and each as often as one likes. */
  firstOf(machines: Iterable<number>, accept: Accept): number | null {
    let best: number | null = null;
    for (const machine of machines) {
      if (!this.isLive(machine) || machine === best || this.#isAfter(machine, best)) continue;
      if (accept(machine)) best = machine;
    }
    return best;
  }

  /** The first, by ID, of those with the highest load. */
  mostLoaded(): number | null {
    const { last } = this.#all;
    if (last === undefined) return null;
    const { load } = this.#entry(last);
    return this.#all.findAtEnd((machine) => this.#entry(machine).load === load) ?? null;
  }

  /** Whether the machine is tried only after the other. */
  #isAfter(machine: number, other: number | null): boolean {
    return other !== null && this.#compare(machine, other) > 0;
  }

  /** Those of that ID or short ID. */
  #matching(required: string): number[] {
    const full = this.#byId.get(required);
    const short = this.#byShortId.get(required) ?? [];
    return full === undefined ? [...short] : [full, ...short];
  }

  #enterLists(machine: number, { metadata }: MachineState): SortedList[] {
    return Object.entries(metadata).map(([key, value]) => {
      const byValue = this.#byMetadata.get(key) ?? new Map<string, SortedList>();
      const list = byValue.get(value) ?? this.#newList();
      list.add(machine);
      this.#byMetadata.set(key, byValue.set(value, list));
      return list;
    });
  }

  #leaveLists(machine: number, { state, lists }: MachineEntry): void {
    for (const list of lists) list.remove(machine);
    for (const [key, value] of Object.entries(state.metadata)) {
      const byValue = this.#byMetadata.get(key);
      if (byValue?.get(value)?.size === 0) byValue.delete(value);
      if (byValue?.size === 0) this.#byMetadata.delete(key);
    }
  }

  #newList(): SortedList {
    return new SortedList((left, right) => this.#compare(left, right));
  }

  #compare(left: number, right: number): number {
    if (left === right) return 0;
    const [one, other] = [this.#entry(left), this.#entry(right)];
    return one.load - other.load || (one.state.id < other.state.id ? -1 : 1);
  }

  #entry(machine: number): MachineEntry {
    const entry = this.#entries[machine];
    if (entry === undefined) throw new RangeError(`no machine ${machine}`);
    return entry;
  }
}
