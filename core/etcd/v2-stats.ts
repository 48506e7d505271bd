/** How often a kind of request on the v2 keys was granted and refused. */
export interface V2Count {
  success: number;
  fail: number;
}

/** What a kind of request counts as. */
export type V2Counted =
  | "get"
  | "set"
  | "create"
  | "update"
  | "delete"
  | "compareAndSwap"
  | "compareAndDelete";

/**
 * What `/v2/stats/store` tells, besides the watchers: each member counts what it has answered or applied, and
 * snapshots carry the counts along. etcd counts its own reads and writes of members in the same store too.
 */
export interface V2Stats {
  counts: Record<V2Counted, V2Count>;
  expired: number;
}

export function createV2Stats(): V2Stats {
  const none = (): V2Count => ({ success: 0, fail: 0 });
  return {
    counts: {
      get: none(),
      set: none(),
      create: none(),
      update: none(),
      delete: none(),
      compareAndSwap: none(),
      compareAndDelete: none(),
    },
    expired: 0,
  };
}

/** A copy that nothing changes. */
export function copyOfV2Stats({ counts, expired }: V2Stats): V2Stats {
  const copy = createV2Stats();
  for (const [name, count] of Object.entries(counts)) {
    Object.assign(copy.counts, { [name]: { ...count } });
  }
  return { ...copy, expired };
}

/** Counts a request that was answered. */
export function countV2(stats: V2Stats, counted: V2Counted, ok: boolean): void {
  const count = stats.counts[counted];
  if (ok) count.success++;
  else count.fail++;
}
