/**
 * A number with a unit. Plain numbers and arithmetic results are accepted, but a value of one unit
 * is never accepted where another is meant, so `Micros` cannot be passed for a `Revision`.
 */
export type Flavored<Base, Unit extends string> = Base & { readonly __unit?: Unit };

/** Time or duration in integer microseconds. Safe up to 2^53 µs, 285 years. */
export type Micros = Flavored<number, "µs">;

/** Dense index of a node (host or service) in its cluster, from 0. */
export type NodeIndex = Flavored<number, "node">;

/** Size in bytes. */
export type Bytes = Flavored<number, "B">;

export const MICROSECOND: Micros = 1;
export const MILLISECOND: Micros = 1_000;
export const SECOND: Micros = 1_000_000;
export const MINUTE: Micros = 60 * SECOND;
export const HOUR: Micros = 60 * MINUTE;
export const DAY: Micros = 24 * HOUR;

/** Marks a branch that the types say is unreachable; a new union member then fails to compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}
