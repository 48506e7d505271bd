import type { Bytes, Micros, NodeIndex } from "../../core/kernel/index.js";
import type { Mix, WatcherConfig } from "../../core/workload/index.js";
import type { FaultBudget } from "../faults/budget.js";
import type { FaultPlan, Span } from "../faults/plan.js";
import type { BugName, Safeguards } from "./catalogue.js";
import type { ContainersSpec, UsersSpec } from "./containers.js";

/** Format version of scenario files and of the resolved value. */
export const SCENARIO_VERSION = 1;

/**
 * A scenario, fully resolved: plain JSON data, every text inline, every default filled in, every
 * name checked. It stands in log headers; with a seed it determines a run.
 *
 * Nodes have dense indexes: hosts first (`hosts[i].index === i`), then the services that exist,
 * then clients.
 */
export interface Scenario {
  readonly orrery: typeof SCENARIO_VERSION;
  readonly name: string;
  readonly about: string;
  /** Where an incident was reported, and what the report says. */
  readonly source: readonly Source[];
  /** What we filled in where the sources are silent. */
  readonly assumptions: readonly string[];
  readonly duration: Micros;
  readonly etcd: EtcdSpec;
  readonly fleet: FleetSpec;
  /** Absent: no discovery service; hosts find each other by `initial_cluster`. */
  readonly discovery: DiscoverySpec | null;
  readonly zones: readonly string[];
  readonly hosts: readonly HostSpec[];
  /** In order of first mention; every OS version named anywhere is here. */
  readonly releases: readonly Release[];
  /** Absent: no update service, hosts keep their version. */
  readonly update: UpdateSpec | null;
  readonly network: NetworkSpec;
  /** How programs behave, first match wins; the last entry matches everything. */
  readonly processes: readonly ProcessSpec[];
  /** Unit files for fleet, by name. */
  readonly units: readonly UnitSpec[];
  /** Absent, as in logs of before: hosts have no container engines, and programs are what `processes` says. */
  readonly containers?: ContainersSpec | undefined;
  /** Absent: nobody asks the balancers. */
  readonly users?: UsersSpec | undefined;
  /** Ordered by `at`, then as written. */
  readonly timeline: readonly TimelineEntry[];
  readonly faults: FaultSource;
  readonly safeguards: Safeguards;
  /** Deliberate protocol bugs, sorted. */
  readonly bugs: readonly BugName[];
  /** Clients of etcd outside the hosts, whose histories are checked. */
  readonly clients: readonly ClientSpec[];
  /** Absent: nobody but what the scenario runs writes to etcd. */
  readonly probe: ProbeSpec | null;
  readonly expect: readonly Expectation[];
  /** The same run with safeguards on, and what it should show then; `counterfactual()` makes it. */
  readonly counterfactual: Counterfactual | null;
  /** The same run under other safeguards, by name, as written; `variantOf()` makes one. */
  readonly variants: Readonly<Record<string, Counterfactual>>;
}

/** A client of etcd on a node of its own. */
export interface ClientSpec {
  readonly node: NodeIndex;
  readonly name: string;
  /** Hosts whose members it asks, each time one of them. */
  readonly members: readonly NodeIndex[];
  /** When it begins and makes its last request. */
  readonly from: Micros;
  readonly until: Micros;
  /** Keys that all clients share: `/k0` and so on. */
  readonly keys: number;
  /** How long it waits for an answer, or for any word on a watch. */
  readonly timeout: Micros;
  readonly does:
    | {
        readonly kind: "requests";
        readonly mix: Mix;
        /** From one request's end to the next. */
        readonly pause: Span;
      }
    | {
        readonly kind: "watches";
        readonly from: WatcherConfig["from"];
        /** With `revision`: so many revisions before or after the last one known. */
        readonly before: number;
        readonly after: number;
        readonly lasts: Span;
        readonly progressEvery: Micros;
      };
}

/** A client outside the cluster that tries a write at each member, again and again. */
export interface ProbeSpec {
  readonly every: Micros;
}

