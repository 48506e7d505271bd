import { type ByteText, decodeRune, quote, quoteRune, toBytes } from "../go/index.js";

/** The parts of a unit's name. `instance` is "" for a template and for a plain unit. */
export interface UnitNameInfo {
  readonly fullName: string;
  /** Without the type suffix. */
  readonly name: string;
  /** Up to the first `@`. */
  readonly prefix: string;
  /** The template the name is made from, "" if there is none. */
  readonly template: string;
  readonly instance: string;
  readonly isTemplate: boolean;
  readonly isInstance: boolean;
}

/** Takes a name apart: the type follows the last dot, the instance the first `@`. Null without a dot. */
export function unitNameInfo(fullName: string): UnitNameInfo | null {
  const dot = fullName.lastIndexOf(".");
  if (dot === -1) return null;
  const name = fullName.slice(0, dot);
  const suffix = fullName.slice(dot);
  const at = name.indexOf("@");
  const prefix = at === -1 ? name : name.slice(0, at);
  const instance = at === -1 ? "" : name.slice(at + 1);
  return {
    fullName,
    name,
    prefix,
    template: at === -1 ? "" : `${prefix}@${suffix}`,
    instance,
    isTemplate: at !== -1 && instance === "",
    isInstance: instance !== "",
  };
}

const RECOGNIZED = new Set(["service", "socket", "timer", "path", "device", "mount", "automount"]);

/** Whether fleet's systemd side takes a file of this name for a unit. */
export function recognizedUnitType(name: string): boolean {
  const dot = name.lastIndexOf(".");
  return dot !== -1 && RECOGNIZED.has(name.slice(dot + 1));
}

const TYPES = new Set([
  "automount",
  "busname",
  "device",
  "mount",
  "path",
  "scope",
  "service",
  "slice",
  "snapshot",
  "socket",
  "swap",
  "target",
  "timer",
]);
const TEMPLATE_TYPES = new Set(["path", "service", "socket", "target", "timer"]);
const NAME_LIMIT_BYTES = 256;
const NAME_BYTE = /^[0-9a-zA-Z:\-_.\\@]$/;

/** What fleet's API says against a unit name, or null. Checks and words in the order of api/units.go. */
export function validateUnitName(name: string): string | null {
  const bytes = toBytes(name);
  if (bytes.length === 0) return "unit name cannot be empty";
  if (bytes.length > NAME_LIMIT_BYTES)
    return `unit name exceeds maximum length (${NAME_LIMIT_BYTES})`;
  const dot = bytes.lastIndexOf(".");
  if (dot === -1) return 'unit name must contain "."';
  if (dot === bytes.length - 1) return 'unit name cannot end in "."';
  const type = bytes.slice(dot + 1);
  if (!TYPES.has(type)) return `invalid unit type: ${quote(type)}`;
  const stem = bytes.slice(0, dot);
  if (stem.includes("@") && !TEMPLATE_TYPES.has(type)) {
    return `invalid unit type for template: ${quote(type)}`;
  }
  const invalid = firstInvalidRune(stem);
  if (invalid !== null) return `invalid character ${quoteRune(invalid)} in unit name`;
  if (stem.startsWith("@")) return 'unit name cannot start in "@"';
  return null;
}

function firstInvalidRune(stem: ByteText): number | null {
  for (let at = 0; at < stem.length; ) {
    const { rune, size } = decodeRune(stem, at);
    if (!NAME_BYTE.test(String.fromCodePoint(rune))) return rune;
    at += size;
  }
  return null;
}

/** The name with `.service` appended, as fleetctl does to a name without a known type. */
export function withServiceSuffix(name: string): string {
  return `${name}.service`;
}

/** Whether the name is a template's, which no unit can run under. */
export function isTemplate(name: string): boolean {
  const info = unitNameInfo(name);
  return info !== null && info.template !== "" && info.instance === "";
}
