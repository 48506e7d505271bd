import type { Permission } from "./auth-api.js";

/**
 * Ranges of keys as etcd's permissions compare them (pkg/adt, BytesAffineComparable): "" as a bound lies
 * behind every key, and a single key is the range up to the next possible one.
 */
interface Interval {
  readonly begin: string;
  readonly end: string;
}

/** Whether a range of keys is one that a permission can speak of; "\0" as end means everything from the key on. */
export function isPermissionRange(key: string, rangeEnd: string): boolean {
  if (key === "") return false;
  return rangeEnd === "" || rangeEnd === "\0" || compareBounds(key, rangeEnd) < 0;
}

/** Whether permissions together allow one type of access to a key or to the whole of a range. */
export function permitsRange(
  permissions: readonly Permission[],
  type: "read" | "write",
  key: string,
  rangeEnd: string,
): boolean {
  const wanted = rangeEnd === "" ? pointOf(key) : { begin: key, end: boundOf(rangeEnd) };
  const overlapping = permissions
    .filter((permission) => permission.type === type || permission.type === "read-write")
    .map(intervalOf)
    .filter((interval) => overlap(wanted, interval));
  return rangeEnd === "" ? overlapping.length > 0 : isCovered(wanted, overlapping);
}

function intervalOf({ key, rangeEnd }: Permission): Interval {
  return rangeEnd === "" ? pointOf(key) : { begin: key, end: boundOf(rangeEnd) };
}

function pointOf(key: string): Interval {
  return { begin: key, end: `${key}\0` };
}

function boundOf(rangeEnd: string): string {
  return rangeEnd === "\0" ? "" : rangeEnd;
}

function compareBounds(left: string, right: string): number {
  if (left === right) return 0;
  if (left === "") return 1;
  if (right === "") return -1;
  return left < right ? -1 : 1;
}

/** As etcd's intervals have it, whose ends may lie before their beginnings. */
function overlap(wanted: Interval, other: Interval): boolean {
  const isLeft =
    compareBounds(wanted.begin, other.begin) < 0 && compareBounds(wanted.end, other.begin) <= 0;
  return !isLeft && compareBounds(wanted.begin, other.end) < 0;
}

/** Whether intervals, side by side without a gap, cover one. */
function isCovered(wanted: Interval, overlapping: readonly Interval[]): boolean {
  const sorted = [...overlapping].sort((left, right) => compareBounds(left.begin, right.begin));
  const [first] = sorted;
  if (first === undefined || compareBounds(first.begin, wanted.begin) > 0) return false;
  let { end } = first;
  for (const interval of sorted) {
    if (compareBounds(end, interval.begin) < 0) return false;
    if (compareBounds(interval.end, end) > 0) end = interval.end;
  }
  return compareBounds(end, wanted.end) >= 0;
}
