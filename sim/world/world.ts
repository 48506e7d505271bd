import type { InvariantMonitor } from "../../core/cluster/index.js";
import type { HostState, HostStimulus, Packet } from "../../core/host/index.js";
import type { Bytes, Micros, NodeIndex } from "../../core/kernel/index.js";
import type { PolicyChange, Scenario } from "../scenario/scenario.js";
import type { Clock } from "./clock.js";
import type { Network } from "./network.js";

/** What the parts of the simulated world (faults, services, operators) may do with it. */
export interface World {
  readonly scenario: Scenario;
  /** True time, µs since the start of the run. */
  readonly at: Micros;
  readonly hosts: readonly HostState[];
  readonly network: Network;
  readonly clocks: readonly Clock[];
  readonly invariants: InvariantMonitor;
  readonly services: ServicePort;
  readonly operator: OperatorPort;
  /** Absent when the scenario has no containers. */
  readonly registry: { setUp(up: boolean): void } | null;
  /** Hosts, services and the operator. */
  readonly nodeCount: number;
  name(node: NodeIndex): string;
  /** Runs `task` at true time `at`. */
  schedule(at: Micros, task: () => void): void;
  /** Brings a packet on its way; `cause` is the `seq` that led to it, -1 for none. */
  send(from: NodeIndex, to: NodeIndex, packet: Packet, bytes: Bytes, cause: number): void;
  /** Delivers a stimulus to a host after `delay` of true time, unless it loses power before. */
  answer(node: NodeIndex, delay: Micros, stimulus: HostStimulus, cause: number): void;
  /** Runs `task` after `delay` of true time, unless a host loses power before. */
  whileAlive(node: NodeIndex, delay: Micros, task: () => void): void;
  /** Hands a host something now, be it on or off; one that stands still takes it when it goes on. */
  deliver(node: NodeIndex, stimulus: HostStimulus, cause: number): void;
  /** Writes a fact of the world itself, of a service or a client, and returns its `seq`. */
  record(host: string, kind: string, data: unknown, cause: number | null): number;
  powerOn(node: NodeIndex): void;
  powerOff(node: NodeIndex, loseUnsyncedPpm: number, diskLost: boolean): void;
  /** Cuts a host's power as `powerOff` does, until the outage ends; outages may overlap. */
  beginOutage(node: NodeIndex, loseUnsyncedPpm: number, diskLost: boolean): void;
  /** A host that is switched on boots, unless another outage lasts. */
  endOutage(node: NodeIndex): void;
  pause(node: NodeIndex): void;
  resume(node: NodeIndex): void;
  /** Cuts (1) or mends (-1) the links from one set of nodes to another. */
  cut(from: readonly NodeIndex[], to: readonly NodeIndex[], oneWay: boolean, by: 1 | -1): void;
}

/** What operators and faults do to the services. */
export interface ServicePort {
  publish(channel: string, version: string): void;
  setPolicy(change: PolicyChange): void;
  setUp(service: "update" | "discovery", up: boolean): void;
}

/** What faults have an operator do. */
export interface OperatorPort {
  /** Removes the member of a host from its cluster and empties the host, which stays off. */
  removeMember(host: NodeIndex): void;
  /** Adds that host as a new member, once it was removed, and switches it on. */
  addMemberAgain(host: NodeIndex, learner: boolean): void;
}
