import type { Micros } from "../../core/kernel/index.js";

/** One root slot as the boot loader sees it. */
export interface SlotView {
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly tries: number;
  readonly successful: boolean;
  /** False while an update is being written to it. */
  readonly complete: boolean;
}

export type EtcdRole = "follower" | "pre-candidate" | "candidate" | "leader" | "learner" | "";

export interface EtcdView {
  readonly running: boolean;
  readonly role: EtcdRole;
  readonly term: number;
  /** Who this member believes leads; "" for nobody. */
  readonly lead: string;
  /** Commit index of the last checkpoint; facts do not carry it. */
  readonly commit: number;
  readonly applied: number;
  /** Since when it has this role. */
  readonly since: Micros;
}

/** One unit on one host, as its systemd (or, without one, its fleet agent) last said. */
export interface UnitInstance {
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  readonly since: Micros;
}

export interface HostView {
  readonly name: string;
  readonly zone: string;
  readonly group: string;
  readonly power: "up" | "down" | "rebooting";
  /** Since when `power` is what it is. */
  readonly since: Micros;
  /** Why it went down or reboots; "" while up. */
  readonly reason: string;
  readonly boots: number;
  /** The OS version it runs (or ran last); "" before its first boot. */
  readonly version: string;
  /** The slot it booted from. */
  readonly slot: string;
  readonly slots: readonly SlotView[];
  /** null until its etcd is first heard of. */
  readonly etcd: EtcdView | null;
  readonly registered: boolean;
  readonly updateStatus: string;
  readonly updateVersion: string;
  readonly updateSince: Micros;
  readonly updateError: string;
  readonly locksmith: string;
  readonly units: ReadonlyMap<string, UnitInstance>;
  readonly unitsActive: number;
  readonly unitsFailed: number;
}

/** A unit of the cluster: one that fleet schedules. */
export interface UnitView {
  readonly name: string;
  /** Where the engine put it; "" for nowhere. */
  readonly machine: string;
  readonly reason: string;
  /** Hosts on which it is active, in order of name. */
  readonly activeOn: readonly string[];
  /** Since when it is active somewhere, or nowhere. */
  readonly since: Micros;
  /** When it was first active; null before that. Downtime counts from there. */
  readonly firstActive: Micros | null;
  /** When the outage that lasts still began; null for none. */
  readonly downSince: Micros | null;
  /** Time spent in outages that ended. */
  readonly downtime: Micros;
  readonly outages: number;
  /** How often it was scheduled to another machine than before. */
  readonly moves: number;
  /** False once an operator stopped, unloaded or destroyed it: its rest is no outage. */
  readonly wanted: boolean;
}

export interface ActiveFault {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly since: Micros;
}

export interface Verdict {
  readonly verdict: string;
  /** Checksum the writer put into the end record; "" if it did not. */
  readonly sum: string;
  /** Hash of the final state; "" if it was not written. */
  readonly hash: string;
  /** Stimuli processed; 0 if it was not written. */
  readonly events: number;
}

/** The cluster after some prefix of the log. Never changes; views share what did not change. */
export interface ClusterView {
  /** Index of the last record in it; -1 before the first. */
  readonly index: number;
  readonly seq: number;
  readonly at: Micros;
  /** In the order of the header, then of first appearance. */
  readonly hosts: readonly HostView[];
  readonly units: ReadonlyMap<string, UnitView>;
  /** The up leader of the highest term. */
  readonly leader: { readonly host: string; readonly term: number; readonly since: Micros } | null;
  /** Leaderships begun. */
  readonly elections: number;
  readonly engine: { readonly machine: string; readonly since: Micros } | null;
  readonly lock: { readonly holders: readonly string[]; readonly max: number };
  readonly faults: readonly ActiveFault[];
  readonly faultsBegun: number;
  readonly violations: number;
  readonly reboots: number;
  readonly crashes: number;
  readonly expectationsMet: number;
  readonly expectationsFailed: number;
  /** For logs of an observed cluster; null for others. */
  readonly observed: {
    readonly connected: boolean;
    readonly puts: number;
    readonly deletes: number;
    readonly revision: number;
  } | null;
  /** Facts of kinds that no part of a view depends on. */
  readonly unknown: number;
  readonly end: Verdict | null;
}

/** What a running host shows as its etcd role: down hosts and stopped members included. */
export type RoleLabel = Exclude<EtcdRole, ""> | "stopped" | "down" | "none";

/** The role label of a host. */
export function roleLabel(host: HostView): RoleLabel {
  if (host.power !== "up") return "down";
  if (host.etcd === null) return "none";
  if (!host.etcd.running) return "stopped";
  return host.etcd.role === "" ? "follower" : host.etcd.role;
}

/** The slot the boot loader would choose, if it holds another version than the one that runs. */
export function stagedSlot(host: HostView): SlotView | null {
  let best: SlotView | null = null;
  for (const slot of host.slots) {
    if (!slot.complete || (!slot.successful && slot.tries <= 0)) continue;
    if (best === null || slot.priority > best.priority) best = slot;
  }
  return best !== null && best.name !== host.slot && best.version !== host.version ? best : null;
}
