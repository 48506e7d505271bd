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

/** So many answers about one glob, or so many globs, are kept before all are forgotten. */
const KEPT = 16_384;

/** Which names a glob matches, remembered beyond a pass. Answers as `globMatches` does. */
export class GlobMemory {
  readonly #tests = new Map<string, (name: string) => boolean>();

  /** Whether one of the globs matches the name. */
  anyMatches(globs: readonly string[], name: string): boolean {
    for (const glob of globs) if (this.#testOf(glob)(name)) return true;
    return false;
  }

  #testOf(glob: string): (name: string) => boolean {
    const known = this.#tests.get(glob);
    if (known !== undefined) return known;
    if (this.#tests.size >= KEPT) this.#tests.clear();
    const test = globTest(glob);
    this.#tests.set(glob, test);
    return test;
  }
}

// ASCII only, so that characters stand for bytes.
const ONE_STAR = /^([!-)+->@-Z\]-~]*)\*([!-)+->@-Z\]-~]*)$/;

function globTest(glob: string): (name: string) => boolean {
  if (!isGlob(glob)) return (name) => name === glob;
  const [, head, tail] = ONE_STAR.exec(glob) ?? [];
  if (head !== undefined && tail !== undefined) {
    const least = head.length + tail.length;
    return (name) =>
      name.length >= least &&
      name.startsWith(head) &&
      name.endsWith(tail) &&
      !name.slice(head.length, name.length - tail.length).includes("/");
  }
  const globs = [glob];
  const answers = new Map<string, boolean>();
  return (name) => {
    const known = answers.get(name);
    if (known !== undefined) return known;
    if (answers.size >= KEPT) answers.clear();
    const answer = anyGlobMatches(globs, name);
    answers.set(name, answer);
    return answer;
  };
}
