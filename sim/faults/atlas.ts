import type { Micros, NodeIndex } from "../../core/kernel/index.js";
import type { Scenario } from "../scenario/scenario.js";
import type { FaultBudget } from "./budget.js";
import type { Fault } from "./plan.js";

/** Hosts that a fault makes unavailable, and for how long: its recovery included. */
export interface Outage {
  readonly hosts: readonly NodeIndex[];
  readonly from: Micros;
  readonly until: Micros;
}

/** From the boot of a new member until it votes: its operator adds it, it asks who the others are, it catches up. */
const REJOIN: Micros = 3_000_000;

/** A link that loses so much is as good as cut. */
const LOSS_IS_OUTAGE_PPM = 500_000;

/**
 * What a fault takes away from the cluster: null when every host stays available, if worse.
 *
 * A crashed host is away until it has booted; one that lost its disk until somebody replaces it,
 * so for the rest of the run. After any outage a member needs up to two election timeouts until
 * it votes and follows again. Reboots that the run itself brings about (updates) are not counted:
 * a budget that expects them leaves room for them.
 */
export function outageOf(scenario: Scenario, fault: Fault): Outage | null {
  const settle = 2 * scenario.etcd.election;
  const until = fault.at + fault.duration + settle;
  switch (fault.kind) {
    case "crash": {
      const boot = scenario.hosts[fault.host]?.boot.high ?? 0;
      const back = fault.loseDisk ? scenario.duration : until + boot;
      return { hosts: [fault.host], from: fault.at, until: Math.max(back, until) };
    }
    case "pause":
    case "kill-process":
      return { hosts: [fault.host], from: fault.at, until };
    case "member-change": {
      const boot = scenario.hosts[fault.host]?.boot.high ?? 0;
      return { hosts: [fault.host], from: fault.at, until: until + boot + REJOIN };
    }
    case "partition":
      return { hosts: smallerSide(scenario, fault.from, fault.to), from: fault.at, until };
    case "link":
      if (fault.lossPpm < LOSS_IS_OUTAGE_PPM && fault.delay.high < scenario.etcd.election)
        return null;
      return { hosts: smallerSide(scenario, fault.from, fault.to), from: fault.at, until };
    case "slow-disk":
      if (fault.delay.high < scenario.etcd.election) return null;
      return { hosts: [fault.host], from: fault.at, until };
    case "clock-step":
    case "clock-drift":
    case "update-down":
    case "discovery-down":
    case "registry-down":
      return null;
  }
}

function smallerSide(
  scenario: Scenario,
  from: readonly NodeIndex[],
  to: readonly NodeIndex[],
): readonly NodeIndex[] {
  const left = from.filter((node) => node < scenario.hosts.length);
  const right = to.filter((node) => node < scenario.hosts.length);
  // One cut between services and hosts takes no host from its peers.
  return left.length <= right.length ? left : right;
}

/** Most initial etcd members that may be away at one moment with a quorum left. */
export function minorityOf(scenario: Scenario): number {
  const members = scenario.hosts.filter((host) => host.member).length;
  return Math.max(0, Math.floor((members - 1) / 2));
}

/** Which faults of a plan may happen together: the budget's limits, kept account of. */
export class Atlas {
  readonly #scenario: Scenario;
  readonly #budget: FaultBudget;
  readonly #minority: number;
  readonly #faults: Fault[] = [];
  readonly #outages: Outage[] = [];

  constructor(scenario: Scenario, budget: FaultBudget) {
    this.#scenario = scenario;
    this.#budget = budget;
    this.#minority = minorityOf(scenario);
  }

  /** Takes the fault in if the limits allow it beside those already taken. */
  admit(fault: Fault): boolean {
    if (this.#faults.some((other) => collide(fault, other))) return false;
    const outage = outageOf(this.#scenario, fault);
    if (outage !== null && !this.#survivable(outage)) return false;
    this.#faults.push(fault);
    if (outage !== null) this.#outages.push(outage);
    return true;
  }

  /** Away together are most at the start of one of the outages, so only those moments count. */
  #survivable(added: Outage): boolean {
    const beside = this.#outages.filter((o) => o.from < added.until && added.from < o.until);
    const moments = [added.from, ...beside.map((o) => o.from).filter((at) => at > added.from)];
    return moments.every((moment) => {
      const away = new Set<NodeIndex>(added.hosts);
      for (const outage of beside) {
        if (outage.from > moment || moment >= outage.until) continue;
        for (const host of outage.hosts) away.add(host);
      }
      if (away.size > this.#budget.hostsAtOnce) return false;
      if (this.#budget.keep === "nothing") return true;
      let members = 0;
      for (const host of away) if (this.#scenario.hosts[host]?.member === true) members++;
      return members <= this.#minority;
    });
  }
}

const HALTS = new Set<Fault["kind"]>(["crash", "pause", "kill-process", "member-change"]);

/** Whether two faults would undo or repeat each other: a host cannot crash while it is down. */
function collide(left: Fault, right: Fault): boolean {
  const together = left.at < right.at + right.duration && right.at < left.at + left.duration;
  if (!together) return false;
  // One change of membership at a time, as an operator makes them.
  if (left.kind === "member-change" && right.kind === "member-change") return true;
  const alike = left.kind === right.kind || (HALTS.has(left.kind) && HALTS.has(right.kind));
  if (!alike) return false;
  if ("host" in left && "host" in right) return left.host === right.host;
  if ("from" in left && "from" in right) return left.from.join() === right.from.join();
  return true;
}
