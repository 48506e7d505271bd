import type { Bound, EtcdCompare, EtcdKeyValue, EtcdRelation } from "./etcd-types.js";

/** If a condition holds, as far as the revisions are known. A value is compared with no absent key. */
export function compareHolds(
  compare: EtcdCompare,
  kv: EtcdKeyValue<Bound> | null,
): "yes" | "no" | "maybe" {
  if (compare.target === "value") {
    return kv !== null && holds(order(kv.value, compare.value), compare.result) ? "yes" : "no";
  }
  const bound = numberOf(compare.target, kv);
  if (bound.exact || compare.value < bound.at) {
    // Below its lower bound a number compares as any number from the bound on does.
    return holds(order(bound.at, compare.value), compare.result) ? "yes" : "no";
  }
  // From the bound on anything is possible, except to be less than the bound itself.
  return compare.result === "<" && compare.value === bound.at ? "no" : "maybe";
}

function numberOf(target: "version" | "create" | "mod", kv: EtcdKeyValue<Bound> | null): Bound {
  if (kv === null) return { at: 0, exact: true };
  return target === "version" ? { at: kv.version, exact: true } : kv[target];
}

/** Texts compare by code unit: equal to etcd's bytes for ASCII. */
function order<T extends string | number>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function holds(sign: number, relation: EtcdRelation): boolean {
  switch (relation) {
    case "=":
      return sign === 0;
    case "!=":
      return sign !== 0;
    case "<":
      return sign < 0;
    case ">":
      return sign > 0;
  }
}
