import type { HostFact } from "../../core/host/index.js";
import {
  createGenerator,
  type Generator,
  type Micros,
  type NodeIndex,
  unreachable,
} from "../../core/kernel/index.js";
import type { Fault, Span } from "../faults/plan.js";
import { agentTtlOf } from "./hostconfig.js";
import type { LinkDisturbance } from "./network.js";
import { drawSpan } from "./span.js";
import type { World } from "./world.js";

/** What a beat may be late by without any fault, µs. */
const SLACK: Micros = 5_000_000;

/**
 * Begins and ends the faults of a plan. A fault's own randomness is drawn from its id, so that
 * leaving one out leaves the others alone.
 */
export class FaultInjector {
  readonly #world: World;
  readonly #links = new Map<string, LinkDisturbance>();
  readonly #slowDisks = new Map<
    number,
    { readonly node: number; readonly delay: Span; readonly draws: Generator }
  >();
  readonly #badReleases = new Map<number, LinkDisturbance>();

  constructor(world: World) {
    this.#world = world;
  }

  begin(fault: Fault): void {
    const world = this.#world;
    for (const node of this.#cutOff(fault)) world.invariants.beginExcuse(node);
    switch (fault.kind) {
      case "partition":
        this.cut(fault.from, fault.to, fault.oneWay, 1);
        return;
      case "link": {
        const disturbance = {
          delayLow: fault.delay.low,
          delayHigh: fault.delay.high,
          lossPpm: fault.lossPpm,
          duplicatePpm: fault.duplicatePpm,
          ordered: false,
        };
        this.#links.set(String(fault.id), disturbance);
        eachLink(fault.from, fault.to, fault.oneWay, (from, to) =>
          world.network.disturb(from, to, disturbance),
        );
        return;
      }
      case "crash":
        world.beginOutage(fault.host, fault.loseUnsyncedPpm, fault.loseDisk);
        return;
      case "kill-process":
        world.deliver(fault.host, { kind: "hold-unit", unit: fault.unit }, -1);
        return;
      case "member-change":
        world.operator.removeMember(fault.host);
        return;
      case "pause":
        world.pause(fault.host);
        return;
      case "clock-step":
        this.#stepClock(fault.host, fault.by);
        return;
      case "clock-drift":
        world.clocks[fault.host]?.addDrift(world.at, fault.ppm);
        return;
      case "slow-disk":
        this.#slowDisks.set(fault.id, {
          node: fault.host,
          delay: fault.delay,
          draws: createGenerator(fault.id, "slow-disk"),
        });
        return;
      case "update-down":
        world.services.setUp("update", false);
        return;
      case "discovery-down":
        world.services.setUp("discovery", false);
        return;
      case "registry-down":
        world.registry?.setUp(false);
        return;
      default:
        unreachable(fault);
    }
  }

  /** Takes back what `begin` did. */
  end(fault: Fault): void {
    const world = this.#world;
    for (const node of this.#cutOff(fault)) world.invariants.endExcuse(node, world.at);
    switch (fault.kind) {
      case "partition":
        this.cut(fault.from, fault.to, fault.oneWay, -1);
        return;
      case "link": {
        const disturbance = this.#links.get(String(fault.id));
        if (disturbance === undefined) return;
        eachLink(fault.from, fault.to, fault.oneWay, (from, to) =>
          world.network.calm(from, to, disturbance),
        );
        return;
      }
      case "crash":
        world.endOutage(fault.host);
        return;
      case "kill-process":
        world.deliver(fault.host, { kind: "release-unit", unit: fault.unit }, -1);
        return;
      case "member-change":
        world.operator.addMemberAgain(fault.host, fault.learner);
        return;
      case "pause":
        world.resume(fault.host);
        return;
      case "clock-step":
        this.#stepClock(fault.host, -fault.by);
        return;
      case "clock-drift":
        world.clocks[fault.host]?.addDrift(world.at, -fault.ppm);
        return;
      case "slow-disk":
        this.#slowDisks.delete(fault.id);
        return;
      case "update-down":
        world.services.setUp("update", true);
        return;
      case "discovery-down":
        world.services.setUp("discovery", true);
        return;
      case "registry-down":
        world.registry?.setUp(true);
        return;
      default:
        unreachable(fault);
    }
  }

  /** Sets a host's clock; of what goes by it, timers of systemd's calendar notice. */
  #stepClock(host: NodeIndex, by: Micros): void {
    this.#world.clocks[host]?.step(this.#world.at, by);
    this.#world.deliver(host, { kind: "clock-changed" }, -1);
  }

  /**
   * Hosts whose presence in fleet may expire while they run, because of this fault. A presence is
   * refreshed every half TTL, so what lasts for less than the other half cannot do that.
   */
  #cutOff(fault: Fault): readonly NodeIndex[] {
    const { scenario } = this.#world;
    const { hosts } = scenario;
    if (fault.duration < agentTtlOf(scenario) / 2 - SLACK) return [];
    switch (fault.kind) {
      case "partition":
      case "link":
        return [...new Set([...fault.from, ...fault.to])].filter((node) => node < hosts.length);
      case "kill-process":
      case "pause":
      case "slow-disk":
        return [fault.host];
      default:
        return [];
    }
  }

  /** Cuts or mends the links from one set to the other, and back unless `oneWay`. */
  cut(from: readonly NodeIndex[], to: readonly NodeIndex[], oneWay: boolean, by: 1 | -1): void {
    eachLink(from, to, oneWay, (a, b) => this.#world.network.cut(a, b, by));
  }

  /** What slow disks add to a sync of this host, µs. */
  syncDelay(node: NodeIndex): Micros {
    if (this.#slowDisks.size === 0) return 0;
    let delay = 0;
    for (const slow of this.#slowDisks.values()) {
      if (slow.node === node) delay += drawSpan(slow.draws, slow.delay);
    }
    return delay;
  }

  /**
   * A release with a network defect makes the links of the hosts that run it worse. They keep their
   * order: a driver that is slow or loses frames still carries TCP streams. Any host may lose its
   * presence in fleet through them, as it may through a `link` fault.
   */
  observe(node: NodeIndex, fact: HostFact): void {
    if (fact.kind !== "host.up" && fact.kind !== "host.down") return;
    const before = this.#badReleases.get(node);
    if (before !== undefined) {
      this.#badReleases.delete(node);
      this.#around(node, (from, to) => this.#world.network.calm(from, to, before));
      for (let host = 0; host < this.#world.hosts.length; host++) {
        this.#world.invariants.endExcuse(host, this.#world.at);
      }
    }
    if (fact.kind !== "host.up") return;
    const release = this.#world.scenario.releases.find((r) => r.version === fact.version);
    const defect = release?.defects.find((candidate) => candidate.kind === "network");
    if (defect === undefined || defect.kind !== "network") return;
    const disturbance = {
      delayLow: defect.delay.low,
      delayHigh: defect.delay.high,
      lossPpm: defect.lossPpm,
      duplicatePpm: 0,
      ordered: true,
    };
    this.#badReleases.set(node, disturbance);
    for (let host = 0; host < this.#world.hosts.length; host++) {
      this.#world.invariants.beginExcuse(host);
    }
    this.#around(node, (from, to) => this.#world.network.disturb(from, to, disturbance));
  }

  #around(node: NodeIndex, change: (from: NodeIndex, to: NodeIndex) => void): void {
    for (let other = 0; other < this.#world.nodeCount; other++) {
      if (other === node) continue;
      change(node, other);
      change(other, node);
    }
  }
}

function eachLink(
  from: readonly NodeIndex[],
  to: readonly NodeIndex[],
  oneWay: boolean,
  change: (from: NodeIndex, to: NodeIndex) => void,
): void {
  for (const a of from) {
    for (const b of to) {
      if (a === b) continue;
      change(a, b);
      if (!oneWay) change(b, a);
    }
  }
}
