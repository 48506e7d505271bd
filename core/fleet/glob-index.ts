import { anyGlobMatches, isGlob, type NamedUnit } from "./able-to-run.js";

/**
 * Which units a glob matches. A glob that is asked for more often than there are units is matched
 * against all of them once; one that is not (each unit may have its own) is matched as asked.
 */
export class GlobIndex {
  readonly #units: readonly NamedUnit[];
  readonly #globs = new Map<string, { uses: number; matches: Set<number> | null }>();

  constructor(units: readonly NamedUnit[]) {
    this.#units = units;
  }

  matches(glob: string, unit: number): boolean {
    const name = this.#units[unit]?.name ?? "";
    let entry = this.#globs.get(glob);
    if (entry === undefined) {
      if (!isGlob(glob)) return glob === name;
      entry = { uses: 0, matches: null };
      this.#globs.set(glob, entry);
    }
    if (entry.matches !== null) return entry.matches.has(unit);
    if (entry.uses++ < this.#units.length) return anyGlobMatches([glob], name);
    const matches = new Set<number>();
    for (const [index, other] of this.#units.entries()) {
      if (anyGlobMatches([glob], other.name)) matches.add(index);
    }
    entry.matches = matches;
    return matches.has(unit);
  }
}
