import { type ByteText, decodeRune, encodeRune, isSpace, trimSpace } from "../go/index.js";

/** One line `name=value` of a unit file, under its section. */
export interface UnitOption {
  readonly section: ByteText;
  readonly name: ByteText;
  readonly value: ByteText;
}

export type UnitOptions =
  | { readonly ok: true; readonly options: readonly UnitOption[] }
  | { readonly ok: false; readonly error: string };

const LINE_LIMIT_BYTES = 2048;
const BUFFER_BYTES = 4096;
const NEWLINE = /[\r\n]/g;

/**
 * A unit file as the deserializer of go-systemd reads it, in the version fleet 1.0 carries.
 *
 * Known oddities that are kept: what precedes the first section is skipped rune by rune; a
 * continuation keeps its backslash and newline in the value; a line is too long only when 2048
 * bytes without a newline happen to be buffered before a step (Go's bufio reads 4096 at once).
 */
export function lexUnitFile(source: ByteText): UnitOptions {
  const reader = new Reader(source);
  const options: UnitOption[] = [];
  let step: Step | null = { at: "before-sections" };
  while (step !== null) {
    if (reader.lineTooLong()) return fail(`line too long (max ${LINE_LIMIT_BYTES} bytes)`);
    const next: Step | null | string = take(step, reader, options);
    if (typeof next === "string") return fail(next);
    step = next;
  }
  return { ok: true, options };
}

function fail(error: string): UnitOptions {
  return { ok: false, error };
}

type Step =
  | { readonly at: "before-sections" }
  | { readonly at: "section-name" }
  | { readonly at: "section-suffix"; readonly section: ByteText }
  | { readonly at: "in-section"; readonly section: ByteText }
  | { readonly at: "comment"; readonly resume: Step }
  | { readonly at: "name"; readonly section: ByteText }
  | {
      readonly at: "value";
      readonly section: ByteText;
      readonly name: ByteText;
      readonly partial: ByteText;
    };

/** The next step, null at the end, or an error text. */
function take(step: Step, reader: Reader, options: UnitOption[]): Step | null | string {
  switch (step.at) {
    case "before-sections":
      return beforeSections(step, reader);
    case "section-name": {
      const section = reader.readUntil(0x5d);
      if (!section.endsWith("]")) return "unable to find end of section";
      return { at: "section-suffix", section: section.slice(0, -1) };
    }
    case "section-suffix":
      return sectionSuffix(step.section, reader);
    case "in-section":
      return inSection(step, reader);
    case "comment":
      while (reader.readLine().line.replace(/ $/, "").endsWith("\\"));
      return step.resume;
    case "name":
      return optionName(step.section, reader);
    case "value":
      return optionValue(step, reader, options);
  }
}

function beforeSections(step: Step, reader: Reader): Step | null {
  const rune = reader.readRune();
  if (rune === null) return null;
  if (rune === 0x5b) return { at: "section-name" };
  if (isComment(rune)) return { at: "comment", resume: step };
  return step;
}

function sectionSuffix(section: ByteText, reader: Reader): Step | string {
  const garbage = trimSpace(reader.readLine().line);
  if (garbage === "") return { at: "in-section", section };
  const bytes = Array.from(garbage, (byte) => byte.charCodeAt(0)).join(" ");
  // go-systemd prints the section from a field it never sets.
  return `found garbage after section name : [${bytes}]`;
}

function inSection(step: Step & { at: "in-section" }, reader: Reader): Step | null {
  const rune = reader.readRune();
  if (rune === null) return null;
  if (isSpace(rune)) return step;
  if (rune === 0x5b) return { at: "section-name" };
  if (isComment(rune)) return { at: "comment", resume: step };
  reader.unreadRune();
  return { at: "name", section: step.section };
}

