import { type LogData, raftIdOf, type StoreImage, storageFrom } from "../../core/etcd/index.js";
import type { HostState } from "../../core/host/index.js";
import { checkInvariants, type Replica } from "../../core/raft/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

type Members = Replica<LogData, StoreImage>[];

/** Simulated time between two looks at all members, µs. */
const LOOK_EVERY = 1_000_000;

/**
 * Looked at every second, the members of every cluster satisfy what etcd's TLA+ specification
 * demands of a state: one leader per term, log matching, leader completeness, what is committed
 * is on a quorum's disks. It reads the raft logs and the disks, where the monitor of a run hears
 * facts, so that the two would have to err alike. Plans must not lose disks: raft promises
 * nothing then.
 */
export function holdsRaftInStates(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const simulation = new Simulation({ scenario, seed, plan });
  for (let more = true; more; ) {
    more = simulation.advance(simulation.at + LOOK_EVERY);
    for (const members of clustersOf(simulation.hosts).values()) {
      const found = checkInvariants(members)[0];
      if (found !== undefined) {
        return `${found.invariant} at ${simulation.at} µs, term ${found.term}: ${found.detail}`;
      }
    }
  }
  return null;
}

/** Members by the id of their cluster; one whose process is down counts with what is on its disk. */
function clustersOf(hosts: readonly HostState[]): Map<string, Members> {
  const clusters = new Map<string, Members>();
  for (const { member } of hosts) {
    const identity = member?.disk.durable.identity ?? null;
    if (member === null || identity === null) continue;
    const members = clusters.get(identity.clusterId) ?? [];
    clusters.set(identity.clusterId, members);
    members.push({
      id: raftIdOf(identity.memberId),
      node: member.run?.node ?? null,
      durable: storageFrom(member.disk.durable),
    });
  }
  return clusters;
}
