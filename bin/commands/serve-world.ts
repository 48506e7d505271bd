import type { Registry } from "../../adapters/discovery/index.js";
import type { AskOptions, Conversation, MemberPort } from "../../adapters/serve/index.js";
import type { DiscoveryReply, RegistryRequest } from "../../core/discovery/index.js";
import type { ClientReply, ClientRequest } from "../../core/etcd/index.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import type { HostState, Packet } from "../../core/host/index.js";
import type { Micros, NodeIndex } from "../../core/kernel/index.js";
import {
  type FaultKind,
  type Intervention,
  Simulation,
  type SimulationOptions,
} from "../../sim/index.js";

/** Real time that the world may take before sockets get their turn, ms. */
const SLICE_MS = 20;

/** Behind by more than this, in real time, the world lets the time go that it cannot catch up, ms. */
const BEHIND_MAX_MS = 250;

/** Simulated time between two looks at the real clock while the world catches up, µs. */
const STEP: Micros = 20_000;

export interface ServedWorldOptions extends Omit<SimulationOptions, "outside"> {
  /** Simulated seconds in a real one; 0 stands still. */
  readonly speed: number;
  /** Where clients reach a host's member, given where it says that it is. */
  readonly urlOf: (node: NodeIndex) => string;
  /** A host's etcd process has begun, ended, or begun anew. */
  readonly changed: (node: NodeIndex, serving: boolean) => void;
  /** A host's fleetd has begun, ended, or begun anew. */
  readonly fleetChanged: (node: NodeIndex, running: boolean) => void;
  /** The discovery service can be reached, or cannot any more. */
  readonly discoveryChanged: (up: boolean) => void;
  /** The world cannot go on: a defect of ours. */
  readonly failed: (error: unknown) => void;
}

/** A client under way with a host. */
interface Talk {
  readonly node: NodeIndex;
  /** More than one reply may come. */
  readonly stream: boolean;
  readonly heard: (reply: ClientReply) => void;
}

/** A client of a host's fleetd that waits for an answer. */
interface FleetTalk {
  readonly node: NodeIndex;
  readonly heard: (response: FleetHttpResponse) => void;
}

/** A client of the discovery service that waits for an answer. */
interface RegistryTalk {
  readonly stream: boolean;
  readonly heard: (reply: DiscoveryReply) => void;
}

/** What waits for the client's side of a cut to heal: TCP would send it again. */
type Held =
  | { readonly to: "host"; readonly packet: Packet }
  | { readonly to: "client"; readonly heard: () => void };

/**
 * A simulated cluster at the pace of the wall clock, with clients from outside. Whatever comes in
 * does so after all that was due by then, so that a log of it can be executed again.
 */
export class ServedWorld {
  readonly simulation: Simulation;
  readonly #options: ServedWorldOptions;
  readonly #talks = new Map<number, Talk>();
  readonly #fleetTalks = new Map<number, FleetTalk>();
  readonly #registryTalks = new Map<number, RegistryTalk>();
  readonly #replies: (() => void)[] = [];
  readonly #processes: string[] = [];
  readonly #fleets: string[] = [];
  #discoveryUp = false;
  readonly #cutOff = new Map<NodeIndex, Held[]>();
  readonly #looks = new Set<{ at: Micros; readonly span: Micros; readonly task: () => void }>();
  #speed: number;
  #realFrom = now();
  #from: Micros = 0;
  #calls = 0;
  #lost = 0;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Immediate | null = null;
  #stopped = true;

  constructor(options: ServedWorldOptions) {
    this.#options = options;
    this.#speed = options.speed;
    this.simulation = new Simulation({
      ...options,
      outside: (node, packet) => {
        if (packet.kind === "etcd-response") this.#heard(node, packet);
        else if (packet.kind === "fleet-response") this.#fleetHeard(node, packet);
        else if (packet.kind === "discovery-response") this.#registryHeard(packet);
      },
    });
  }

