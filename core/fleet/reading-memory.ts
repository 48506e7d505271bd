import type { V2Node } from "../etcd/client.js";
import type { MachineState } from "./able-to-run.js";
import type { JobEntry } from "./state.js";

/**
 * What was made of each directory of a listing when it was last read: it is made again only of those
 * that hold something else now. Listings come by key.
 */
export class Recall<T> {
  #before: Row<T>[] = [];
  #rows: Row<T>[] = [];
  #at = 0;

  /** Another listing begins. */
  begin(): void {
    this.#before = this.#rows;
    this.#rows = [];
    this.#at = 0;
  }

  /** What is made of the next directory of the listing. */
  of(directory: V2Node, make: (directory: V2Node) => T): T {
    const { key, nodes } = directory;
    let row = this.#before[this.#at];
    while (row !== undefined && row.key !== key && row.key < key) row = this.#before[++this.#at];
    if (row?.key !== key || !isSame(row.nodes, nodes)) row = { key, nodes, made: make(directory) };
    this.#rows.push(row);
    return row.made;
  }
}

interface Row<T> {
  readonly key: string;
  readonly nodes: readonly V2Node[] | undefined;
  readonly made: T;
}

/** Whether all that is in a directory is as it was, but for times and indexes. */
function isSame(
  before: readonly V2Node[] | undefined,
  now: readonly V2Node[] | undefined,
): boolean {
  if (before === undefined || now === undefined) return before === now;
  if (before.length !== now.length) return false;
  for (let i = 0; i < now.length; i++) {
    const [old, node] = [before[i] as V2Node, now[i] as V2Node];
    // A store gives out the same node until it is written; one that expires is made for each answer.
    if (old === node) continue;
    if (old.key !== node.key || old.value !== node.value || !isSame(old.nodes, node.nodes)) {
      return false;
    }
  }
  return true;
}

/** A directory below `/job` as the second read of a pass has it. */
export interface Placing {
  name: string;
  readonly target: string | null;
  /** The unit of that name as the first read had it, null until there was one; and the same with its machine. */
  entry: JobEntry | null;
  placed: JobEntry | null;
}

/** The unit files of a reading, and what was made of them. */
export interface FilesRead {
  readonly keys: readonly string[];
  readonly hashes: ReadonlySet<string>;
  /** Units before and after those without a file were dropped. */
  readonly wanted: readonly JobEntry[];
  readonly entries: JobEntry[];
  /** How many files fleetd knew then. */
  readonly known: number;
}

/** What an engine keeps of its last reading so that it need not make everything anew. Its entries are never changed. */
export interface ReadingMemory {
  readonly jobs: Recall<JobEntry | null>;
  readonly schedule: Recall<Placing>;
  readonly machines: Recall<MachineState | null>;
  files: FilesRead | null;
}

/** The memory of an engine that has not read anything. */
export function emptyReadingMemory(): ReadingMemory {
  return { jobs: new Recall(), schedule: new Recall(), machines: new Recall(), files: null };
}

/** Whether the files are those that were listed before, in the same order. */
export function isSameListing(keys: readonly string[], nodes: readonly V2Node[]): boolean {
  if (keys.length !== nodes.length) return false;
  for (let i = 0; i < keys.length; i++) if (keys[i] !== nodes[i]?.key) return false;
  return true;
}

/** Whether both lists have the very same entries. */
export function isSameList(left: readonly JobEntry[], right: readonly JobEntry[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
