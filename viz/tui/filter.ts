import { Indexes, type RecordStore } from "../timeline/index.js";

interface Term {
  readonly on: "host" | "kind" | "all";
  readonly pattern: RegExp;
  readonly inverse: boolean;
}

/** A filter of the event list: a record is shown if every term says so. */
export interface Filter {
  readonly text: string;
  readonly terms: readonly Term[];
}

/**
 * Parses a filter: terms between spaces, all of which must hold.
 *
 *     raft|etcd        a regular expression on `host kind {data as JSON}`, upper and lower case alike
 *     host:^a1$        on the host alone
 *     kind:^fault\.    on the kind alone
 *     !checkpoint      the inverse of any of them
 */
export function parseFilter(
  text: string,
): { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly error: string } {
  const terms: Term[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const inverse = word.startsWith("!");
    const bare = inverse ? word.slice(1) : word;
    const on = bare.startsWith("host:") ? "host" : bare.startsWith("kind:") ? "kind" : "all";
    const source = on === "all" ? bare : bare.slice(5);
    if (source === "") continue;
    try {
      terms.push({ on, inverse, pattern: new RegExp(source, "i") });
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }
  return { ok: true, filter: { text: text.trim(), terms } };
}

/** A text as a regular expression that matches exactly it. */
export function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s/g, "\\s");
}

const SCAN_AHEAD_MAX = 50_000;

/**
 * The records a filter lets through. The log is read once, in slices small enough for a frame
 * (`advance`), because a million records take about a second; what has not been read yet is
 * looked at directly when it is near the place asked for.
 */
export class Matches {
  readonly filter: Filter;
  readonly #store: RecordStore;
  readonly #found = new Indexes();
  /** By kind id: 1 if the kind terms let it through, 0 if not; undefined before the first look. */
  readonly #kinds: (boolean | undefined)[] = [];
  readonly #hosts: (boolean | undefined)[] = [];
  readonly #rest: readonly Term[];
  #read = 0;

  constructor(filter: Filter, store: RecordStore) {
    this.filter = filter;
    this.#store = store;
    this.#rest = filter.terms.filter((term) => term.on === "all");
  }

  /** True if nothing is filtered out. */
  get all(): boolean {
    return this.filter.terms.length === 0;
  }

  /** Matches found so far. */
  get count(): number {
    return this.all ? this.#store.length : this.#found.length;
  }

  /** True once the whole log has been read. */
  get complete(): boolean {
    return this.all || this.#read >= this.#store.length;
  }

  /** Share of the log read, in percent. */
  get percent(): number {
    return this.complete ? 100 : Math.floor((100 * this.#read) / this.#store.length);
  }

  /** Reads on, at most this many records. */
  advance(records: number): void {
    if (this.all) return;
    const end = Math.min(this.#store.length, this.#read + records);
    for (let i = this.#read; i < end; i++) if (this.test(i)) this.#found.push(i);
    this.#read = end;
  }

  /** Whether one record is let through. */
  test(index: number): boolean {
    const store = this.#store;
    const kind = store.kindIdAt(index);
    this.#kinds[kind] ??= this.#holds("kind", store.kind(index));
    if (this.#kinds[kind] === false) return false;
    const host = store.hostIdAt(index);
    this.#hosts[host] ??= this.#holds("host", store.host(index));
    if (this.#hosts[host] === false) return false;
    if (this.#rest.length === 0) return true;
    const text = `${store.host(index)} ${store.kind(index)} ${store.dataText(index)}`;
    return this.#rest.every((term) => term.pattern.test(text) !== term.inverse);
  }

  #holds(on: Term["on"], text: string): boolean {
    return this.filter.terms.every(
      (term) => term.on !== on || term.pattern.test(text) !== term.inverse,
    );
  }

  /** The next (or previous) match beyond an index; -1 if there is none, or none near in what is unread. */
  beyond(index: number, direction: 1 | -1): number {
    if (this.all) {
      const next = index + direction;
      return next >= 0 && next < this.#store.length ? next : -1;
    }
    if (direction === 1 && index + 1 < this.#read) {
      const found = this.#found.after(index);
      if (found >= 0 || this.complete) return found;
      return this.#scan(this.#read, 1);
    }
    if (direction === -1 && index <= this.#read) return this.#found.before(index);
    return this.#scan(index + direction, direction);
  }

  #scan(from: number, direction: 1 | -1): number {
    for (let i = from, left = SCAN_AHEAD_MAX; left > 0; i += direction, left--) {
      if (i < 0 || i >= this.#store.length) return -1;
      if (this.test(i)) return i;
    }
    return -1;
  }

  /** How many matches are not after an index, as far as the log was read. */
  countUpTo(index: number): number {
    return this.all ? index + 1 : this.#found.countUpTo(index);
  }
}