  /** Lets time pass. */
  start(): void {
    this.#stopped = false;
    this.#rebase();
    this.#pumpSoon();
  }

  /** Time stands still for good. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#soon !== null) clearImmediate(this.#soon);
  }

  get speed(): number {
    return this.#speed;
  }

  set speed(speed: number) {
    this.#catchUp();
    this.#speed = speed;
    this.#rebase();
    this.#pumpSoon();
  }

  /** Real time that the world could not keep up with, ms in all. */
  get lostMs(): number {
    return Math.round(this.#lost);
  }

  /** Lets something in, now. */
  intervene(what: Intervention): void {
    if (this.#stopped) return;
    this.#catchUp();
    this.simulation.intervene(what);
    this.#pumpSoon();
  }

  /** Begins a fault, now. */
  begin(kind: FaultKind, id: number, duration: Micros): void {
    if (this.#stopped) return;
    this.#catchUp();
    const { at } = this.simulation;
    this.simulation.intervene({ kind: "fault", fault: { ...kind, id, at, duration } });
    this.#pumpSoon();
  }

  /** Cuts the clients off from a host, or lets them reach it again; what was on its way then arrives. */
  cutClients(node: NodeIndex, cut: boolean): void {
    if (cut === this.#cutOff.has(node)) return;
    if (cut) {
      // Nobody acknowledges what the member sends: TCP's window closes.
      this.#tellFlow(node, true);
      this.#cutOff.set(node, []);
      return;
    }
    const held = this.#cutOff.get(node) ?? [];
    this.#cutOff.delete(node);
    this.#tellFlow(node, false);
    for (const one of held) {
      if (one.to === "host") this.#toHost(node, one.packet);
      else this.#replies.push(one.heard);
    }
    this.#pumpSoon();
  }

  /** Tells a member of every stream of its clients whether it is read. */
  #tellFlow(node: NodeIndex, blocked: boolean): void {
    for (const [call, talk] of this.#talks) {
      if (talk.node === node && talk.stream) {
        this.#toHost(node, { kind: "etcd-flow", call, blocked });
      }
    }
  }

  areClientsCut(node: NodeIndex): boolean {
    return this.#cutOff.has(node);
  }

  /** A host's member, for whoever serves it. */
  member(node: NodeIndex): MemberPort {
    const { simulation } = this;
    const host = () => simulation.hosts[node];
    return {
      state: () => (isServing(host()) ? (host()?.member ?? null) : null),
      ask: (request, options, heard) => this.#ask(node, request, options, heard),
      reachable: (urls) => urls.map((url) => this.#reachable(url)),
      every: (span, task) => {
        const look = { at: simulation.at + span, span, task };
        this.#looks.add(look);
        return { stop: () => void this.#looks.delete(look) };
      },
    };
  }

  /** Hands a host's fleetd a request; `heard` is called once, and never while this runs. */
  askFleet(
    node: NodeIndex,
    request: FleetHttpRequest,
    heard: (response: FleetHttpResponse) => void,
  ): void {
    if (isFleetRunning(this.simulation.hosts[node])) {
      const call = ++this.#calls;
      this.#fleetTalks.set(call, { node, heard });
      this.#toHost(node, { kind: "fleet-request", call, request });
    } else {
      this.#replies.push(() => heard({ kind: "refused" }));
      this.#pumpSoon();
    }
  }

  /** The scenario's discovery service, for whoever serves it; null where it has none. */
  registry(): Registry | null {
    const { simulation } = this;
    const node = simulation.scenario.discovery?.node;
    if (node === undefined) return null;
    return {
      index: () => simulation.services.registry?.store.index ?? 0,
      ask: (request, heard) => this.#askRegistry(node, request, heard),
    };
  }

  #askRegistry(
    host: NodeIndex,
    request: RegistryRequest["request"],
    heard: (reply: DiscoveryReply) => void,
  ): { hangUp(): void } {
    const id = ++this.#calls;
    const stream = request.op === "watch" && request.stream === true;
    this.#registryTalks.set(id, { stream, heard });
    this.intervene({ kind: "packet", host, packet: { kind: "discovery-request", id, request } });
    return {
      hangUp: () => {
        if (!this.#registryTalks.delete(id)) return;
        this.intervene({ kind: "packet", host, packet: { kind: "discovery-hangup", id } });
      },
    };
  }

  #reachable(url: string): string {
    const address = /^https?:\/\/([^:/]+)/.exec(url)?.[1];
    const host = this.simulation.scenario.hosts.find((one) => one.address === address);
    return host === undefined ? url : this.#options.urlOf(host.index);
  }

  #ask(
    node: NodeIndex,
    request: ClientRequest,
    options: AskOptions,
    heard: (reply: ClientReply) => void,
  ): Conversation {
    const call = ++this.#calls;
    if (isServing(this.simulation.hosts[node])) {
      const stream = request.op === "watch-stream" || request.op === "watch";
      this.#talks.set(call, { node, stream, heard });
      this.#toHost(node, { kind: "etcd-request", call, request, ...options });
    } else {
      this.#replies.push(() => heard({ ok: false, unreachable: "refused" }));
      this.#pumpSoon();
    }
    const say = (packet: Packet): void => {
      if (this.#talks.has(call)) this.#toHost(node, packet);
    };
    return {
      say: (message) => say({ kind: "etcd-message", call, message }),
      flow: (blocked) => say({ kind: "etcd-flow", call, blocked }),
      hangUp: () => {
        if (!this.#talks.delete(call)) return;
        this.#toHost(node, { kind: "etcd-cancel", call });
      },
    };
  }

  #toHost(node: NodeIndex, packet: Packet): void {
    const held = this.#cutOff.get(node);
    if (held !== undefined) held.push({ to: "host", packet });
    else if (isThere(this.simulation.hosts[node], packet)) {
      this.intervene({ kind: "packet", host: node, packet });
    }
  }

  /** Called within a step: the client hears of it afterwards. */
  #heard(node: NodeIndex, packet: Packet & { readonly kind: "etcd-response" }): void {
    const { call, reply } = packet;
    const heard = (): void => {
      const talk = this.#talks.get(call);
      if (talk === undefined) return;
      if (!talk.stream || !reply.ok) this.#talks.delete(call);
      talk.heard(reply);
    };
    this.#toClient(node, heard);
  }

  #fleetHeard(node: NodeIndex, packet: Packet & { readonly kind: "fleet-response" }): void {
    const { call, response } = packet;
    this.#toClient(node, () => {
      const talk = this.#fleetTalks.get(call);
      this.#fleetTalks.delete(call);
      talk?.heard(response);
    });
  }

