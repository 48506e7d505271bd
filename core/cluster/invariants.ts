import type { HostFact, HostState } from "../host/index.js";
import { type Micros, type NodeIndex, SECOND } from "../kernel/index.js";
import {
  checkInvariants,
  GroupHistory,
  lastIndex,
  RAFT_INVARIANTS,
  type RaftLog,
  termAt,
} from "../raft/index.js";
import { isEligible, nextBoot, SLOT_ORDER } from "../update/index.js";
import { HISTORY_CHECKS } from "../workload/index.js";
import { clusterIdOf, raftStatesOf } from "./raft-states.js";

/** What must always hold in a cluster, by name, and is watched in every run. */
export const INVARIANTS = {
  "raft-election-safety": RAFT_INVARIANTS["election-safety"],
  "raft-log-matching": RAFT_INVARIANTS["log-matching"],
  "raft-leader-completeness": RAFT_INVARIANTS["leader-completeness"],
  "raft-state-machine-safety": RAFT_INVARIANTS["state-machine-safety"],
  "reboot-lock-bound": "at most max holders of the reboot lock",
  "update-running-slot": "the running slot is never written",
  "update-bootable-slot": "there is always a slot that boots",
  "fleet-single-copy": "a non-global unit has at most one copy while no fault outlives its TTL",
  "flannel-unique-subnet": "no two hosts have one subnet of the overlay at once",
  "etcd-equal-stores": "when a run with clients is over, its members hold the same",
  ...HISTORY_CHECKS,
} as const;

/** The rest of `RAFT_INVARIANTS` is only evaluated where every step is looked at. */
export type InvariantName = keyof typeof INVARIANTS | `raft-${keyof typeof RAFT_INVARIANTS}`;

/**
 * How much a monitor looks at. `events`: what can break only at an event is looked at only then,
 * cheaply enough for every run. `every-step`: besides, after each step of a host with an etcd
 * member, all of `checkInvariants` over the states and disks of its cluster, which costs time in the
 * length of the logs. A breach is a record of the log, so the mode is part of what a run is made from.
 */
export type InvariantMode = "events" | "every-step";

/** One breach, and the record of the log that shows it. */
export interface Violation {
  readonly invariant: InvariantName;
  readonly detail: string;
  readonly hosts: readonly NodeIndex[];
  readonly at: Micros;
  /** `seq` of the fact or stimulus that broke it. */
  readonly seq: number;
}

/** Longest time two copies of a unit may overlap while one is taken down: an agent's pass and its stop. */
const HANDOVER_MAX: Micros = 20 * SECOND;

/** Longest time a host that was cut off takes to register, read the registry and stop what moved. */
const RECOVERY_MAX: Micros = 60 * SECOND;

/** Watches the named invariants over the states and facts of all hosts. Each breach is reported once. */
export class InvariantMonitor {
  readonly violations: Violation[] = [];

  readonly #hosts: readonly HostState[];
  readonly #mode: InvariantMode;
  readonly #clusters = new Map<string, GroupHistory>();
  readonly #appliedBy: Float64Array;
  /** Of the cluster that each host's member belongs to, since it was started. */
  readonly #historyOf: (GroupHistory | null)[];
  /** Of the reboot lock, as last written. */
  #holders: ReadonlySet<string> = new Set();
  readonly #copies = new Map<string, Map<NodeIndex, Micros>>();
  /** Units an engine has placed: the non-global ones. */
  readonly #scheduled = new Set<string>();
  /** Subnet of the overlay that each host has, from its lease until its next one or its end. */
  readonly #subnets = new Map<NodeIndex, string>();
  readonly #excuses: Int32Array;
  readonly #excusedUntil: Float64Array;
  readonly #overlapSince = new Map<string, Micros>();
  readonly #seen = new Set<string>();
  #reported = 0;

  constructor(hosts: readonly HostState[], mode: InvariantMode = "events") {
    this.#hosts = hosts;
    this.#mode = mode;
    this.#excuses = new Int32Array(hosts.length);
    this.#excusedUntil = new Float64Array(hosts.length);
    this.#appliedBy = new Float64Array(hosts.length);
    this.#historyOf = hosts.map(() => null);
  }

  /** True when a breach was found that `news` has not handed out. */
  get hasNews(): boolean {
    return this.#reported < this.violations.length;
  }

  /** The breaches found since the last call. */
  news(): readonly Violation[] {
    const from = this.#reported;
    this.#reported = this.violations.length;
    return this.violations.slice(from);
  }

