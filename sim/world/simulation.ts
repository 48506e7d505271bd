import { InvariantMonitor } from "../../core/cluster/index.js";
import { pendingWrites } from "../../core/etcd/index.js";
import {
  comesOnce,
  createHost,
  type HostEffect,
  type HostFact,
  type HostState,
  type HostStimulus,
  hostMachine,
  isClientTraffic,
  type Packet,
} from "../../core/host/index.js";
import {
  createGenerator,
  type Generator,
  hashState,
  type Micros,
  type NodeIndex,
  nextBelow,
  permutation,
  SECOND,
  unreachable,
} from "../../core/kernel/index.js";
import type { FaultPlan } from "../faults/plan.js";
import type { Scenario } from "../scenario/scenario.js";
import { Agenda } from "./agenda.js";
import { Buffer } from "./buffer.js";
import { Clients } from "./clients.js";
import type { Clock } from "./clock.js";
import { createClocks } from "./clocks.js";
import { ExpectationMonitor } from "./expectations.js";
import { FaultInjector } from "./faults.js";
import { concludeHistory } from "./histories.js";
import { hostConfig } from "./hostconfig.js";
import { Journal } from "./journal.js";
import { linkModels } from "./links.js";
import { LOST, Network } from "./network.js";
import { Operator } from "./operator.js";
import { PowerSupply } from "./power.js";
import { Probe } from "./probe.js";
import { ProcessTable } from "./processes.js";
import { ImageRegistry } from "./registry.js";
import type { Intervention, RunSummary, SimulationOptions } from "./run.js";
import { type Seats, seatNodes } from "./seats.js";
import { Services } from "./services.js";
import { drawSpan } from "./span.js";
import { type TimerSlot, Timers } from "./timers.js";
import { Users } from "./users.js";
import type { World } from "./world.js";

/** Time between checkpoints of a log. */
export const CHECKPOINT_INTERVAL: Micros = 10 * SECOND;

/** Where clients outside of the run are: no node. */
const OUTSIDE: NodeIndex = -1;

const TIMER = 0;
const PACKET = 1;
const STIMULUS = 2;
const TASK = 3;

/**
 * The world with faults: one event queue, virtual time, links, disks, clocks and processes, all
 * from one seed. Hosts are reducers stepped in place; everything between them is here.
 */
export class Simulation implements World {
  readonly scenario: Scenario;
  readonly hosts: HostState[];
  readonly network: Network;
  readonly clocks: readonly Clock[];
  readonly services: Services;
  readonly operator: Operator;
  readonly registry: ImageRegistry | null;
  readonly clients: Clients;
  readonly invariants: InvariantMonitor;
  readonly expectations: ExpectationMonitor;

  readonly #journal: Journal;
  readonly #outside: SimulationOptions["outside"];
  readonly #agenda = new Agenda();

