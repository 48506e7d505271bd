import type { Step as CloudInitStep } from "../cloudconfig/index.js";
import type { DiscoveryRequest, DiscoveryState } from "../discovery/index.js";
import type { EtcdBugs, EtcdState } from "../etcd/index.js";
import type { FleetProfile, FleetState } from "../fleet/index.js";
import type { Generator, Micros, NodeIndex } from "../kernel/index.js";
import type { SystemdState } from "../systemd/index.js";
import type { LocksmithState, SlotName, Slots, UpdateState } from "../update/index.js";
import type { ContainerHost, HostContainerConfig } from "./container-state.js";

/** What is fixed about a host: its hardware, its user data, and where the others are. */
export interface HostConfig {
  readonly index: NodeIndex;
  readonly name: string;
  /** 32 lowercase hex digits. */
  readonly machineId: string;
  /** Private IPv4 address. */
  readonly address: string;
  /** OS version in the first slot when the host is new. */
  readonly osVersion: string;
  /** User data; "" for none. */
  readonly cloudConfig: string;
  /** The config that the image's provider has put into it; applied before the user data. */
  readonly oemConfig?: string;
  /** Added to the fleet metadata of the cloud-config. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Node of each address, the own included. */
  readonly directory: Readonly<Record<string, NodeIndex>>;
  /** Nodes of the services; null where there is none. */
  readonly updateNode: NodeIndex | null;
  readonly discoveryNode: NodeIndex | null;
  readonly etcd: HostEtcdConfig;
  readonly fleet: HostFleetConfig;
  readonly update: HostUpdateConfig;
  readonly safeguards: HostSafeguards;
  /** What is wrong with releases, by version. */
  readonly defects: Readonly<Record<string, readonly HostDefect[]>>;
  readonly seed: number;
  /** Absent on hosts without container engines, as their states are without. */
  readonly containers?: HostContainerConfig;
}

/** etcd's settings that a cloud-config does not say. */
export interface HostEtcdConfig {
  readonly heartbeat: Micros;
  readonly election: Micros;
  readonly snapshotCount: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** --strict-reconfig-check, unless the environment sets it. */
  readonly strictReconfigCheck: boolean;
  /** Release, such as `3.4.23`. */
  readonly version: string;
  readonly bugs: HostBugs;
  /** Raft's events as facts; default false. */
  readonly trace?: boolean;
}

/** Deliberate bugs of the etcd process. */
export interface HostBugs extends Required<EtcdBugs> {
  /** Every range is answered from the member's own store. */
  readonly staleReads: boolean;
  /** Now and then an event does not reach a watch. */
  readonly lostEvents: boolean;
}

export interface HostFleetConfig {
  readonly agentTtl: Micros;
  readonly engineReconcile: Micros;
  readonly etcdRequestTimeout: Micros;
  readonly enableGrpc: boolean;
  readonly profile: FleetProfile;
}

export interface HostUpdateConfig {
  /** Group asked for when update.conf says nothing. */
  readonly track: string;
  readonly firstCheck: readonly [Micros, Micros];
  readonly period: readonly [Micros, Micros];
}

/** Safeguards the real system did not have. */
export interface HostSafeguards {
  readonly rebootHealthGate: boolean;
  readonly quorumGate: boolean;
  readonly markGoodGate: boolean;
}

/** What a release does wrong on a host. `after` is a closed range of µs. */
export type HostDefect =
  | {
      readonly kind: "crash" | "crash-peers" | "exit";
      /** Daemon, unit without suffix, or glob over unit names. */
      readonly target: string;
      readonly after: readonly [Micros, Micros];
      readonly code: number;
    }
  | { readonly kind: "panic-on-boot"; readonly after: readonly [Micros, Micros] };

/** The daemons that are machines of their own, by the base name of their program. */
export type DaemonName =
  | "etcd"
  | "fleetd"
  | "update_engine"
  | "locksmithd"
  | "coreos-cloudinit"
  | "dockerd"
  | "flanneld"
  | "confd";

export interface Daemon {
  readonly name: DaemonName;
  readonly pid: number;
  readonly unit: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** The etcd process: finding its cluster, then a member of it or a proxy before it. */
export interface EtcdProcess {
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Bootstrapping through a discovery token. */
  discovery: DiscoveryState | null;
  /** The watch that waits at the discovery service without a limit; null when none does. */
  discoveryWatch: { readonly id: number; readonly request: DiscoveryRequest } | null;
  /** Asking the cluster whether it knows this member. */
  joining: boolean;
  /** The host's member runs in this process. */
  serving: boolean;
  /** Proxy mode: nodes of the members it forwards to. */
  proxyFor: NodeIndex[] | null;
  /** Node of each raft id, as looked up. */
  peers: Map<number, NodeIndex>;
}

/** Whose request it is; a program's id is its pid. */
export type EtcdOwner = "fleet" | "locksmith" | "flannel" | "confd" | "program";

/** One request of a local etcd client that is under way. */
export interface EtcdClientCall {
  readonly owner: EtcdOwner;
  /** The owner's id. */
  readonly id: number;
  /** Node it was sent to; the own index for the local member. */
  readonly node: NodeIndex;
}

/** Whom the local member owes an answer. `node` is the own index for local clients. */
export interface MemberClient {
  readonly node: NodeIndex;
  readonly call: number;
}

/** Where coreos-cloudinit is in its list. */
export interface CloudInitRun {
  readonly pid: number;
  readonly steps: readonly CloudInitStep[];
  next: number;
  /** The unit whose job is awaited. */
  waitingFor: string | null;
  /** Id of the systemd call under way; 0: none. */
  call: number;
}

/** Asking the other voters whether they are healthy, before rebooting. */
export interface QuorumProbe {
  readonly call: number;
  readonly voters: number;
  /** Who said that it is: an answer may come twice. */
  healthy: NodeIndex[];
}

/** One host: what is on its disk, and what runs. */
export interface HostState {
  readonly config: HostConfig;
  power: "off" | "booting" | "up";
  boots: number;
  /** The partition table and the images behind it. */
  slots: Slots;
  running: SlotName | null;
  /** Files that outlive a reboot, by path. */
  files: Map<string, string>;
  /** The etcd member of this host, from its first start on: its data directory and, while it runs, its memory. */
  member: EtcdState | null;
  systemd: SystemdState;
  daemons: Map<number, Daemon>;
  /** Units kept from starting. */
  held: string[];
  etcd: EtcdProcess | null;
  fleet: FleetState | null;
  /** Preferences and partition state outlive the process. */
  update: UpdateState;
  updateRunning: boolean;
  locksmith: LocksmithState | null;
  cloudInit: CloudInitRun | null;
  /** Requests of local clients, by call number. */
  calls: Map<number, EtcdClientCall>;
  /** Answers the local member owes, by its own request id. */
  clients: Map<number, MemberClient>;
  nextCall: number;
  /** fleetd's calls of the engine that leads, by call number; absent where it makes none. */
  rpcs?: Map<number, number>;
  /** Endpoint that remote clients try first. */
  endpoint: number;
  probe: QuorumProbe | null;
  /** A shutdown is under way. */
  halting: "reboot" | "power-off" | null;
  generator: Generator;
  /** Engines, programs of units and the balancer; absent where `config.containers` is. */
  containers?: ContainerHost;
}