  /**
   * From now on something may keep this host from the rest for longer than fleet's TTL: copies of
   * its units elsewhere are then what fleet does by design, not a breach.
   */
  beginExcuse(node: NodeIndex): void {
    this.#excuses[node] = (this.#excuses[node] as number) + 1;
  }

  /** It is over; the host has a minute to find out what became of its units. */
  endExcuse(node: NodeIndex, at: Micros): void {
    this.#excuses[node] = (this.#excuses[node] as number) - 1;
    this.#excusedUntil[node] = at + RECOVERY_MAX;
  }

  /** Looks at what a step may have changed without a fact. Call after every step of a host. */
  afterStep(node: NodeIndex, at: Micros, seq: number): void {
    const host = this.#hosts[node];
    const run = host?.member?.run ?? null;
    if (run !== null) {
      const { applied } = run.stores;
      if (applied.index !== this.#appliedBy[node]) {
        this.#appliedBy[node] = applied.index;
        this.#historyOf[node] ??= this.#history(run.clusterId);
        const breach = this.#historyOf[node].recordApplied(node, applied);
        if (breach !== null) {
          this.#add(`raft-${breach.invariant}`, breach.detail, breach.members, at, seq);
        }
      }
    }
    if (this.#mode === "every-step") this.#checkRaftStates(node, at, seq);
    if (this.#overlapSince.size > 0) this.#checkOverlaps(at, seq);
  }

  /** Looks at a fact of a host. */
  observe(node: NodeIndex, fact: HostFact, at: Micros, seq: number): void {
    switch (fact.kind) {
      case "etcd.role":
        if (fact.role === "leader") this.#checkLeader(node, fact.term, at, seq);
        return;
      case "etcd.restored":
      case "etcd.started":
        this.#appliedBy[node] = -1;
        this.#historyOf[node] = null;
        return;
      case "lock.semaphore":
        this.#checkLock(node, fact, at, seq);
        return;
      case "update.slots":
        this.#checkSlots(node, at, seq);
        return;
      case "fleet.scheduled":
        this.#scheduled.add(fact.unit);
        return;
      case "systemd.unit":
        this.#noteUnit(
          node,
          fact.unit,
          fact.active === "active" || fact.active === "deactivating",
          at,
        );
        return;
      case "flannel.leased":
        this.#checkSubnet(node, fact.subnet, at, seq);
        return;
      case "host.down":
        this.#subnets.delete(node);
        for (const copies of this.#copies.values()) copies.delete(node);
        if (fact.reason === "no-bootable-slot" || fact.reason === "broken-image") {
          this.#add("update-bootable-slot", `the loader found: ${fact.reason}`, [node], at, seq);
        }
        return;
      default:
        return;
    }
  }

  /** A host that lost its lease goes on with its subnet: docker's bridge has it. */
  #checkSubnet(node: NodeIndex, subnet: string, at: Micros, seq: number): void {
    this.#subnets.set(node, subnet);
    for (const [other, used] of this.#subnets) {
      if (other === node || used !== subnet) continue;
      this.#add("flannel-unique-subnet", `two hosts have ${subnet}`, [other, node], at, seq);
    }
  }

  /** Lowering the bound below the holders there are is allowed; taking the lock beyond it is not. */
  #checkLock(
    node: NodeIndex,
    fact: HostFact & { readonly kind: "lock.semaphore" },
    at: Micros,
    seq: number,
  ): void {
    const before = this.#holders;
    this.#holders = new Set(fact.holders);
    const taken = fact.holders.some((holder) => !before.has(holder));
    if (!taken || fact.holders.length <= Math.max(fact.max, 0)) return;
    const detail = `${fact.holders.length} hosts hold the reboot lock of ${fact.max}`;
    this.#add("reboot-lock-bound", detail, [node], at, seq);
  }