function optionName(section: ByteText, reader: Reader): Step | string {
  let name = "";
  for (;;) {
    const rune = reader.readRune();
    if (rune === null) return "EOF";
    if (rune === 0x0a || rune === 0x0d) {
      return "unexpected newline encountered while parsing option name";
    }
    if (rune === 0x3d) break;
    name += encodeRune(rune);
  }
  return { at: "value", section, name: trimSpace(name), partial: "" };
}

function optionValue(step: Step & { at: "value" }, reader: Reader, options: UnitOption[]): Step {
  const { section, name } = step;
  const { line, atEnd } = reader.readLine();
  let partial = step.partial;
  if (trimSpace(line) !== "") {
    partial += line;
    if (line.endsWith("\\")) {
      if (!atEnd) partial += "\n";
      return { at: "value", section, name, partial };
    }
  }
  // A newline at the end comes from a continuation into an empty line, and stays.
  const value = partial.endsWith("\n") ? `${trimSpace(partial)}\n` : trimSpace(partial);
  options.push({ section, name, value });
  return { at: "in-section", section };
}

function isComment(rune: number): boolean {
  return rune === 0x23 || rune === 0x3b;
}

/** Go's bufio.Reader over a string: what matters is how much is buffered when. */
class Reader {
  readonly #source: ByteText;
  #at = 0;
  /** End of what the buffer holds. */
  #filled = 0;
  #lastRuneSize = 0;
  /** The first newline at or after where `lineTooLong` last looked. */
  #newline = -1;

  constructor(source: ByteText) {
    this.#source = source;
  }

  lineTooLong(): boolean {
    if (this.#filled - this.#at < LINE_LIMIT_BYTES) return false;
    if (this.#newline < this.#at) {
      NEWLINE.lastIndex = this.#at;
      this.#newline = NEWLINE.exec(this.#source)?.index ?? this.#source.length;
    }
    return this.#newline >= this.#at + LINE_LIMIT_BYTES;
  }

  readRune(): number | null {
    while (this.#filled - this.#at < 4 && !this.#fullRune() && this.#fill());
    const { rune, size } = decodeRune(this.#source, this.#at, this.#filled);
    if (size === 0) return null;
    this.#at += size;
    this.#lastRuneSize = size;
    return rune;
  }

  unreadRune(): void {
    this.#at -= this.#lastRuneSize;
  }

  /** Everything up to and including the byte, or up to the end of the source. */
  readUntil(byte: number): ByteText {
    const start = this.#at;
    let searched = this.#at;
    for (;;) {
      const found = this.#source.indexOf(String.fromCharCode(byte), searched);
      if (found !== -1 && found < this.#filled) {
        this.#at = found + 1;
        break;
      }
      searched = this.#filled;
      // A full buffer is handed on as a fragment, which empties it.
      if (this.#filled - this.#at >= BUFFER_BYTES) this.#at = this.#filled;
      if (!this.#fill()) {
        this.#at = this.#filled;
        break;
      }
    }
    return this.#source.slice(start, this.#at);
  }

  /** A line without its newline; `atEnd` when the source ended before a newline. */
  readLine(): { line: ByteText; atEnd: boolean } {
    const line = this.readUntil(0x0a);
    if (!line.endsWith("\n")) return { line: line.replace(/\r$/, ""), atEnd: true };
    return { line: line.slice(0, -1), atEnd: false };
  }

  #fullRune(): boolean {
    if (this.#at >= this.#filled) return false;
    const { rune, size } = decodeRune(this.#source, this.#at, this.#filled);
    if (rune !== 0xfffd || size !== 1) return true;
    // An invalid start is "full"; a valid but cut sequence is not.
    return decodeRune(this.#source, this.#at).size === 1;
  }

  /** Reads once into the free part of the buffer; false at the end of the source. */
  #fill(): boolean {
    const room = BUFFER_BYTES - (this.#filled - this.#at);
    const filled = Math.min(this.#source.length, this.#filled + room);
    const grew = filled > this.#filled;
    this.#filled = filled;
    return grew;
  }
}