export interface Counterfactual {
  readonly about: string;
  readonly safeguards: Safeguards;
  /** Another docker; absent: the same. */
  readonly docker?: ContainersSpec["docker"] | undefined;
  /** Unit files that take the place of those of the same name; absent: none. */
  readonly units?: readonly UnitSpec[] | undefined;
  readonly expect: readonly Expectation[];
}

/** The scenario as its counterfactual has it; null when it has none. */
export function counterfactual(scenario: Scenario): Scenario | null {
  return scenario.counterfactual === null ? null : changed(scenario, scenario.counterfactual);
}

/** The scenario as its variant of that name has it; null when it has none of that name. */
export function variantOf(scenario: Scenario, name: string): Scenario | null {
  const variant = Object.hasOwn(scenario.variants, name) ? scenario.variants[name] : undefined;
  return variant === undefined ? null : changed(scenario, variant);
}

function changed(scenario: Scenario, otherwise: Counterfactual): Scenario {
  const { safeguards, expect } = otherwise;
  const others = otherwise.units ?? [];
  const units = scenario.units.map((unit) => others.find(({ name }) => name === unit.name) ?? unit);
  const { containers } = scenario;
  const docker = otherwise.docker ?? containers?.docker;
  return {
    ...{ ...scenario, safeguards, units, expect, counterfactual: null, variants: {} },
    ...(containers === undefined || docker === undefined
      ? {}
      : { containers: { ...containers, docker } }),
  };
}

export interface Source {
  readonly url: string;
  readonly facts: readonly string[];
}

export interface EtcdSpec {
  /** Behaviour to model, such as `3.4`. */
  readonly version: string;
  readonly heartbeat: Micros;
  readonly election: Micros;
  /** Entries applied between snapshots. */
  readonly snapshotCount: number;
  /** `raft`: message by message. `store`: one linearizable store with measured latency. */
  readonly fidelity: "raft" | "store";
}

export interface FleetSpec {
  /** `agent_ttl` */
  readonly agentTtl: Micros;
  /** `engine_reconcile_interval` */
  readonly engineReconcile: Micros;
  /** `etcd_request_timeout` */
  readonly etcdRequestTimeout: Micros;
  /** `enable_grpc` */
  readonly enableGrpc: boolean;
}

export interface DiscoverySpec {
  readonly node: NodeIndex;
  /** As hosts give it: `https://discovery.etcd.io/<token>`. */
  readonly url: string;
  /** 32 lowercase hex digits, the last part of `url`. */
  readonly token: string;
  readonly size: number;
}

export interface HostSpec {
  readonly index: NodeIndex;
  readonly name: string;
  readonly group: string;
  /** Index into `zones`. */
  readonly zone: number;
  /** Private IPv4 address, unique. */
  readonly address: string;
  /** 32 lowercase hex digits; unique, unless the scenario gives a group one for all its hosts. */
  readonly machineId: string;
  /** False: not there until `add-host`. */
  readonly present: boolean;
  /** Member of the etcd cluster from the start. */
  readonly member: boolean;
  readonly osVersion: string;
  /** Update group of the host; `update.group` unless given. */
  readonly updateGroup: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** User data; "" when the host gets none. */
  readonly cloudConfig: string;
  /** The cloud-config of the image's provider; absent on plain images. */
  readonly oemConfig?: string;
  /** True time from power-on (or reboot) until systemd runs. */
  readonly boot: Span;
  readonly disk: DiskSpec;
  readonly clock: ClockSpec;
}

export interface DiskSpec {
  /** Time of one sync, in µs. */
  readonly fsync: Span;
  /** Bytes a second when an OS image is written. */
  readonly bandwidth: Bytes;
}

export interface ClockSpec {
  /** Host time minus true time at the start, in µs. */
  readonly offset: Span;
  /** Parts per million fast (positive) or slow. */
  readonly driftPpm: Span;
}

export interface Release {
  readonly version: string;
  readonly size: Bytes;
  /** Version of etcd it carries; null: as `etcd.version`. */
  readonly etcd: string | null;
  readonly defects: readonly Defect[];
}

