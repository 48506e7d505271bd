import { quote, toBytes } from "../go/index.js";
import { globMatches } from "./glob.js";
import type { MetadataRequirement, Requirements } from "./requirements.js";

/** A live machine as the registry shows it, dynamic metadata merged in. */
export interface MachineState {
  /** "" when only the machine's directory is left in the registry. */
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A unit by name, with what it demands. */
export interface NamedUnit {
  readonly name: string;
  readonly requirements: Requirements;
}

/**
 * Whether a machine can run a unit. Several `reasons` are those that differ in the unit they name:
 * Go's map order decides which is given. `replaced` has the units of which one would have to move;
 * fleet looks for it again, so it need not be the one the reason names.
 */
export type Verdict =
  | { readonly action: "schedule" }
  | { readonly action: "unschedule"; readonly reasons: readonly string[] }
  | {
      readonly action: "reschedule";
      readonly reasons: readonly string[];
      readonly replaced: readonly string[];
    };

/**
 * AbleToRun of agent/state.go: machine ID, metadata, peers, conflicts, replaces, in this order.
 *
 * @param placed - the units that already are on the machine; the candidate may be among them
 */
export function ableToRun(
  candidate: NamedUnit,
  machine: MachineState,
  placed: readonly NamedUnit[],
): Verdict {
  const { requiredTarget, metadata, peers } = candidate.requirements;
  if (requiredTarget !== null && !matchesMachine(machine.id, requiredTarget)) {
    return unable(wrongMachineReason(machine.id, requiredTarget));
  }
  if (!hasMetadata(machine, metadata)) return unable(METADATA_REASON);
  const missing = peers.find((peer) => !placed.some((unit) => unit.name === peer));
  if (missing !== undefined) return unable(missingPeerReason(missing));
  const conflicts = placed.flatMap((unit) => conflictNames(candidate, unit)).map(conflictReason);
  if (conflicts.length > 0) return { action: "unschedule", reasons: [...new Set(conflicts)] };
  const replaced = placed.filter((unit) => replacesOneWay(candidate, unit)).map(({ name }) => name);
  if (replaced.length > 0)
    return { action: "reschedule", reasons: replaced.map(replaceReason), replaced };
  return { action: "schedule" };
}

function unable(reason: string): Verdict {
  return { action: "unschedule", reasons: [reason] };
}

/** The full ID or its first eight characters. */
export function matchesMachine(id: string, required: string): boolean {
  return required === id || required === id.slice(0, 8);
}

/** Every required key has one of its values. */
export function hasMetadata(
  machine: MachineState,
  required: readonly MetadataRequirement[],
): boolean {
  for (const { key, values } of required) {
    const value = machine.metadata[key];
    if (value === undefined || !values.includes(value) || !Object.hasOwn(machine.metadata, key)) {
      return false;
    }
  }
  return true;
}

/** The name a conflict between the two is reported with: none, or one. A unit does not conflict with itself. */
function conflictNames(candidate: NamedUnit, unit: NamedUnit): string[] {
  if (candidate.name === unit.name) return [];
  // A unit that repels the candidate is reported under the candidate's name.
  if (anyGlobMatches(unit.requirements.conflicts, candidate.name)) return [candidate.name];
  return anyGlobMatches(candidate.requirements.conflicts, unit.name) ? [unit.name] : [];
}

/** Whether either of the two lists the other as a conflict. */
export function conflict(left: NamedUnit, right: NamedUnit): boolean {
  return conflictNames(left, right).length > 0;
}

/** Whether two of the globals conflict, so that their order decides which of them a machine gets. */
export function areContested(globals: readonly NamedUnit[]): boolean {
  return globals.some((left) => globals.some((right) => conflict(left, right)));
}

/** Whether exactly one of the two replaces the other; a circular pair is ignored. */
export function replacesOneWay(left: NamedUnit, right: NamedUnit): boolean {
  if (left.name === right.name) return false;
  const forth = anyGlobMatches(left.requirements.replaces, right.name);
  return forth !== anyGlobMatches(right.requirements.replaces, left.name);
}

const SPECIAL = /[*?[\\]/;

/** Whether one of the globs matches the name. */
export function anyGlobMatches(globs: readonly string[], name: string): boolean {
  for (const glob of globs) {
    if (SPECIAL.test(glob) ? globMatches(toBytes(glob), toBytes(name)) : glob === name) return true;
  }
  return false;
}

/** Whether the text is a glob that can match more than itself. */
export function isGlob(text: string): boolean {
  return SPECIAL.test(text);
}

export const METADATA_REASON = "local Machine metadata insufficient";

export function wrongMachineReason(id: string, required: string): string {
  return `agent ID ${quote(toBytes(id))} does not match required ${quote(toBytes(required))}`;
}

export function missingPeerReason(peer: string): string {
  return `required peer Unit(${peer}) is not scheduled locally`;
}

export function conflictReason(unit: string): string {
  return `found conflict with locally-scheduled Unit([${unit}])`;
}

export function replaceReason(unit: string): string {
  return `found replace with locally-scheduled Unit(${unit})`;
}
