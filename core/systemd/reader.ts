import type { Micros } from "../kernel/index.js";
import { type Command, parseCommands } from "./command.js";
import { expandSpecifiers, type SpecifierContext, type UnitName } from "./names.js";
import { show, type UnitOption } from "./unitfile.js";
import { type Escapes, FOREVER, parseBoolean, parseCount, parseSpan, splitWords } from "./value.js";

/** An assignment that does not parse. */
export interface IgnoredLine {
  readonly file: string;
  readonly line: number;
  readonly found: string;
}

/** An assignment with the file it stands in. */
export interface Assignment extends UnitOption {
  readonly file: string;
}

/** What an assignment's reader is given. */
export interface Reader {
  readonly name: UnitName;
  readonly context: SpecifierContext;
  readonly timeoutStart: Micros;
  readonly timeoutStop: Micros;
  readonly unsupported: string[];
  readonly ignored: IgnoredLine[];
}

/** Reads a boolean, span, count or command list; on anything else the old value stays. */
export class Values {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  ignore(at: Assignment): void {
    this.#reader.ignored.push({
      file: at.file,
      line: at.line,
      found: `${at.key}=${show(at.value)}`,
    });
  }

  boolean(at: Assignment, before: boolean): boolean {
    return this.#or(at, parseBoolean(at.value), before);
  }

  span(at: Assignment, before: Micros): Micros {
    return this.#or(at, parseSpan(at.value), before);
  }

  /** A span in which 0 stands for no limit. */
  limit(at: Assignment, before: Micros): Micros {
    const span = this.span(at, before);
    return span === 0 ? FOREVER : span;
  }

  count(at: Assignment, before: number): number {
    return this.#or(at, parseCount(at.value), before);
  }

  oneOf<T extends string>(at: Assignment, values: readonly T[], before: T): T {
    return this.#or(at, values.find((value) => value === at.value) ?? null, before);
  }

  /** The value after specifiers. */
  text(at: Assignment): string {
    return expandSpecifiers(at.value, this.#reader.name, this.#reader.context);
  }

  /** Words after specifiers; null when the value does not parse. */
  words(at: Assignment, escapes: Escapes = "undo"): string[] | null {
    const words = splitWords(at.value, escapes);
    if (words === null) {
      this.ignore(at);
      return null;
    }
    const { name, context } = this.#reader;
    return words.map((word) => expandSpecifiers(word, name, context));
  }

  /**
   * Adds to a list; an empty value empties it.
   *
   * @returns false for a line that makes the unit unusable
   */
  commands(at: Assignment, list: Command[]): boolean {
    if (at.value === "") list.length = 0;
    const read = parseCommands(at.value, this.#reader.name, this.#reader.context);
    if (read.complaints.length > 0) this.ignore(at);
    if (!read.refused) for (const command of read.commands) list.push(command);
    return !read.refused;
  }

  #or<T>(at: Assignment, value: T | null, before: T): T {
    if (value === null) this.ignore(at);
    return value ?? before;
  }
}

/** StartLimit…=; the names with `Interval=` and the ones in [Service] are old spellings. */
export function readStartLimit(
  draft: { startLimitInterval: Micros; startLimitBurst: number },
  at: Assignment,
  values: Values,
): boolean {
  switch (at.key) {
    case "StartLimitIntervalSec":
    case "StartLimitInterval":
      draft.startLimitInterval = values.span(at, draft.startLimitInterval);
      return true;
    case "StartLimitBurst":
      draft.startLimitBurst = values.count(at, draft.startLimitBurst);
      return true;
    default:
      return false;
  }
}
