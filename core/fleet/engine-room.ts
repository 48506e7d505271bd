import type { NamedUnit } from "./able-to-run.js";

/** What an engine takes to be on a machine. Units are numbers of the index that keeps it. */
export interface Room {
  readonly jobs: Set<number>;
  /** Whether `jobs` come by name, but for those that a pass under way has moved here, which come last. */
  ordered: boolean;
  /** How many of the jobs list conflicts, replace others, or demand anything of other units. */
  repelling: number;
  replacing: number;
  touchy: number;
  /** The globals that are here; null when that has to be worked out again. */
  globals: readonly number[] | null;
}

export function emptyRoom(): Room {
  return { jobs: new Set(), ordered: true, repelling: 0, replacing: 0, touchy: 0, globals: null };
}

/** A job came (1) or left (-1). */
export function countJob(room: Room, unit: NamedUnit, by: 1 | -1): void {
  const { conflicts, replaces } = unit.requirements;
  if (conflicts.length > 0) room.repelling += by;
  if (replaces.length > 0) room.replacing += by;
  if (isTouchy(unit)) room.touchy += by;
}

/** Whether what else is on its machine can matter to the unit, or it to others. */
export function isTouchy({ requirements: { peers, conflicts, replaces } }: NamedUnit): boolean {
  return peers.length > 0 || conflicts.length > 0 || replaces.length > 0;
}

/** The machines on which something changed, one change after the other. Old ones are forgotten. */
export class RoomChanges {
  #machines: number[] = [];
  #forgotten = 0;

  /** @param limit - how many changes are kept, about */
  add(machine: number, limit: number): void {
    this.#machines.push(machine);
    if (this.#machines.length <= limit) return;
    this.#forgotten += this.#machines.length;
    this.#machines = [];
  }

  /** How many changes there have been. */
  get count(): number {
    return this.#forgotten + this.#machines.length;
  }

  /** The machines of all changes after the first `count`; null if some of them are forgotten. */
  since(count: number): readonly number[] | null {
    return count < this.#forgotten ? null : this.#machines.slice(count - this.#forgotten);
  }
}
