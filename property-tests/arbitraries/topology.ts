import fc from "fast-check";

/** How many hosts there are, where they stand and how they find each other. */
export interface Topology {
  readonly hosts: number;
  /** Members of the etcd cluster, at most `hosts`; the rest are proxies before it. */
  readonly members: number;
  /** Hosts are dealt over so many zones. */
  readonly zones: number;
  /** `static`: every host is a member and knows all others from the start. */
  readonly bootstrap: "discovery" | "static";
}

/** Most hosts of a drawn topology. */
export const HOSTS_MAX = 7;

/** Topologies of one to seven hosts; they shrink to one member that is alone. */
export function topologies(): fc.Arbitrary<Topology> {
  return fc
    .record({
      hosts: fc.integer({ min: 1, max: HOSTS_MAX }),
      proxies: fc.integer({ min: 0, max: 2 }),
      zones: fc.integer({ min: 1, max: 3 }),
      bootstrap: fc.constantFrom("static" as const, "discovery" as const),
    })
    .map(({ hosts, proxies, zones, bootstrap }) => ({
      hosts,
      members: bootstrap === "static" ? hosts : Math.max(1, hosts - proxies),
      zones,
      bootstrap,
    }));
}
