import { anyGlobMatches, isGlob } from "./able-to-run.js";

/** So many globs and answers about them are kept before all are forgotten. */
const KEPT = 250_000;

/** Which names globs match, with what is worked out about a glob kept. Answers as `anyGlobMatches` does. */
export class GlobMemory {
  readonly #tests = new Map<string, (name: string) => boolean>();
  #kept = 0;

  /** Whether one of the globs matches the name. */
  anyMatches(globs: readonly string[], name: string): boolean {
    for (const glob of globs) if (this.#testOf(glob)(name)) return true;
    return false;
  }

  #testOf(glob: string): (name: string) => boolean {
    const known = this.#tests.get(glob);
    if (known !== undefined) return known;
    const test = simpleTest(glob) ?? this.#rememberingTest(glob);
    this.#keep();
    this.#tests.set(glob, test);
    return test;
  }

  #rememberingTest(glob: string): (name: string) => boolean {
    const globs = [glob];
    const answers = new Map<string, boolean>();
    return (name) => {
      const known = answers.get(name);
      if (known !== undefined) return known;
      const answer = anyGlobMatches(globs, name);
      this.#keep();
      answers.set(name, answer);
      return answer;
    };
  }

  #keep(): void {
    if (this.#kept++ < KEPT) return;
    this.#tests.clear();
    this.#kept = 0;
  }
}

// ASCII only, so that characters stand for bytes.
const ONE_STAR = /^([!-)+->@-Z\]-~]*)\*([!-)+->@-Z\]-~]*)$/;

/** A test that is as cheap as remembering; null if the glob is not one of the simple kinds. */
function simpleTest(glob: string): ((name: string) => boolean) | null {
  if (!isGlob(glob)) return (name) => name === glob;
  const [, head, tail] = ONE_STAR.exec(glob) ?? [];
  if (head === undefined || tail === undefined) return null;
  const least = head.length + tail.length;
  return (name) =>
    name.length >= least &&
    name.startsWith(head) &&
    name.endsWith(tail) &&
    !name.slice(head.length, name.length - tail.length).includes("/");
}