/** What is wrong with a release. Times count from the start of what is named, in µs. */
export type Defect =
  /** The process of that unit ends with `code` so long after each start. */
  | {
      readonly kind: "crash";
      /** Unit name without suffix (`etcd2`) or program name. */
      readonly process: string;
      readonly after: Span;
      readonly code: number;
    }
  /** So long after that process started here, the same process ends with `code` on every host it can reach. */
  | {
      readonly kind: "crash-peers";
      readonly process: string;
      readonly after: Span;
      readonly code: number;
    }
  /** Units whose name matches the glob end with `code` so long after each start. */
  | { readonly kind: "exit"; readonly unit: string; readonly after: Span; readonly code: number }
  /** The kernel panics so long into the boot; the host resets. */
  | { readonly kind: "panic-on-boot"; readonly after: Span }
  /** The boot never ends; only an operator resets the host. */
  | { readonly kind: "hang-on-boot" }
  /** Hosts on this release have worse links. */
  | { readonly kind: "network"; readonly lossPpm: number; readonly delay: Span };

export interface UpdateSpec {
  readonly node: NodeIndex;
  readonly group: string;
  readonly channel: string;
  /** What the channels point at when the run starts. */
  readonly channels: readonly { readonly channel: string; readonly version: string }[];
  readonly policy: RolloutPolicy;
  readonly checks: UpdateChecks;
}

/** The group's policy, as Nebraska and CoreUpdate have it. */
export interface RolloutPolicy {
  readonly enabled: boolean;
  readonly maxUpdatesPerPeriod: number;
  readonly period: Micros;
  readonly updateTimeout: Micros;
  readonly safeMode: boolean;
  readonly officeHours: boolean;
}

/** When a host's update engine asks; update_engine's own values unless given. */
export interface UpdateChecks {
  readonly first: Span;
  readonly every: Span;
}

export interface NetworkSpec {
  /** Within a zone. */
  readonly default: LinkSpec;
  /** Between any two zones that `links` does not name. */
  readonly betweenZones: LinkSpec;
  /** Between hosts and services. */
  readonly services: LinkSpec;
  /** Between hosts and clients. */
  readonly clients: LinkSpec;
  /** Both directions between two zones (indexes, low first). */
  readonly links: readonly { readonly zones: readonly [number, number]; readonly link: LinkSpec }[];
}

export interface LinkSpec {
  /** One way, in µs. */
  readonly latency: Span;
  readonly lossPpm: number;
  readonly duplicatePpm: number;
  /** Bytes a second; null: unlimited. */
  readonly bandwidth: Bytes | null;
}

/** How a program named in a unit file behaves. */
export interface ProcessSpec {
  /** Glob over unit names, unit names without suffix, and base names of argv[0]. */
  readonly match: string;
  /** From exec to READY=1, for `Type=notify`. */
  readonly readyAfter: Span;
  /** Null: runs until it is stopped. */
  readonly exits: { readonly after: Span; readonly code: number } | null;
  /** From SIGTERM to exit. Null: it ignores SIGTERM. */
  readonly stopTakes: Span | null;
  /** Where this holds; absent: everywhere. */
  readonly hosts?: readonly NodeIndex[];
}

export interface UnitSpec {
  readonly name: string;
  readonly text: string;
}

export interface TimelineEntry {
  readonly at: Micros;
  readonly action: Action;
}

