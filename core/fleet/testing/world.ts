import type { EtcdReply, V2Request } from "../../etcd/client.js";
import {
  applyV2Command,
  createV2Store,
  parseV2Request,
  type V2Notice,
  v2Expire,
  v2Watch,
} from "../../etcd/index.js";
import {
  createGenerator,
  MILLISECOND,
  type Micros,
  permutation,
  SECOND,
  stepImmutable,
  stepInPlace,
} from "../../kernel/index.js";
import { DROPPED } from "../api-http.js";
import {
  FLEET_DEFAULTS,
  type FleetConfig,
  type FleetctlCommand,
  type FleetEffect,
  type FleetFact,
  type FleetHttpRequest,
  type FleetHttpResponse,
  type FleetState,
  type FleetStimulus,
  fleetctl,
  fleetctlApi,
  fleetd,
} from "../index.js";
import { FakeSystemd } from "./systemd.js";

const PREFIX = FLEET_DEFAULTS.keyPrefix;
const LATENCY = MILLISECOND;

/** One host: a fleetd over a systemd. */
export interface FleetHost {
  readonly id: string;
  readonly systemd: FakeSystemd;
  state: FleetState;
  /** Whether etcd answers: everything, nothing, reads only, or does all but is not heard. */
  etcd: "up" | "cut" | "read-only" | "unheard";
  readonly exits: number[];
  readonly timers: Map<string, number>;
}

/** A few fleetd machines around one v2 store, with a millisecond on every wire. */
export class FleetWorld {
  now: Micros = 0;
  readonly hosts: FleetHost[];
  readonly facts: { readonly at: Micros; readonly host: string; readonly fact: FleetFact }[] = [];
  /** Everything asked of the world, in order: with `facts`, all that can be seen of a run. */
  readonly effects: string[] = [];
  /** Requests that reached etcd, by host. */
  readonly requests = new Map<string, V2Request[]>();
  /** IDs of machines whose gRPC nobody hears. */
  readonly cutOff = new Set<string>();
  readonly #store = createV2Store();
  readonly #queue: { readonly at: Micros; readonly seq: number; run(): void }[] = [];
  readonly #watchers = new Map<number, (reply: EtcdReply) => void>();
  readonly #generator = createGenerator(7, "order");
  readonly #runner: "in-place" | "immer";
  /** The last answer of each host's API. */
  readonly #answers = new Map<string, FleetHttpResponse>();
  #seq = 0;

  constructor(hosts: readonly Partial<FleetConfig>[], runner: "in-place" | "immer" = "in-place") {
    this.#runner = runner;
    this.hosts = hosts.map((config, index) => {
      const id = config.machineId ?? `${String.fromCharCode(97 + index)}`.repeat(32);
      const host: FleetHost = {
        id,
        systemd: new FakeSystemd((status) => {
          this.#later(0, () => this.#step(host, { kind: "unit-changed", status }));
        }),
        state: fleetd.create({ ...FLEET_DEFAULTS, ...config, machineId: id }),
        etcd: "up",
        exits: [],
        timers: new Map(),
      };
      return host;
    });
  }

  host(index: number): FleetHost {
    const host = this.hosts[index];
    if (host === undefined) throw new RangeError(`no host ${index}`);
    return host;
  }

  start(index: number): void {
    this.#step(this.host(index), { kind: "start" });
  }

  startAll(): void {
    for (const index of this.hosts.keys()) this.start(index);
  }

  stop(index: number, signal: "SIGTERM" | "SIGKILL"): void {
    this.#step(this.host(index), { kind: "stop", signal });
  }

  hangUp(index: number): void {
    this.#step(this.host(index), { kind: "hang-up" });
  }

  /** Asks a host's API for the machines; the status, null while there is no answer. */
  ask(index: number): number | null {
    const request = { method: "GET", target: "/fleet/v1/machines", contentTypes: [], body: "" };
    const answer = this.http(index, request, 0.01);
    return answer?.kind === "answer" ? answer.status : null;
  }

