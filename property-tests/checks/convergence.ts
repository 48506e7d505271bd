import type { HostState } from "../../core/host/index.js";
import type { LogRecord } from "../../core/kernel/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

/** Why a cluster need not recover, though every fault is over. */
export type Excuse =
  /** So many members lost their disks that no quorum has its data; only an operator can help. */
  | { readonly kind: "quorum-lost"; readonly members: number; readonly lost: number }
  /** An operator cut links and never healed them. */
  | { readonly kind: "still-partitioned" }
  /** An operator took the reboot lock or hosts down and left it so. */
  | { readonly kind: "hosts-taken-away" }
  /**
   * A member fell, or lost the answer, between registering at the discovery service and starting:
   * etcd never lets the same id register again.
   */
  | { readonly kind: "registered-twice"; readonly host: string };

/** What of a plan and a timeline keeps a run from having to converge; nothing of most. */
export function excusesOf(scenario: Scenario, plan: FaultPlan): readonly Excuse[] {
  const excuses: Excuse[] = [];
  const lost = new Set(
    plan.faults.flatMap((f) => (f.kind === "crash" && f.loseDisk ? [f.host] : [])),
  );
  const members = scenario.hosts.filter((host) => host.member).length;
  if (lost.size * 2 >= members) excuses.push({ kind: "quorum-lost", members, lost: lost.size });
  const actions = scenario.timeline.map((entry) => entry.action.kind);
  if (actions.lastIndexOf("partition") > actions.lastIndexOf("heal")) {
    excuses.push({ kind: "still-partitioned" });
  }
  if (actions.includes("terminate") || actions.includes("power-off")) {
    excuses.push({ kind: "hosts-taken-away" });
  }
  return excuses;
}

/** Simulated time between two looks, µs. */
const LOOK_EVERY = 500_000;

/**
 * At some moment between the end of the last fault or operator's action and the end of the run,
 * the cluster is whole again: every host is up, every member serves, and one of them leads.
 * Runs with an excuse hold: those of `excusesOf`
 * without being run, `registered-twice` when it is seen.
 */
export function converges(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  if (excusesOf(scenario, plan).length > 0) return null;
  const quietFrom = Math.max(
    0,
    ...plan.faults.map((fault) => fault.at + fault.duration),
    ...scenario.timeline.map((entry) => entry.at),
  );
  const excuses: Excuse[] = [];
  const observer = {
    record({ kind, host, data }: LogRecord) {
      if (kind !== "discovery.failed") return;
      const { error } = data as { readonly error: string };
      if (error === "duplicate-id") excuses.push({ kind: "registered-twice", host });
    },
  };
  const simulation = new Simulation({ scenario, seed, plan, observer });
  simulation.advance(quietFrom);
  let missing = "no time was left to look";
  for (let more = true; more; ) {
    more = simulation.advance(simulation.at + LOOK_EVERY);
    const found = missingOf(simulation.hosts, scenario);
    if (found === null || excuses.length > 0) return null;
    missing = found;
  }
  return `${missing}, ${(scenario.duration - quietFrom) / 1_000_000} s after the last fault`;
}

/** Which hosts have seats in a cluster that was discovered is decided by who came first. */
function missingOf(hosts: readonly HostState[], scenario: Scenario): Finding {
  const leaders: string[] = [];
  let serving = 0;
  for (const { index, name, present } of scenario.hosts) {
    const host = hosts[index];
    if (!present || host === undefined) continue;
    if (host.power !== "up") return `${name} is ${host.power}`;
    if (host.etcd?.serving === true) serving++;
    else if (host.etcd === null || host.etcd.proxyFor === null) return `${name} has no etcd`;
    const node = host.etcd.serving ? (host.member?.run?.node ?? null) : null;
    if (node?.role === "leader") leaders.push(name);
  }
  const members = scenario.hosts.filter((host) => host.member).length;
  if (serving !== members) return `${serving} of ${members} members serve`;
  return leaders.length === 1 ? null : `${leaders.length} leaders (${leaders.join(", ")})`;
}
