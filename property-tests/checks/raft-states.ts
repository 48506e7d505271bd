import { raftClustersOf, raftStatesOf } from "../../core/cluster/index.js";
import { checkInvariants } from "../../core/raft/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

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
    for (const clusterId of raftClustersOf(simulation.hosts)) {
      const found = checkInvariants(raftStatesOf(simulation.hosts, clusterId))[0];
      if (found !== undefined) {
        return `${found.invariant} at ${simulation.at} µs, term ${found.term}: ${found.detail}`;
      }
    }
  }
  return null;
}
