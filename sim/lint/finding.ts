import type { Position } from "../../core/kernel/index.js";

/** Codes of what `orrery lint` finds: whose word it is, and about what. */
export const LINT_CODES = {
  CLOUDINIT_VALIDATE: "an entry of coreos-cloudinit -validate, in its words",
  CLOUDINIT_PANIC: "coreos-cloudinit -validate itself fails on the file, in Go's words",
  SYSTEMD_FILE: "systemd-analyze verify complains about the form of a line",
  SYSTEMD_UNKNOWN: "systemd-analyze verify does not know a section or a key",
  SYSTEMD_VALUE: "systemd-analyze verify does not take a value",
  SYSTEMD_OLD: "systemd-analyze verify says that a directive has no effect or is advised against",
  SYSTEMD_LOAD: "systemd loads the unit so that it cannot be started, or not at all",
  FLEET_NAME: "fleet's API refuses the name of a unit, in its words",
  FLEET_FILE: "fleet's parser refuses the file, in go-systemd's words",
  FLEET_OPTIONS: "fleet refuses the [X-Fleet] options, in its words",
  FLEET_UNKNOWN: "fleetctl warns about a key of [X-Fleet], in its words",
  ORRERY_TRAP: "Orrery's own: the file is accepted, and does not do what it says",
  ORRERY_CONTAINER: "Orrery's own: a container or its sidekick, and does not do what it says",
  ORRERY_FLEET: "Orrery's own: fleet takes the option, and does not do what it says",
} as const;

export type LintCode = keyof typeof LINT_CODES;

/** Something found in a file. */
export interface LintFinding {
  readonly position: Position;
  readonly severity: "error" | "warning" | "info";
  /** One of `LINT_CODES`, or the code of a scenario's diagnostic. */
  readonly code: string;
  readonly message: string;
}

/** `file:line:column: severity CODE: message`. */
export function formatFinding({ position, severity, code, message }: LintFinding): string {
  const { file, line, column } = position;
  return `${file}:${line}:${column}: ${severity} ${code}: ${message}`;
}

/** A place by its line: the column is that of the first character that is not blank. */
export class Places {
  readonly #file: string;
  readonly #lines: readonly string[];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = text.split("\n");
  }

  /** @param line - from 1; what lies outside the text is moved to its nearest line */
  at(line: number): Position {
    const inside = Math.min(Math.max(1, line), Math.max(1, this.#lines.length));
    const column = Math.max(0, this.#lines[inside - 1]?.search(/\S/) ?? 0) + 1;
    return { file: this.#file, line: inside, column };
  }

  /** The first line that a pattern finds, from 1; 1 when none does. */
  lineOf(pattern: RegExp, skip = 0): number {
    let left = skip;
    for (const [index, line] of this.#lines.entries()) {
      if (pattern.test(line) && left-- === 0) return index + 1;
    }
    return 1;
  }

  /** How many lines there are. */
  get count(): number {
    return this.#lines.length;
  }

  /** The first lines as text, whole. */
  first(count: number): string {
    const newline = count < this.#lines.length ? "\n" : "";
    return this.#lines.slice(0, count).join("\n") + newline;
  }
}
