import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

/**
 * Looked at after every step, the members of every cluster satisfy what etcd's TLA+ specification
 * demands of a state: one leader per term, log matching, leader completeness, what is committed
 * is on a quorum's disks. That reads the raft logs and the disks, where else the monitor of a run
 * hears facts, so that the two would have to err alike. Plans must not lose disks: raft promises
 * nothing then.
 */
export function holdsRaftInStates(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const simulation = new Simulation({ scenario, seed, plan, invariants: "every-step" });
  simulation.advance(scenario.duration);
  const found = simulation.invariants.violations.find(({ invariant }) =>
    invariant.startsWith("raft-"),
  );
  return found === undefined
    ? null
    : `${found.invariant} at ${found.at} µs, hosts ${found.hosts.join(", ")}: ${found.detail}`;
}