/** What an operator, or the weather, does at a moment. Hosts are dense indexes. */
export type Action =
  /** fleetctl; units are full names (`web@1.service`), templates expanded. */
  | {
      readonly kind:
        | "fleet-submit"
        | "fleet-load"
        | "fleet-start"
        | "fleet-stop"
        | "fleet-unload"
        | "fleet-destroy";
      readonly units: readonly string[];
      /** The host whose fleet is asked; null: any that answers. */
      readonly via: NodeIndex | null;
    }
  /** locksmithctl lock / unlock: takes or gives back the reboot lock in the name of a host. */
  | { readonly kind: "lock" | "unlock"; readonly host: NodeIndex; readonly via: NodeIndex | null }
  /** locksmithctl set-max */
  | { readonly kind: "set-max"; readonly max: number; readonly via: NodeIndex | null }
  | {
      readonly kind: "power-off";
      readonly hosts: readonly NodeIndex[];
      readonly loseUnsyncedPpm: number;
    }
  /** `add-host` boots a host that was not there; `terminate` removes one for ever, disk and all. */
  | {
      readonly kind: "power-on" | "reboot" | "terminate" | "add-host";
      readonly hosts: readonly NodeIndex[];
    }
  /** `systemctl` at these hosts. */
  | {
      readonly kind: "systemctl";
      readonly verb: SystemctlVerb;
      readonly unit: string;
      readonly hosts: readonly NodeIndex[];
    }
  /** A machine's dynamic metadata, as a PATCH of fleet's `/machines` writes it; "" takes a key away. */
  | {
      readonly kind: "fleet-metadata";
      readonly host: NodeIndex;
      readonly set: Readonly<Record<string, string>>;
      readonly via: NodeIndex | null;
    }
  /** A key of etcd's v2 store, past whatever keeps it in order. */
  | {
      readonly kind: "etcd-set";
      readonly key: string;
      readonly value: string;
      readonly via: NodeIndex | null;
    }
  /** A directory goes with all that is in it. */
  | { readonly kind: "etcd-delete"; readonly key: string; readonly via: NodeIndex | null }
  /** etcdctl move-leader, asked of whoever leads. */
  | { readonly kind: "move-leader"; readonly to: NodeIndex }
  /** etcdctl member add / remove; the host keeps its own idea of the cluster. */
  | {
      readonly kind: "member-add" | "member-remove";
      readonly host: NodeIndex;
      readonly via: NodeIndex | null;
    }
  /**
   * A host's place is taken by another: `member-add` and `add-host` of the new one, which starts
   * with the cluster as `member add` printed it; after `overlap`, `terminate` of the old one. Under
   * the safeguard `remove_before_add` the old member is removed first.
   */
  | {
      readonly kind: "replace-host";
      readonly host: NodeIndex;
      readonly by: NodeIndex;
      readonly overlap: Micros;
    }
  /** update_engine_client -update on these hosts. */
  | { readonly kind: "attempt-update"; readonly hosts: readonly NodeIndex[] }
  /** The channel points at another version. */
  | { readonly kind: "publish"; readonly channel: string; readonly version: string }
  /** Changes the group's policy; null leaves a field as it is. */
  | { readonly kind: "set-policy"; readonly policy: PolicyChange }
  /** Until `heal`. */
  | {
      readonly kind: "partition";
      readonly from: readonly NodeIndex[];
      readonly to: readonly NodeIndex[];
      readonly oneWay: boolean;
    }
  /** Ends every partition the timeline made. */
  | { readonly kind: "heal" }
  /** A named point in the log. */
  | { readonly kind: "mark"; readonly label: string };

export type SystemctlVerb = "start" | "stop" | "restart" | "sighup";

export type PolicyChange = { readonly [K in keyof RolloutPolicy]: RolloutPolicy[K] | null };

/** Where a run's faults come from. */
export type FaultSource =
  | { readonly kind: "plan"; readonly plan: FaultPlan }
  | { readonly kind: "budget"; readonly budget: FaultBudget };

/** When an expectation is looked at. */
export type Moment =
  /** Holds at some moment not later than `time`. */
  | { readonly kind: "by"; readonly time: Micros }
  /** Holds at this moment. */
  | { readonly kind: "at"; readonly time: Micros }
  /** Holds when the run ends. */
  | { readonly kind: "end" }
  /** Holds at every moment of the interval. */
  | { readonly kind: "throughout"; readonly from: Micros; readonly until: Micros }
  /** Holds at some moment of the interval. */
  | { readonly kind: "sometime"; readonly from: Micros; readonly until: Micros };

/** What a run should show. Counts are spans, both ends included. */
export type Expectation = ExpectationKind & {
  readonly when: Moment;
  /** 1-based line in the scenario file, for reports; 0 when unknown. */
  readonly line: number;
};