  #registryHeard({ id, reply }: Packet & { readonly kind: "discovery-response" }): void {
    this.#replies.push(() => {
      const talk = this.#registryTalks.get(id);
      if (talk === undefined) return;
      if (!talk.stream || !reply.ok) this.#registryTalks.delete(id);
      talk.heard(reply);
    });
  }

  #toClient(node: NodeIndex, heard: () => void): void {
    const held = this.#cutOff.get(node);
    if (held === undefined) this.#replies.push(heard);
    else held.push({ to: "client", heard });
  }

  #rebase(): void {
    this.#realFrom = now();
    this.#from = this.simulation.at;
  }

  /** Lets the world go on until its time is the real one, as far as that can be done in a slice. */
  #catchUp(): void {
    if (this.#stopped) return;
    const { simulation } = this;
    const began = now();
    const target = this.#from + Math.floor((began - this.#realFrom) * 1_000 * this.#speed);
    while (simulation.at < target && now() - began < SLICE_MS) {
      simulation.advance(Math.min(target, simulation.at + STEP));
    }
    const behind = this.#speed > 0 ? (target - simulation.at) / 1_000 / this.#speed : 0;
    if (behind <= BEHIND_MAX_MS) return;
    this.#lost += behind;
    this.#rebase();
  }

  #pump(): void {
    if (this.#stopped) return;
    try {
      this.#catchUp();
      this.#noticeProcesses();
      for (const look of [...this.#looks]) {
        if (look.at > this.simulation.at) continue;
        look.at = this.simulation.at + look.span;
        look.task();
      }
      // What a client does on hearing a reply may bring the next one.
      for (let i = 0; i < this.#replies.length; i++) this.#replies[i]?.();
      this.#replies.length = 0;
    } catch (error) {
      this.stop();
      this.#options.failed(error);
      return;
    }
    this.#sleep();
  }

  #pumpSoon(): void {
    if (this.#soon !== null || this.#stopped) return;
    this.#soon = setImmediate(() => {
      this.#soon = null;
      this.#pump();
    });
  }

  #sleep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#speed === 0 || this.#stopped) return;
    let next = this.simulation.nextAt;
    for (const look of this.#looks) next = Math.min(next, look.at);
    const due = this.#realFrom + (next - this.#from) / 1_000 / this.#speed;
    const wait = Math.min(1_000, Math.ceil(due - now()));
    if (wait <= 0) this.#pumpSoon();
    else this.#timer = setTimeout(() => this.#pump(), wait);
  }

  /** Connections to a fleetd that is gone are closed. */
  #noticeFleet(host: HostState): void {
    const node = host.config.index;
    const daemon = [...host.daemons.values()].find(({ name }) => name === "fleetd");
    const process = isFleetRunning(host) ? `${host.boots}:${daemon?.pid ?? 0}` : "";
    const before = this.#fleets[node] ?? "";
    if (process === before) return;
    this.#fleets[node] = process;
    if (before !== "") {
      for (const [call, talk] of this.#fleetTalks) {
        if (talk.node !== node) continue;
        this.#fleetTalks.delete(call);
        this.#replies.push(() => talk.heard({ kind: "dropped" }));
      }
      this.#options.fleetChanged(node, false);
    }
    if (process !== "") this.#options.fleetChanged(node, true);
  }

  /** Requests that an outage has swallowed are never answered: their connections break with the port. */
  #noticeDiscovery(): void {
    const up = this.simulation.services.isUp("discovery");
    if (up === this.#discoveryUp) return;
    this.#discoveryUp = up;
    this.#options.discoveryChanged(up);
  }

  /** Tells of processes that have come or gone; connections to one that is gone are forgotten. */
  #noticeProcesses(): void {
    this.#noticeDiscovery();
    for (const host of this.simulation.hosts) {
      this.#noticeFleet(host);
      const node = host.config.index;
      const process = isServing(host) ? `${host.boots}:${host.etcd?.pid ?? 0}` : "";
      const before = this.#processes[node] ?? "";
      if (process === before) continue;
      this.#processes[node] = process;
      if (before !== "") {
        for (const [call, talk] of this.#talks) if (talk.node === node) this.#talks.delete(call);
        const held = this.#cutOff.get(node);
        if (held !== undefined) held.length = 0;
        this.#options.changed(node, false);
      }
      if (process !== "") this.#options.changed(node, true);
    }
  }
}

/** Whether a host's fleetd is there, so that its port is open. */
export function isFleetRunning(host: HostState | undefined): boolean {
  return host?.power === "up" && host.fleet !== null;
}

/** Whether the process that a packet is for is there. */
function isThere(host: HostState | undefined, { kind }: Packet): boolean {
  return kind === "fleet-request" ? isFleetRunning(host) : isServing(host);
}

/** Whether a host's etcd process is there and a member, so that its port is open. */
export function isServing(host: HostState | undefined): boolean {
  return host?.power === "up" && host.etcd?.serving === true && host.member?.run != null;
}

function now(): number {
  return performance.now();
}