  /** Hosts may run members of several clusters; what must hold holds within each. */
  #history(clusterId: string): GroupHistory {
    let history = this.#clusters.get(clusterId);
    if (history === undefined) {
      history = new GroupHistory();
      this.#clusters.set(clusterId, history);
    }
    return history;
  }

  /** All that raft's specification says of a state, of the cluster that a step may have changed. */
  #checkRaftStates(node: NodeIndex, at: Micros, seq: number): void {
    const clusterId = clusterIdOf(this.#hosts[node]);
    if (clusterId === null) return;
    const members = raftStatesOf(this.#hosts, clusterId);
    const changed = members.find(({ host }) => host === node)?.id;
    for (const breach of checkInvariants(members, changed === undefined ? {} : { changed })) {
      const hosts = breach.members.map((id) => members.find((one) => one.id === id)?.host ?? node);
      this.#add(`raft-${breach.invariant}`, breach.detail, hosts, at, seq);
    }
  }

  #checkLeader(node: NodeIndex, term: number, at: Micros, seq: number): void {
    const run = this.#hosts[node]?.member?.run ?? null;
    if (run === null) return;
    for (const breach of this.#history(run.clusterId).recordLeader(node, run.node, term)) {
      this.#add(`raft-${breach.invariant}`, breach.detail, breach.members, at, seq);
    }
    const { log } = run.node;
    for (const [other, host] of this.#hosts.entries()) {
      const otherRun = host.member?.run ?? null;
      if (other === node || otherRun?.clusterId !== run.clusterId) continue;
      const mismatch = logMismatch(log, otherRun.node.log);
      if (mismatch === null) continue;
      const detail = `logs agree at ${mismatch.agreeAt} and differ at ${mismatch.differAt}`;
      this.#add("raft-log-matching", detail, [node, other], at, seq);
    }
  }

  #checkSlots(node: NodeIndex, at: Micros, seq: number): void {
    const host = this.#hosts[node];
    if (host === undefined) return;
    const choice = nextBoot(host.slots);
    if (choice === null || !host.slots[choice.slot].complete) {
      const eligible = SLOT_ORDER.filter((slot) => isEligible(host.slots[slot]));
      const detail = `the next boot finds nothing to run (eligible: ${eligible.join(", ") || "none"})`;
      this.#add("update-bootable-slot", detail, [node], at, seq);
    }
    if (host.running !== null && !host.slots[host.running].complete) {
      this.#add("update-running-slot", `${host.running} runs and was written`, [node], at, seq);
    }
  }

  #noteUnit(node: NodeIndex, unit: string, active: boolean, at: Micros): void {
    if (!this.#scheduled.has(unit)) return;
    const copies = this.#copies.get(unit) ?? new Map<NodeIndex, Micros>();
    this.#copies.set(unit, copies);
    if (active) copies.set(node, at);
    else copies.delete(node);
    if (copies.size > 1 && !this.#overlapSince.has(unit)) this.#overlapSince.set(unit, at);
    if (copies.size < 2) this.#overlapSince.delete(unit);
  }

  #checkOverlaps(at: Micros, seq: number): void {
    for (const [unit, since] of this.#overlapSince) {
      const copies = this.#copies.get(unit);
      if (copies === undefined || copies.size < 2) {
        this.#overlapSince.delete(unit);
        continue;
      }
      const nodes = [...copies.keys()];
      if (nodes.some((node) => this.#isExcused(node, at))) {
        this.#overlapSince.set(unit, at);
      } else if (at - since > HANDOVER_MAX) {
        this.#overlapSince.delete(unit);
        this.#add("fleet-single-copy", `${nodes.length} copies of ${unit}`, nodes, at, seq);
      }
    }
  }

  #isExcused(node: NodeIndex, at: Micros): boolean {
    return (this.#excuses[node] as number) > 0 || (this.#excusedUntil[node] as number) > at;
  }

  /** Takes in a breach that was found elsewhere. */
  report(
    invariant: InvariantName,
    detail: string,
    hosts: readonly NodeIndex[],
    at: Micros,
    seq: number,
  ): void {
    this.#add(invariant, detail, hosts, at, seq);
  }

  /** One breach of a kind by the same hosts is reported once. */
  #add(
    invariant: InvariantName,
    detail: string,
    hosts: readonly NodeIndex[],
    at: Micros,
    seq: number,
  ): void {
    const key = `${invariant} ${hosts.join(",")}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.violations.push({ invariant, detail, hosts, at, seq });
  }
}

/** Entries compared below the last index at which two logs agree. */
const MATCH_DEPTH = 500;

function logMismatch(
  left: RaftLog<unknown, unknown>,
  right: RaftLog<unknown, unknown>,
): { readonly agreeAt: number; readonly differAt: number } | null {
  let index = Math.min(lastIndex(left), lastIndex(right));
  let agreeAt = 0;
  for (let depth = 0; depth < MATCH_DEPTH && index > 0; depth++, index--) {
    const l = termAt(left, index);
    const r = termAt(right, index);
    if (typeof l !== "number" || typeof r !== "number") return null;
    if (l === r) agreeAt = agreeAt === 0 ? index : agreeAt;
    else if (agreeAt > 0) return { agreeAt, differAt: index };
  }
  return null;
}
