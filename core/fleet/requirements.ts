import { type ByteText, fields, fromBytes, quote, toBytes } from "../go/index.js";
import { globMatches } from "./glob.js";
import { type Section, type UnitFile, unitContents } from "./unit-file.js";
import { lexUnitFile } from "./unit-lexer.js";
import { unitNameInfo } from "./unit-name.js";

/** What a unit's `[X-Fleet]` section demands, specifiers replaced. Source: job/job.go. */
export interface Requirements {
  /** A machine ID, full or its first eight characters; "" is a demand nobody meets. */
  readonly requiredTarget: string | null;
  /** Every key must have one of its values; sorted by key, values sorted. */
  readonly metadata: readonly MetadataRequirement[];
  /** Units that must be on the same machine. */
  readonly peers: readonly string[];
  /** Globs of units that must not be. */
  readonly conflicts: readonly string[];
  /** Globs of units this one takes the place of. */
  readonly replaces: readonly string[];
  /** Runs on every machine that fits, without being scheduled. */
  readonly global: boolean;
}

export interface MetadataRequirement {
  readonly key: string;
  readonly values: readonly string[];
}

const KNOWN = [
  "MachineID",
  "X-ConditionMachineID",
  "X-ConditionMachineBootID",
  "MachineOf",
  "X-ConditionMachineOf",
  "MachineMetadata",
  "X-ConditionMachineMetadata",
  "Conflicts",
  "X-Conflicts",
  "Replaces",
  "Global",
];

/**
 * The requirements of a unit file under a name (the specifiers depend on it).
 *
 * @param valuesPart - blanks part the values of all options that name units, see `FleetFixes`
 */
export function requirements(name: string, unit: UnitFile, valuesPart = false): Requirements {
  const parts = (texts: readonly ByteText[]): string[] =>
    (valuesPart ? texts.flatMap(fields) : texts).map(fromBytes);
  const section = unitContents(unit)["X-Fleet"] ?? {};
  const values = (key: string): readonly ByteText[] =>
    (section[key] ?? []).map((value) => replaceSpecifiers(value, name));
  const required = [
    ...values("MachineID").slice(0, 1),
    ...values("X-ConditionMachineID").slice(0, 1),
    ...values("X-ConditionMachineBootID").slice(0, 1),
  ];
  return {
    requiredTarget: required[0] === undefined ? null : fromBytes(required[0]),
    metadata: metadataRequirements([
      ...values("X-ConditionMachineMetadata"),
      ...values("MachineMetadata"),
    ]),
    peers: parts([...values("X-ConditionMachineOf"), ...values("MachineOf")]),
    conflicts: [...values("X-Conflicts"), ...values("Conflicts")].flatMap(fields).map(fromBytes),
    replaces: parts(values("Replaces")),
    global: isTruthy(values("Global").at(-1) ?? ""),
  };
}

/** Whether a unit of this file is global; null if that depends on its name, through a specifier. */
export function isGlobalUnit(unit: UnitFile): boolean | null {
  const value = (unitContents(unit)["X-Fleet"]?.Global ?? []).at(-1) ?? "";
  return value.includes("%") ? null : isTruthy(value);
}

function isTruthy(value: ByteText): boolean {
  switch (value.toLowerCase()) {
    case "true":
    case "yes":
    case "1":
    case "on":
    case "t":
      return true;
    default:
      return false;
  }
}

/** `k=v` values by key; anything else is dropped without a word. */
function metadataRequirements(values: readonly ByteText[]): MetadataRequirement[] {
  const byKey = new Map<string, Set<string>>();
  for (const pair of values) {
    const parts = pair.split("=");
    const [key, value] = parts;
    if (parts.length !== 2 || !key || !value) continue;
    const alternatives = byKey.get(fromBytes(key)) ?? new Set();
    alternatives.add(fromBytes(value));
    byKey.set(fromBytes(key), alternatives);
  }
  return [...byKey]
    .map(([key, alternatives]) => ({ key, values: [...alternatives].sort() }))
    .sort((left, right) => (left.key < right.key ? -1 : 1));
}

/**
 * `%n`, `%N`, `%p` and `%i`, one after the other over the whole text, so that what one puts in the
 * next may replace again. A name without a dot replaces nothing.
 */
function replaceSpecifiers(value: ByteText, name: string): ByteText {
  if (!value.includes("%")) return value;
  const info = unitNameInfo(name);
  if (info === null) return value;
  return value
    .replaceAll("%n", () => toBytes(info.fullName))
    .replaceAll("%N", () => toBytes(info.name))
    .replaceAll("%p", () => toBytes(info.prefix))
    .replaceAll("%i", () => toBytes(info.instance));
}

/** The keys fleetctl warns about, each as its error text, in file order; the server accepts them. */
export function unknownRequirements(unit: UnitFile): string[] {
  return Object.keys(unitContents(unit)["X-Fleet"] ?? ({} satisfies Section))
    .filter((key) => !KNOWN.includes(key))
    .map((key) => `unrecognized requirement in [X-Fleet] section: ${quote(key)}`);
}

/**
 * What fleet's API says against the options of a new unit: every text it might answer with (which
 * of several offending pairs is named is up to Go's map order), the first thousand of them. Empty
 * when they are accepted.
 */
export function validateOptions(unit: UnitFile): string[] {
  const readBack = lexUnitFile(unit.serialized);
  if (!readBack.ok) return [readBack.error];
  // Without a name, hence without specifiers.
  const { peers, conflicts, replaces, requiredTarget, global } = requirements("", unit);
  const conflicting = offending(peers, conflicts, "conflict");
  if (conflicting.length > 0) return conflicting;
  const replacing = offending(peers, replaces, "replace");
  if (replacing.length > 0) return replacing;
  const pinned = requiredTarget !== null;
  const exclusions: [boolean, string][] = [
    [pinned && peers.length > 0, "MachineID cannot be used with Peers"],
    [pinned && conflicts.length > 0, "MachineID cannot be used with Conflicts"],
    [pinned && global, "MachineID cannot be used with Global"],
    [pinned && replaces.length > 0, "MachineID cannot be used with Replaces"],
    [global && peers.length > 0, "Global cannot be used with Peers"],
    [global && replaces.length > 0, "Global cannot be used with Replaces"],
    [conflicts.length > 0 && replaces.length > 0, "Conflicts cannot be used with Replaces"],
  ];
  return exclusions
    .filter(([applies]) => applies)
    .slice(0, 1)
    .map(([, text]) => text);
}

/** Of the pairs that are at fault; two lists of a megabyte would have billions. */
const OFFENDING_MAX = 1_000;

/** What is said of each peer that a glob matches. Both lists may be as long as the file, and repeat themselves. */
function offending(peers: readonly string[], globs: readonly string[], what: string): string[] {
  const names = new Set(peers.map(toBytes));
  const errors: string[] = [];
  for (const glob of new Set(globs.map(toBytes))) {
    const candidates = isPlain(glob) ? [glob].filter((name) => names.has(name)) : names;
    for (const name of candidates) {
      if (errors.length >= OFFENDING_MAX) return errors;
      if (!globMatches(glob, name)) continue;
      errors.push(`unresolvable requirements: peer ${quote(name)} matches ${what} ${quote(glob)}`);
    }
  }
  return errors;
}

/** Whether a glob matches nothing but itself. */
const isPlain = (glob: ByteText): boolean => !/[*?[\\]/.test(glob);
