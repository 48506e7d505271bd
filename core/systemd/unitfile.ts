import type { Diagnostic } from "../kernel/index.js";

/** One assignment of a unit file. `line` is where it begins, from 1. */
export interface UnitOption {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly line: number;
  /** The last line of a value that goes on; systemd's messages name this one. */
  readonly endLine: number;
}

/** What is wrong with the form of a line. */
export type UnitFileFault =
  | "section-header"
  | "outside-section"
  | "no-equals"
  | "no-key"
  | "nul"
  | "long-line";

/** A complaint about the form of a unit file. */
export interface UnitFileDiagnostic extends Diagnostic {
  readonly fault: UnitFileFault;
  readonly endLine: number;
  /** The section it stands in; null before the first. */
  readonly section: string | null;
}

/** A unit file taken apart. */
export interface UnitFile {
  readonly options: readonly UnitOption[];
  readonly sections: readonly { readonly name: string; readonly line: number }[];
  readonly diagnostics: readonly UnitFileDiagnostic[];
  /** A section header is broken: systemd refuses the whole file (load state `error`). */
  readonly refused: boolean;
}

/** LONG_LINE_MAX: a longer line, continued ones included, makes systemd refuse the file. */
const LINE_MAX = 1024 * 1024;

const BLANK = " \t\n\r";

/**
 * systemd's parser of unit files (252, shared/conf-parser.c):
 *
 * - lines end in LF, CR, CRLF or NUL; a byte order mark is skipped;
 * - `#` and `;` begin comment lines, also between continued lines;
 * - a backslash at the end of a line becomes a space and the next line follows, if it is not blank;
 * - what stands before the first section, or has no `=`, is ignored with a warning;
 * - a broken section header makes the file unusable.
 *
 * Resets by empty assignment, quoting and specifiers depend on the key and are left to its reader.
 *
 * @param file - the file's name in diagnostics
 */
export function parseUnitFile(text: string, file: string): UnitFile {
  const parser = new Parser(file);
  const lines = splitLines(text.startsWith("\uFEFF") ? text.slice(1) : text);
  let continued: string[] | null = null;
  let length = 0;
  let begun = 0;
  for (const [index, line] of lines.entries()) {
    const first = firstCharacter(line);
    // A comment between continued lines is passed over; a blank line ends them.
    if (first === "#" || first === ";" || (first === "" && continued === null)) continue;
    length = (continued === null ? 0 : length) + line.length;
    if (length > LINE_MAX) {
      parser.refuse("long-line", index + 1, "a line of more than 1 MiB", "shorter lines");
      return parser.result();
    }
    if (continued === null) begun = index + 1;
    if (endsEscaped(line)) {
      continued ??= [];
      continued.push(`${line.slice(0, -1)} `);
      continue;
    }
    const whole: string = continued === null ? line : continued.join("") + line;
    continued = null;
    if (!parser.line(whole, begun, index + 1)) return parser.result();
  }
  // At its end systemd counts one line more than there are.
  if (continued !== null) parser.line(continued.join(""), begun, lines.length + 1);
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    const line = Math.max(1, splitLines(text.slice(0, nul)).length);
    const advice = "NUL ends a line here; remove it.";
    parser.warn("nul", { begin: line, end: line }, "a NUL character", "text", advice);
  }
  return parser.result();
}

function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\n\r|\n|\r|\0/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function firstCharacter(line: string): string {
  let at = 0;
  while (at < line.length && BLANK.includes(line.charAt(at))) at++;
  return line.charAt(at);
}

/** Whether an odd number of backslashes ends the line. */
function endsEscaped(line: string): boolean {
  let at = line.length;
  while (at > 0 && line.charAt(at - 1) === "\\") at--;
  return (line.length - at) % 2 === 1;
}

/** Without blanks on either side; only ASCII blanks count. */
export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.includes(text.charAt(start))) start++;
  while (end > start && BLANK.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Where a line that may go on begins and ends. */
interface Span {
  readonly begin: number;
  readonly end: number;
}

class Parser {
  readonly #file: string;
  readonly #options: UnitOption[] = [];
  readonly #sections: { name: string; line: number }[] = [];
  readonly #diagnostics: UnitFileDiagnostic[] = [];
  #section: string | null = null;
  #refused = false;

  constructor(file: string) {
    this.#file = file;
  }

  result(): UnitFile {
    return {
      options: this.#options,
      sections: this.#sections,
      diagnostics: this.#diagnostics,
      refused: this.#refused,
    };
  }

  /** False when the file is refused. */
  line(raw: string, begin: number, end: number): boolean {
    const line = strip(raw);
    if (line === "") return true;
    if (line.startsWith("[")) return this.#header(line, end);
    const at = { begin, end };
    const ignored = "The line is ignored.";
    if (this.#section === null) {
      this.warn("outside-section", at, show(line), "a section such as [Unit] first", ignored);
      return true;
    }
    const equals = line.indexOf("=");
    if (equals <= 0) {
      const fault = equals < 0 ? "no-equals" : "no-key";
      this.warn(fault, at, show(line), "Key=value", ignored);
      return true;
    }
    this.#options.push({
      section: this.#section,
      key: strip(line.slice(0, equals)),
      value: strip(line.slice(equals + 1)),
      line: begin,
      endLine: end,
    });
    return true;
  }

  #header(line: string, number: number): boolean {
    const name = line.slice(1, -1);
    if (!line.endsWith("]") || hasUnsafeCharacters(name)) {
      this.refuse("section-header", number, show(line), "a section header such as [Service]");
      return false;
    }
    this.#section = name;
    this.#sections.push({ name, line: number });
    return true;
  }

  refuse(fault: UnitFileFault, line: number, found: string, expected: string): void {
    this.#refused = true;
    const advice = "systemd refuses the whole file.";
    this.#report("error", fault, { begin: line, end: line }, found, expected, advice);
  }

  warn(fault: UnitFileFault, at: Span, found: string, expected: string, advice: string): void {
    this.#report("warning", fault, at, found, expected, advice);
  }

  #report(
    severity: Diagnostic["severity"],
    fault: UnitFileFault,
    { begin, end }: Span,
    found: string,
    expected: string,
    advice: string,
  ): void {
    this.#diagnostics.push({
      code: "E_UNIT_FILE",
      severity,
      position: { file: this.#file, line: begin, column: 1 },
      found,
      expected,
      advice,
      fault,
      endLine: end,
      section: this.#section,
    });
  }
}

/** Control characters, quotes and backslashes (the opposite of string_is_safe). */
export function hasUnsafeCharacters(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f || unit === 0x22 || unit === 0x27 || unit === 0x5c)
      return true;
  }
  return false;
}

/** As much of a text as a message quotes. Of a line of which each word is wrong, each word has a message. */
export const show = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
