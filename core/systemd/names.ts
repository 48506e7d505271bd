/** The types of units, by suffix. */
export const UNIT_TYPES = [
  "service",
  "target",
  "timer",
  "path",
  "socket",
  "mount",
  "automount",
  "swap",
  "device",
  "slice",
  "scope",
] as const;

export type UnitType = (typeof UNIT_TYPES)[number];

/** The longest unit name (UNIT_NAME_MAX - 1). */
const UNIT_NAME_MAX = 255;

/** A unit's name taken apart: `foo@bar.service` has prefix `foo` and instance `bar`. */
export interface UnitName {
  readonly name: string;
  readonly prefix: string;
  /** null: no `@`; "": a template. */
  readonly instance: string | null;
  readonly type: UnitType;
}

/** Takes a name apart (basic/unit-name.c); null when it is not a valid unit name. */
export function parseUnitName(name: string): UnitName | null {
  const dot = name.lastIndexOf(".");
  if (dot <= 0 || name.length > UNIT_NAME_MAX) return null;
  const type = UNIT_TYPES.find((candidate) => candidate === name.slice(dot + 1));
  const stem = name.slice(0, dot);
  if (type === undefined || !/^[0-9A-Za-z:\-_.\\@]+$/.test(stem)) return null;
  const at = stem.indexOf("@");
  if (at < 0) return { name, prefix: stem, instance: null, type };
  if (at === 0) return null;
  return { name, prefix: stem.slice(0, at), instance: stem.slice(at + 1), type };
}

/** The template an instance is made from, such as `foo@.service`; null for anything else. */
export function templateOf(name: UnitName): string | null {
  return name.instance === null || name.instance === "" ? null : `${name.prefix}@.${name.type}`;
}

/** Undoes the escaping of unit names: `-` is `/`, `\x2d` a byte. Not an escape: kept as it is. */
export function unescapeName(text: string): string {
  return text.replace(/-|\\x([0-9a-f]{2})/g, (match, hex: string | undefined) =>
    match === "-" ? "/" : String.fromCharCode(Number.parseInt(hex ?? "0", 16)),
  );
}

/** What specifiers stand for besides the unit's name. */
export interface SpecifierContext {
  readonly hostname: string;
  readonly machineId: string;
  readonly bootId: string;
}

/**
 * Replaces specifiers in one pass (`%n %N %p %P %i %I %j %J %H %l %m %b %t %S %C %L %E %u %U %h %%`).
 * Others stay as they are: systemd does so with letters that mean nothing, this model also with
 * those that tell of the kernel, the architecture, the OS image and the fragment.
 */
export function expandSpecifiers(text: string, unit: UnitName, context: SpecifierContext): string {
  if (!text.includes("%")) return text;
  return text.replace(
    /%(.?)/gs,
    (match, letter: string) => specifier(letter, unit, context) ?? match,
  );
}

const FIXED: Readonly<Record<string, string>> = {
  "%": "%",
  t: "/run",
  S: "/var/lib",
  C: "/var/cache",
  L: "/var/log",
  E: "/etc",
  T: "/tmp",
  V: "/var/tmp",
  u: "root",
  U: "0",
  g: "root",
  G: "0",
  h: "/root",
  s: "/bin/sh",
};

function specifier(letter: string, unit: UnitName, context: SpecifierContext): string | null {
  switch (letter) {
    case "n":
      return unit.name;
    case "N":
      return unit.name.slice(0, unit.name.lastIndexOf("."));
    case "p":
      return unit.prefix;
    case "P":
      return unescapeName(unit.prefix);
    case "i":
      return unit.instance ?? "";
    case "I":
      return unescapeName(unit.instance ?? "");
    case "j":
      return unit.prefix.slice(unit.prefix.lastIndexOf("-") + 1);
    case "J":
      return unescapeName(unit.prefix.slice(unit.prefix.lastIndexOf("-") + 1));
    case "H":
      return context.hostname;
    case "l":
      return context.hostname.split(".", 1)[0] ?? "";
    case "m":
      return context.machineId;
    case "b":
      return context.bootId;
    default:
      return FIXED[letter] ?? null;
  }
}