  readonly #seats: Seats;
  readonly #probe: Probe | null;
  readonly #users: Users | null;
  readonly #timers: readonly Timers[];
  readonly #processes: ProcessTable;
  readonly #faults: FaultInjector;
  readonly #active = new Map<number, FaultPlan["faults"][number]>();
  readonly #power: PowerSupply;
  readonly #paused: Int32Array;
  readonly #deferred: (() => void)[][];
  /** Grows with each loss of power: what was asked before it is never answered. */
  readonly #life: Int32Array;
  readonly #syncBusyUntil: Float64Array;
  readonly #draws: {
    readonly network: Generator;
    readonly disk: Generator;
    readonly process: Generator;
    readonly order: Generator;
    readonly boot: Generator;
    readonly crash: Generator;
  };

  readonly #out = { facts: [] as HostFact[], effects: new Buffer<HostEffect>() };
  #faultsUntil: Micros = 0;
  #events = 0;
  #stopped = false;

  constructor(options: SimulationOptions) {
    const { scenario, seed, plan } = options;
    this.scenario = scenario;
    this.#journal = new Journal(options.observer);
    this.#outside = options.outside;
    const stream = (name: string) => createGenerator(seed, name);
    this.#draws = {
      network: stream("network"),
      disk: stream("disk"),
      process: stream("process"),
      order: stream("order"),
      boot: stream("boot"),
      crash: stream("crash"),
    };
    const seats = seatNodes(scenario);
    this.#seats = seats;
    const nodes = seats.names.length;
    this.network = new Network(nodes, linkModels(scenario), this.#draws.network);
    this.clocks = createClocks(scenario, nodes, stream("clock"));
    const tracing = options.observer?.trace !== undefined;
    this.hosts = scenario.hosts.map((host) =>
      createHost(hostConfig(scenario, host, seed, tracing)),
    );
    this.#power = new PowerSupply(scenario.hosts.length);
    this.#timers = scenario.hosts.map(() => new Timers());
    this.#paused = new Int32Array(nodes);
    this.#life = new Int32Array(nodes);
    this.#syncBusyUntil = new Float64Array(nodes);
    this.#deferred = scenario.hosts.map(() => []);
    this.#processes = new ProcessTable(scenario.processes, this.#draws.process);
    this.services = new Services(this);
    this.operator = new Operator(this, seats.operator);
    this.invariants = new InvariantMonitor(this.hosts, options.invariants);
    this.clients = new Clients(this, seed);
    this.#probe = scenario.probe === null ? null : new Probe(this, seats.probe, scenario.probe);
    this.registry =
      scenario.containers === undefined ? null : new ImageRegistry(this, scenario.containers);
    this.expectations = new ExpectationMonitor(scenario, this.hosts, this.network, this.#probe);
    this.#users =
      scenario.users === undefined
        ? null
        : new Users(this, seats.users, scenario.users, (at) =>
            this.expectations.noteOne("errors", at),
          );
    this.#faults = new FaultInjector(this);
    for (const fault of plan.faults) this.#scheduleFault(fault);
    for (const entry of scenario.timeline) {
      this.schedule(entry.at, () => this.operator.perform(entry.action));
    }
    for (const time of this.expectations.moments()) {
      this.schedule(time, () => this.#observeExpectations());
    }
    for (const host of scenario.hosts) {
      if (host.present) this.schedule(0, () => this.powerOn(host.index));
    }
    this.#scheduleCheckpoint(CHECKPOINT_INTERVAL);
  }

  /** True time, µs since the start of the run. */
  get at(): Micros {
    return this.#agenda.at;
  }

  /** Stimuli delivered so far. */
  get events(): number {
    return this.#events;
  }

  /** When something is due next, true time. */
  get nextAt(): Micros {
    return this.#agenda.nextAt;
  }

  /** Faults that last, by id. */
  get activeFaults(): ReadonlyMap<number, FaultPlan["faults"][number]> {
    return this.#active;
  }

  /** When a fault last ended. */
  get faultsUntil(): Micros {
    return this.#faultsUntil;
  }

  /** Lets something in from outside, now. Call `advance` with the present time before. */
  intervene(what: Intervention): void {
    const host = what.kind === "packet" ? this.name(what.host) : "";
    const seq = this.#journal.outside(this.at, host, what);
    switch (what.kind) {
      case "packet": {
        const { packet } = what;
        this.#handPacket(what.host, { kind: "packet", from: OUTSIDE, packet }, seq);
        return;
      }
      case "fault":
        this.#scheduleFault(what.fault);
        return;
      case "end-fault":
        this.#endFault(what.id);
        return;
      case "action":
        this.operator.perform(what.action);
        return;
      default:
        unreachable(what);
    }
  }

  /** Asks the run to end before its next event. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Runs until true time `until` (the scenario's duration at most) or until stopped, and says
   * whether there is more to come. Calling it in slices gives the same run as calling it once.
   */
  advance(until: Micros): boolean {
    const end = Math.min(until, this.scenario.duration);
    while (!this.#stopped && this.#agenda.take(end)) this.#next();
    if (!this.#stopped) this.#agenda.skipTo(end);
    return !this.#stopped && end < this.scenario.duration;
  }

  /**
   * Ends the run: evaluates what is due at the end and writes the end record. To hash the final states
   * takes a fifth of a short run, so a campaign does without (`hashed` false; the hash is "").
   */
  finish(hashed = true): RunSummary {
    const complete = this.at >= this.scenario.duration;
    concludeHistory(this, complete);
    if (this.invariants.hasNews) this.#reportViolations();
    if (complete) {
      this.#observeExpectations();
      for (const outcome of this.expectations.finish(this.invariants.violations)) {
        this.record("", outcome.met ? "expectation.met" : "expectation.failed", outcome.data, null);
      }
    }
    const violations = this.invariants.violations;
    const failed = this.expectations.failed;
    const hash = hashed ? this.stateHash() : "";
    const broken = this.expectations.unexpectedViolations(violations).length > 0 || failed > 0;
    const verdict = broken ? "violated" : complete ? "held" : "stopped";
    const summary: RunSummary = {
      verdict,
      events: this.#events,
      at: this.at,
      hash,
      violations,
      failedExpectations: failed,
    };
    this.#journal.end(summary);
    return summary;
  }

  /** The hash of everything that decides how the run goes on. */
  stateHash(): string {
    return hashState({
      hosts: this.hosts,
      services: this.services.states(),
      ...(this.registry === null ? {} : { registry: this.registry.state() }),
      clients: this.clients.states(),
      draws: this.#draws,
    });
  }

  /** Writes a fact of the world itself, of a service or a client, and returns its `seq`. */
  record(host: string, kind: string, data: unknown, cause: number | null): number {
    return this.#journal.fact(this.at, host, kind, data, cause);
  }

  /** Name of a node, as logs have it. */
  name(node: NodeIndex): string {
    return this.#seats.names[node] ?? "?";
  }

  /** Node of a name; -1 when there is none. */
  nodeNamed(name: string): NodeIndex {
    return this.#seats.names.indexOf(name);
  }

  get nodeCount(): number {
    return this.#seats.names.length;
  }

  /** Runs `task` at true time `at`. */
  schedule(at: Micros, task: () => void): void {
    this.#agenda.add(at - this.at, TASK, 0, task, -1, 0);
  }

  /** Brings a packet on its way; losses, duplicates and delays are the network's. */
  send(from: NodeIndex, to: NodeIndex, packet: Packet, bytes: number, cause: number): void {
    if (to === OUTSIDE) {
      this.#outside?.(from, packet);
      return;
    }
    const stream = packet.kind !== "peer" && isClientTraffic(packet);
    const delay = this.network.delay(from, to, bytes, this.at, stream);
    if (delay === LOST) {
      this.clients.lose(to, packet);
      return;
    }
    const stimulus: HostStimulus = { kind: "packet", from, packet };
    this.#agenda.add(delay, PACKET, to, stimulus, cause, from);
    if (this.network.duplicates(from, to) && !comesOnce(packet)) {
      const again = this.network.delay(from, to, bytes, this.at);
      if (again !== LOST) this.#agenda.add(again, PACKET, to, stimulus, cause, from);
    }
  }

  /** Delivers a stimulus to a host after `delay` of true time, unless it loses power before. */
  answer(node: NodeIndex, delay: Micros, stimulus: HostStimulus, cause: number): void {
    this.#agenda.add(delay, STIMULUS, node, stimulus, cause, this.#life[node] as number);
  }

  /** Runs `task` after `delay` of true time, unless a host loses power before. */
  whileAlive(node: NodeIndex, delay: Micros, task: () => void): void {
    const life = this.#life[node];
    this.schedule(this.at + delay, () => {
      if (this.#life[node] === life) task();
    });
  }

  /** Hands a host something now, be it on or off; one that stands still takes it when it goes on. */
  deliver(node: NodeIndex, stimulus: HostStimulus, cause: number): void {
    if (this.isPaused(node) && this.hosts[node]?.power === "up") {
      this.#defer(node, stimulus, cause, () => true);
    } else this.#step(node, stimulus, cause);
  }

  /** Switches a host on. */
  powerOn(node: NodeIndex): void {
    this.#power.turn(node, true);
    this.#bringPower(node);
  }

  /** Switches a host off. `loseUnsyncedPpm` of what was not synced is lost, the latest first. */
  powerOff(node: NodeIndex, loseUnsyncedPpm: number, diskLost: boolean): void {
    this.#power.turn(node, false);
    this.#takePower(node, loseUnsyncedPpm, diskLost);
  }

  /** Cuts a host's power as `powerOff` does, until the outage ends. */
  beginOutage(node: NodeIndex, loseUnsyncedPpm: number, diskLost: boolean): void {
    this.#power.beginOutage(node);
    this.#takePower(node, loseUnsyncedPpm, diskLost);
  }

  /** A host that is switched on boots, unless another outage lasts. */
  endOutage(node: NodeIndex): void {
    this.#power.endOutage(node);
    this.#bringPower(node);
  }

  #bringPower(node: NodeIndex): void {
    if (this.hosts[node]?.power !== "off" || !this.#power.reaches(node)) return;
    this.#step(node, { kind: "power-on" }, -1);
  }

  #takePower(node: NodeIndex, loseUnsyncedPpm: number, diskLost: boolean): void {
    const host = this.hosts[node];
    if (host === undefined) return;
    if (host.power === "off" && !diskLost) {
      // It may be between two boots.
      this.#forget(node);
      return;
    }
    let surviving = 0;
    const pending = host.member === null ? 0 : pendingWrites(host.member.disk);
    while (surviving < pending && nextBelow(this.#draws.crash, 1_000_000) >= loseUnsyncedPpm) {
      surviving++;
    }
    this.#forget(node);
    this.#step(node, { kind: "power-loss", survivingWrites: surviving, diskLost }, -1);
  }

  /** Cuts (1) or mends (-1) the links from one set of nodes to another. */
  cut(from: readonly NodeIndex[], to: readonly NodeIndex[], oneWay: boolean, by: 1 | -1): void {
    this.#faults.cut(from, to, oneWay, by);
    this.#observeExpectations();
  }

  pause(node: NodeIndex): void {
    this.#paused[node] = (this.#paused[node] as number) + 1;
  }

  /** Lets a paused host go on; what came for it meanwhile comes now, in order. */
  resume(node: NodeIndex): void {
    this.#paused[node] = (this.#paused[node] as number) - 1;
    if ((this.#paused[node] as number) > 0) return;
    for (const task of this.#deferred[node]?.splice(0) ?? []) task();
  }

  isPaused(node: NodeIndex): boolean {
    return (this.#paused[node] as number) > 0;
  }

  #scheduleFault(fault: FaultPlan["faults"][number]): void {
    this.schedule(fault.at, () => {
      this.record("", "fault.begin", { id: fault.id, fault }, null);
      this.#active.set(fault.id, fault);
      this.#faults.begin(fault);
      this.#observeExpectations();
    });
    this.schedule(fault.at + fault.duration, () => this.#endFault(fault.id));
  }

  #endFault(id: number): void {
    const fault = this.#active.get(id);
    if (fault === undefined) return;
    this.#active.delete(id);
    this.#faultsUntil = this.at;
    this.record("", "fault.end", { id }, null);
    this.#faults.end(fault);
    this.#observeExpectations();
  }

  #next(): void {
    const { what, node, payload, cause, guard } = this.#agenda;
    switch (what) {
      case TIMER: {
        const timer = payload as TimerSlot;
        if (timer.generation !== guard) return;
        if ((this.#paused[node] as number) === 0) {
          (this.#timers[node] as Timers).fired(timer);
          this.#step(node, timer.stimulus, cause);
        } else this.#defer(node, timer.stimulus, cause, () => timer.generation === guard);
        return;
      }
      case PACKET: {
        const stimulus = payload as HostStimulus & { kind: "packet" };
        if (this.network.isCut(guard, node)) this.clients.lose(node, stimulus.packet);
        else this.#handPacket(node, stimulus, cause);
        return;
      }
      case STIMULUS:
        if (this.#life[node] !== guard) return;
        if ((this.#paused[node] as number) === 0) this.#step(node, payload as HostStimulus, cause);
        else this.#defer(node, payload as HostStimulus, cause, () => true);
        return;
      default:
        (payload as () => void)();
    }
  }

  #handPacket(node: number, stimulus: HostStimulus & { kind: "packet" }, cause: number): void {
    const host = this.hosts[node];
    if (host !== undefined) {
      if (host.power !== "up") return;
      if (host.member !== null && stimulus.packet.kind === "etcd-request") {
        this.expectations.noteOne("requests", this.at);
      }
      if ((this.#paused[node] as number) === 0) this.#step(node, stimulus, cause);
      else this.#defer(node, stimulus, cause, () => true);
      return;
    }
    this.#events++;
    const seq = this.#journal.stimulus(this.at, this.name(node), stimulus, cause);
    const { operator, users } = this.#seats;
    if (node === operator) this.operator.receive(stimulus.from, stimulus.packet, seq);
    else if (node === users) this.#users?.receive(stimulus.packet);
    else if (node > operator) this.#probed(stimulus.packet);
    else if (this.clients.has(node)) this.clients.receive(node, stimulus.packet, seq);
    else this.services.receive(node, stimulus.from, stimulus.packet, seq);
  }

  #probed(packet: Packet): void {
    this.#probe?.receive(packet);
    this.#observeExpectations();
  }

  /** Keeps a stimulus for when the host goes on, unless it loses power before. */
  #defer(node: number, stimulus: HostStimulus, cause: number, stillDue: () => boolean): void {
    const life = this.#life[node];
    this.#deferred[node]?.push(() => {
      if (this.#life[node] === life && stillDue()) this.#step(node, stimulus, cause);
    });
  }

  #step(node: number, stimulus: HostStimulus, cause: number): void {
    const host = this.hosts[node];
    const clock = this.clocks[node];
    if (host === undefined || clock === undefined) throw new RangeError(`no host ${node}`);
    const seq = this.#journal.stimulus(this.at, this.name(node), stimulus, cause);
    this.#events++;
    // Steps never nest: what performs an effect answers by way of the queue.
    const { facts, effects } = this.#out;
    effects.clear();
    hostMachine.step(host, stimulus, clock.read(this.at), this.#out);
    if (facts.length > 0) this.#conclude(node, facts.splice(0), seq);
    this.invariants.afterStep(node, this.at, seq);
    const count = effects.size;
    for (let i = 0; i < count; i++) this.#perform(node, effects.at(i), seq);
    if (this.invariants.hasNews) this.#reportViolations();
  }

  #conclude(node: number, facts: readonly HostFact[], cause: number): void {
    const host = this.name(node);
    for (const fact of facts) {
      if (fact.kind === "raft.trace") {
        this.#journal.trace(node, fact.event);
        continue;
      }
      const { kind, ...data } = fact;
      const seq = this.#journal.fact(this.at, host, kind, data, cause);
      this.invariants.observe(node, fact, this.at, seq);
      this.expectations.note(node, fact, this.at);
      this.#faults.observe(node, fact);
    }
    this.#observeExpectations();
  }

  #observeExpectations(): void {
    for (const outcome of this.expectations.observe(this.at)) {
      this.record("", outcome.met ? "expectation.met" : "expectation.failed", outcome.data, null);
    }
  }

  #reportViolations(): void {
    for (const violation of this.invariants.news()) {
      const { invariant, detail, hosts, seq } = violation;
      const names = hosts.map((node) => this.name(node));
      this.record("", "invariant.violated", { invariant, detail, hosts: names }, seq);
    }
  }

  #perform(node: number, effect: HostEffect, cause: number): void {
    switch (effect.kind) {
      case "send":
        this.send(node, effect.to, effect.packet, effect.bytes, cause);
        return;
      case "arm-timer": {
        const timer = (this.#timers[node] as Timers).slot(effect.owner, effect.timer);
        const delay = (this.clocks[node] as Clock).trueDelay(effect.delay);
        this.#agenda.add(delay, TIMER, node, timer, cause, ++timer.generation);
        return;
      }
      case "cancel-timer":
        this.#timers[node]?.cancel(effect.owner, effect.timer);
        return;
      case "fsync":
        this.#sync(node, effect.token, cause);
        return;
      case "exec":
        this.#processes.exec(node, effect, (delay, stimulus) =>
          this.answer(node, delay, stimulus, cause),
        );
        return;
      case "kill":
        this.#processes.kill(node, effect, (delay, stimulus) =>
          this.answer(node, delay, stimulus, cause),
        );
        return;
      case "order": {
        const orders = effect.counts.map((count) => permutation(this.#draws.order, count));
        this.answer(node, 0, { kind: "ordered", id: effect.id, orders }, cause);
        return;
      }
      case "booting":
        this.#boot(node, effect.version, cause);
        return;
      case "reset":
        this.#forget(node);
        this.answer(node, SECOND, { kind: "power-on" }, cause);
        return;
      case "switched-off":
        this.#forget(node);
        this.#power.turn(node, false);
        return;
      case "download":
        this.services.download(node, effect, cause);
        return;
      case "fetch-manifest":
      case "fetch-layer":
      case "cancel-fetch":
        this.registry?.perform(node, effect, cause);
        return;
      case "slot-write": {
        const bandwidth = this.scenario.hosts[node]?.disk.bandwidth ?? 1;
        const delay = Math.ceil((effect.sizeBytes * 1_000_000) / bandwidth);
        this.answer(node, delay, { kind: "slot-written", id: effect.id, verdict: "good" }, cause);
        return;
      }
      default:
        unreachable(effect);
    }
  }

  /** Syncs of one disk are done one after the other. */
  #sync(node: number, token: number, cause: number): void {
    const spec = this.scenario.hosts[node]?.disk.fsync ?? { low: 0, high: 0 };
    const start = Math.max(this.at, this.#syncBusyUntil[node] as number);
    const done = start + drawSpan(this.#draws.disk, spec) + this.#faults.syncDelay(node);
    this.#syncBusyUntil[node] = done;
    this.answer(node, done - this.at, { kind: "disk-synced", token }, cause);
  }

  #boot(node: number, version: string, cause: number): void {
    const release = this.scenario.releases.find((candidate) => candidate.version === version);
    if (release?.defects.some((defect) => defect.kind === "hang-on-boot") === true) return;
    const span = this.scenario.hosts[node]?.boot ?? { low: 0, high: 0 };
    this.answer(node, drawSpan(this.#draws.boot, span), { kind: "booted" }, cause);
  }

  /** Power is gone: timers, syncs, downloads and processes with it. */
  #forget(node: number): void {
    this.#life[node] = (this.#life[node] as number) + 1;
    this.#timers[node]?.cancelAll();
    this.#processes.clear(node);
    this.registry?.forget(node);
    this.#syncBusyUntil[node] = 0;
    this.#deferred[node]?.splice(0);
  }

  #scheduleCheckpoint(at: Micros): void {
    this.schedule(at, () => {
      this.#journal.checkpoint(this.at, this.hosts);
      this.#scheduleCheckpoint(at + CHECKPOINT_INTERVAL);
    });
  }
}