  /** A request to a host's API; null if there is no answer within the time. */
  http(index: number, request: FleetHttpRequest, seconds = 6): FleetHttpResponse | null {
    const host = this.host(index);
    this.#answers.delete(host.id);
    const end = this.now + seconds * SECOND;
    this.#step(host, { kind: "http-request", client: { from: 0, call: 1 }, request });
    while (this.now < end && !this.#answers.has(host.id)) this.run(0.005);
    return this.#answers.get(host.id) ?? null;
  }

  /** An operator's command by way of a host's API. */
  fleetctlVia(
    index: number,
    command: FleetctlCommand,
    unit: string,
    text = "[Service]\nExecStart=/bin/true\n",
  ): string {
    const session = fleetctlApi(command, unit, text);
    let next = session.next();
    while (next.done !== true) next = session.next(this.http(index, next.value) ?? DROPPED);
    return next.value;
  }

  /** Runs everything that is due within the time. */
  run(seconds: number): void {
    const end = this.now + seconds * SECOND;
    for (let next = this.#queue[0]; next !== undefined && next.at <= end; next = this.#queue[0]) {
      this.#queue.shift();
      this.#advance(next.at);
      next.run();
    }
    this.#advance(end);
  }

  /** An operator's command, done at once. */
  fleetctl(
    command: FleetctlCommand,
    unit: string,
    text = "[Service]\nExecStart=/bin/true\n",
  ): string {
    const session = fleetctl(PREFIX, command, unit, text);
    let next = session.next();
    while (next.done !== true) next = session.next(this.etcd(next.value));
    return next.value;
  }

  /** A request to the store, answered at once. */
  etcd(request: V2Request): EtcdReply {
    const parsed = parseV2Request(request, this.now);
    if (!parsed.ok) return parsed.failure;
    if (parsed.command.op === "watch") throw new Error("a watch is not answered at once");
    const notices: V2Notice[] = [];
    const reply = applyV2Command(this.#store, parsed.command, this.now, notices);
    this.#notify(notices);
    return reply;
  }

  /** Value of a key below fleet's root, null if there is none. */
  value(key: string): string | null {
    const reply = this.etcd({ op: "get", key: `${PREFIX}/${key}` });
    return reply.ok ? (reply.node.value ?? null) : null;
  }

  /** Index of the host a unit is scheduled to, null if it is not. */
  targetOf(unit: string): number | null {
    const index = this.hosts.findIndex(({ id }) => id === this.value(`job/${unit}/target`));
    return index === -1 ? null : index;
  }

  /** Indexes of the hosts on which systemd runs a unit. */
  running(unit: string): number[] {
    return [...this.hosts.keys()].filter((index) => this.host(index).systemd.active.has(unit));
  }

  /** Facts of one kind, with their time and host. */
  told<Kind extends FleetFact["kind"]>(kind: Kind, index?: number) {
    return this.facts.filter(
      ({ fact, host }) =>
        fact.kind === kind && (index === undefined || host === this.host(index).id),
    );
  }

  #later(delay: Micros, run: () => void): void {
    const event = { at: this.now + delay, seq: this.#seq++, run };
    let at = this.#queue.length;
    while (at > 0 && (this.#queue[at - 1]?.at ?? 0) > event.at) at--;
    this.#queue.splice(at, 0, event);
  }

  #advance(to: Micros): void {
    this.now = to;
    const notices: V2Notice[] = [];
    v2Expire(this.#store, to, to, notices);
    this.#notify(notices);
  }

  #notify(notices: readonly V2Notice[]): void {
    for (const { id, response } of notices) {
      this.#watchers.get(id)?.(response);
      this.#watchers.delete(id);
    }
  }

  #step(host: FleetHost, stimulus: FleetStimulus): void {
    let outcome: { readonly facts: FleetFact[]; readonly effects: FleetEffect[] };
    if (this.#runner === "immer") {
      const next = stepImmutable(fleetd, host.state, stimulus, this.now);
      host.state = next.state;
      outcome = next;
    } else outcome = stepInPlace(fleetd, host.state, stimulus, this.now);
    for (const fact of outcome.facts) this.facts.push({ at: this.now, host: host.id, fact });
    for (const effect of outcome.effects) {
      this.effects.push(`${this.now} ${host.id} ${JSON.stringify(effect)}`);
      this.#perform(host, effect);
    }
  }

  #perform(host: FleetHost, effect: FleetEffect): void {
    switch (effect.kind) {
      case "arm-timer": {
        const generation = this.#seq;
        host.timers.set(effect.timer, generation);
        this.#later(effect.delay, () => {
          if (host.timers.get(effect.timer) !== generation) return;
          host.timers.delete(effect.timer);
          this.#step(host, { kind: "timer", timer: effect.timer });
        });
        return;
      }
      case "cancel-timer":
        host.timers.delete(effect.timer);
        return;
      case "etcd-call":
        this.#call(host, effect.id, effect.request, effect.timeout);
        return;
      case "etcd-cancel":
        this.#watchers.delete(watcherId(this.hosts.indexOf(host), effect.id));
        return;
      case "systemd-call": {
        const reply = host.systemd.request(effect.request);
        this.#later(LATENCY, () =>
          this.#step(host, { kind: "systemd-reply", id: effect.id, reply }),
        );
        return;
      }
      case "order": {
        const orders = effect.counts.map((count) => permutation(this.#generator, count));
        this.#later(0, () => this.#step(host, { kind: "ordered", id: effect.id, orders }));
        return;
      }
      case "http-response":
        this.#answers.set(host.id, effect.response);
        return;
      case "rpc-call": {
        const { id, address, request } = effect;
        const from = this.hosts.indexOf(host);
        const to = this.hosts.find(({ state }) => state.config.publicIp === address);
        this.#later(LATENCY, () => {
          if (to !== undefined && !this.cutOff.has(to.id)) {
            this.#step(to, { kind: "rpc-request", client: { from, call: id }, request });
          }
        });
        return;
      }
      case "rpc-response": {
        const { client, reply } = effect;
        if (this.cutOff.has(host.id)) return;
        this.#later(LATENCY, () =>
          this.#step(this.host(client.from), { kind: "rpc-reply", id: client.call, reply }),
        );
        return;
      }
      case "rpc-hangup": {
        const { peer } = effect;
        const address = host.state.config.publicIp;
        if (this.cutOff.has(host.id)) return;
        this.#later(LATENCY, () => this.#step(this.host(peer), { kind: "rpc-closed", address }));
        return;
      }
      case "exit":
        host.exits.push(effect.code);
    }
  }

  #call(host: FleetHost, id: number, request: V2Request, timeout: Micros | null): void {
    const answer = (reply: EtcdReply, delay: Micros) =>
      this.#later(delay, () => this.#step(host, { kind: "etcd-reply", id, reply }));
    this.#later(LATENCY, () => {
      if (host.etcd === "cut" || (host.etcd === "read-only" && request.op === "put")) {
        answer({ ok: false, unreachable: "timeout" }, timeout ?? 5 * SECOND);
        return;
      }
      const seen = this.requests.get(host.id) ?? [];
      seen.push(request);
      this.requests.set(host.id, seen);
      if (request.op !== "watch") {
        const reply = this.etcd(request);
        if (host.etcd !== "unheard") answer(reply, LATENCY);
        else answer({ ok: false, unreachable: "timeout" }, timeout ?? 5 * SECOND);
        return;
      }
      const watcher = watcherId(this.hosts.indexOf(host), id);
      this.#watchers.set(watcher, (reply) => answer(reply, LATENCY));
      const past = v2Watch(this.#store, watcher, request.key, true, false, request.waitIndex ?? 0);
      if (past === null) return;
      this.#watchers.delete(watcher);
      answer(past, LATENCY);
    });
  }
}

function watcherId(host: number, call: number): number {
  return host * 1_000_000_000 + call;
}