export type ExpectationKind =
  /** Etcd members that lead a quorum of their voters. */
  | { readonly kind: "leaders"; readonly count: Span }
  /** This member leads a quorum, and no other does. */
  | { readonly kind: "leads"; readonly host: NodeIndex }
  /** Pairs of a unit (glob) and a host on which it is active. `all`: on every host of the cluster. */
  | {
      readonly kind: "unit-active";
      readonly unit: string;
      readonly count: Span | "all";
      /** Hosts that count; null: all. */
      readonly on: readonly NodeIndex[] | null;
    }
  /** Hosts on which one and the same unit (glob) is active: the most there are of any. */
  | { readonly kind: "unit-copies"; readonly unit: string; readonly count: Span }
  /** Hosts on which any unit of the glob is active. */
  | { readonly kind: "unit-spread"; readonly unit: string; readonly count: Span }
  /** Containers and pods (glob over names; a pod goes by its image) that run on these hosts; null: all. */
  | {
      readonly kind: "containers";
      readonly containers: string;
      readonly count: Span;
      readonly on: readonly NodeIndex[] | null;
    }
  /** Keys of etcd's v2 store (glob) that hold such a value (glob; null: any), as the most advanced member has them. */
  | {
      readonly kind: "keys";
      readonly keys: string;
      readonly holding: string | null;
      readonly count: Span;
    }
  /** Hosts that run this version. */
  | { readonly kind: "hosts-on"; readonly version: string; readonly count: Span | "all" }
  /** Hosts that are not up. */
  | { readonly kind: "hosts-down"; readonly count: Span }
  /** Voting members of the etcd cluster. */
  | { readonly kind: "members"; readonly count: Span }
  /** Holders of the reboot lock. */
  | { readonly kind: "lock-holders"; readonly count: Span }
  /** A quorum of etcd's members is up and connected. */
  | { readonly kind: "quorum"; readonly is: "held" | "lost" }
  | { readonly kind: "invariant"; readonly name: string; readonly is: "held" | "violated" }
  | MeasureKind;

/** What is measured over an interval and known at its end. Spans are in the measure's own unit. */
export type MeasureKind =
  /** By how many the highest term of any member grew. */
  | { readonly kind: "terms"; readonly value: Span }
  /** Share of the time in which some member led a quorum, in parts per million. */
  | { readonly kind: "led"; readonly value: Span }
  /** Longest time in which no write of the probe was answered, µs. */
  | { readonly kind: "outage"; readonly value: Span }
  /** Requests of users that failed. */
  | { readonly kind: "errors"; readonly value: Span }
  /** Requests that came to members of etcd over the network, watches included. */
  | { readonly kind: "requests"; readonly value: Span }
  /** Facts of this kind; `of`: only those about such a unit (glob). */
  | {
      readonly kind: "facts";
      readonly fact: string;
      readonly of: string | null;
      readonly value: Span;
    };

/** The link from one node to another. */
export function linkBetween(scenario: Scenario, from: NodeIndex, to: NodeIndex): LinkSpec {
  const left = scenario.hosts[from];
  const right = scenario.hosts[to];
  if (left === undefined || right === undefined) {
    const isClient = scenario.clients.some(({ node }) => node === from || node === to);
    return isClient ? scenario.network.clients : scenario.network.services;
  }
  if (left.zone === right.zone) return scenario.network.default;
  const low = Math.min(left.zone, right.zone);
  const high = Math.max(left.zone, right.zone);
  const named = scenario.network.links.find((l) => l.zones[0] === low && l.zones[1] === high);
  return named?.link ?? scenario.network.betweenZones;
}

/** The nodes of a scenario's services, which come behind its hosts and before its clients, in this order. */
export function serviceNodes({ discovery, update, containers }: Scenario): readonly NodeIndex[] {
  return [discovery, update, containers ?? null].flatMap((service) => service?.node ?? []);
}

/** The name of a node: a host's or client's, or `discovery`, `update` or `registry`. */
export function nodeName(scenario: Scenario, node: NodeIndex): string {
  const host = scenario.hosts[node];
  if (host !== undefined) return host.name;
  if (scenario.discovery?.node === node) return "discovery";
  if (scenario.update?.node === node) return "update";
  if (scenario.containers?.node === node) return "registry";
  const client = scenario.clients.find((each) => each.node === node);
  if (client !== undefined) return client.name;
  throw new RangeError(`no node ${node} in scenario ${scenario.name}`);
}
