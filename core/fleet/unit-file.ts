import { type ByteText, fromBytes, isPrintable, quote, toBytes } from "../go/index.js";
import { sha1Hex } from "../kernel/index.js";
import { lexUnitFile, type UnitOption } from "./unit-lexer.js";

/** The values of each option of a section, in file order, by name. */
export type Section = Readonly<Record<ByteText, readonly ByteText[]>>;

/** A unit file as fleet holds it. All texts are byte strings. */
export interface UnitFile {
  readonly options: readonly UnitOption[];
  /** The options written out again: comments and blank lines dropped, sections gathered. */
  readonly serialized: ByteText;
  /** SHA-1 of `serialized`, 40 hex digits: the unit's identity in the registry. */
  readonly hash: string;
}

export type ParsedUnitFile =
  | { readonly ok: true; readonly unit: UnitFile }
  | { readonly ok: false; readonly error: string };

/** Parses a unit file given as text; see `parseUnitBytes`. */
export function parseUnit(text: string): ParsedUnitFile {
  return parseUnitBytes(toBytes(text));
}

/** Parses a unit file given as a byte string. Errors carry go-systemd's words. */
export function parseUnitBytes(bytes: ByteText): ParsedUnitFile {
  const lexed = lexUnitFile(bytes);
  return lexed.ok ? { ok: true, unit: unitFromOptions(lexed.options) } : lexed;
}

/** The unit that consists of these options. They are not checked: the API takes them from clients. */
export function unitFromOptions(options: readonly UnitOption[]): UnitFile {
  const serialized = serializeOptions(options);
  return { options, serialized, hash: sha1Hex(serialized) };
}

/** The text that is written to disk and stored in the registry. */
export function unitText(unit: UnitFile): string {
  return fromBytes(unit.serialized);
}

/** Options as text: sections in order of first appearance, a blank line between them. */
export function serializeOptions(options: readonly UnitOption[]): ByteText {
  const sections = new Map<ByteText, string>();
  for (const { section, name, value } of options) {
    const lines = sections.get(section) ?? `[${section}]\n`;
    sections.set(section, `${lines}${name}=${value}\n`);
  }
  return [...sections.values()].join("\n");
}

/** Values by section and name, quoted multi-values of `X-Fleet` taken apart. */
export function unitContents(unit: UnitFile): Readonly<Record<ByteText, Section>> {
  const contents = emptyRecord<Record<ByteText, ByteText[]>>();
  for (const { section, name, value } of unit.options) {
    contents[section] ??= emptyRecord<ByteText[]>();
    const options = contents[section];
    options[name] ??= [];
    const values = section === "X-Fleet" ? splitMultiValue(value) : [value];
    // One by one: a line may hold more values than a call takes arguments.
    for (const each of values) options[name].push(each);
  }
  return contents;
}

// Without a prototype, so that an option named `constructor` is absent until it is there.
function emptyRecord<T>(): Record<ByteText, T> {
  return Object.create(null) as Record<ByteText, T>;
}

/** Whether the unit has any option in the section. */
export function hasSection(unit: UnitFile, section: string): boolean {
  return unit.options.some((option) => option.section === section);
}

/**
 * The values of one X-Fleet line: `"a" "b"` are two, anything not quoted at both ends is one.
 * Each space outside quotes ends a value, so two of them make an empty one.
 */
function splitMultiValue(line: ByteText): ByteText[] {
  if (!line.startsWith('"') || !line.endsWith('"')) return [line];
  const values: ByteText[] = [];
  let value = "";
  let quoted = false;
  for (const byte of line) {
    if (byte === '"') quoted = !quoted;
    else if (byte === " " && !quoted) {
      values.push(value);
      value = "";
    } else value += byte;
  }
  values.push(value);
  return values;
}

/**
 * A unit hash written in hex, normalised. Errors carry the words of Go's hex package and of fleet.
 */
export function parseUnitHash(
  hex: string,
): { readonly ok: true; readonly hash: string } | { readonly ok: false; readonly error: string } {
  const bytes = toBytes(hex);
  const bad = /[^0-9a-fA-F]/.exec(bytes);
  if (bad !== null) {
    const byte = bad[0].charCodeAt(0);
    const code = byte.toString(16).toUpperCase().padStart(4, "0");
    // Go's %#U: the code point, and the character where it can be printed.
    const shown = isPrintable(byte) ? ` '${String.fromCharCode(byte)}'` : "";
    return { ok: false, error: `encoding/hex: invalid byte: U+${code}${shown}` };
  }
  if (bytes.length % 2 === 1) return { ok: false, error: "encoding/hex: odd length hex string" };
  if (bytes.length !== 40) {
    const key = bytes.replace(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16)));
    const error = `size of key ${quote(key)} (${key.length}) differs from SHA1 size (20)`;
    return { ok: false, error };
  }
  return { ok: true, hash: bytes.toLowerCase() };
}
