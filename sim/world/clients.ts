import { type Packet, packetBytes } from "../../core/host/index.js";
import {
  createGenerator,
  type Generator,
  type NodeIndex,
  nextBelow,
  type Outcome,
  unreachable,
} from "../../core/kernel/index.js";
import {
  type ClientState,
  type Endpoint,
  HistoryBuilder,
  trafficClient,
  type WatcherState,
  type WorkloadEffect,
  type WorkloadFact,
  type WorkloadStimulus,
  watchClient,
} from "../../core/workload/index.js";
import type { ClientSpec } from "../scenario/scenario.js";
import type { World } from "./world.js";

/** One client: its machine's state, its random choices, and which arming of each timer counts. */
interface Client {
  readonly spec: ClientSpec;
  readonly machine:
    | { readonly does: "requests"; readonly state: ClientState }
    | { readonly does: "watches"; readonly state: WatcherState };
  /** Its own, so that another client's delays leave its choices alone. */
  readonly draws: Generator;
  readonly timers: Map<string, number>;
}

/**
 * The clients of etcd outside the hosts, each on a node of its own, and the history they make. Their
 * clocks are right.
 */
export class Clients {
  readonly history = new HistoryBuilder();
  readonly #world: World;
  readonly #clients = new Map<NodeIndex, Client>();
  /** Connections, by node and call, of which a packet was lost: nothing more comes of them. */
  readonly #lost = new Set<string>();

  constructor(world: World, seed: number) {
    this.#world = world;
    for (const spec of world.scenario.clients) {
      const client = createClient(world, spec, seed);
      this.#clients.set(spec.node, client);
      world.schedule(spec.from, () => this.#step(client, { kind: "start" }, -1));
      world.schedule(spec.until, () => this.#step(client, { kind: "stop" }, -1));
    }
  }

  /** Whether there is a client on this node. */
  has(node: NodeIndex): boolean {
    return this.#clients.has(node);
  }

  /** The machines' states and choices, for hashing. */
  states(): unknown {
    return [...this.#clients.values()].map(({ machine, draws }) => ({ ...machine, draws }));
  }

  /** An answer came. */
  receive(node: NodeIndex, packet: Packet, cause: number): void {
    const client = this.#clients.get(node);
    if (client === undefined || packet.kind !== "etcd-response") return;
    if (this.#lost.has(`${node} ${packet.call}`)) return;
    this.#step(client, { kind: "reply", call: packet.call, reply: packet.reply }, cause);
  }

  /** A packet to a client was lost on its way: the stream it belongs to has a gap, and so ends. */
  lose(node: NodeIndex, packet: Packet): void {
    if (packet.kind === "etcd-response" && this.has(node)) {
      this.#lost.add(`${node} ${packet.call}`);
    }
  }

  #step(client: Client, stimulus: WorkloadStimulus, cause: number): void {
    const world = this.#world;
    const { machine, spec } = client;
    const out: Outcome<WorkloadFact, WorkloadEffect> = { facts: [], effects: [] };
    if (machine.does === "requests") trafficClient.step(machine.state, stimulus, world.at, out);
    else watchClient.step(machine.state, stimulus, world.at, out);
    for (const fact of out.facts) {
      const { kind, ...data } = fact;
      this.history.add(spec.name, world.at, fact);
      world.record(spec.name, kind, data, cause < 0 ? null : cause);
    }
    for (const effect of out.effects) this.#perform(client, effect, cause);
  }

  #perform(client: Client, effect: WorkloadEffect, cause: number): void {
    const world = this.#world;
    const { draws, timers } = client;
    switch (effect.kind) {
      case "choose": {
        const values = effect.bounds.map((bound) => nextBelow(draws, bound));
        const stimulus: WorkloadStimulus = { kind: "chosen", id: effect.id, values };
        world.schedule(world.at, () => this.#step(client, stimulus, cause));
        return;
      }
      case "arm-timer": {
        const { timer, delay } = effect;
        const arming = (timers.get(timer) ?? 0) + 1;
        timers.set(timer, arming);
        world.schedule(world.at + delay, () => {
          if (timers.get(timer) === arming) this.#step(client, { kind: "timer", timer }, cause);
        });
        return;
      }
      case "cancel-timer":
        timers.set(effect.timer, (timers.get(effect.timer) ?? 0) + 1);
        return;
      case "request": {
        const { call, request } = effect;
        this.#send(client, effect.to, { kind: "etcd-request", call, request }, cause);
        return;
      }
      case "message": {
        const { call, message } = effect;
        this.#send(client, effect.to, { kind: "etcd-message", call, message }, cause);
        return;
      }
      case "hang-up":
        this.#send(client, effect.to, { kind: "etcd-cancel", call: effect.call }, cause);
        return;
      default:
        unreachable(effect);
    }
  }

  #send({ spec }: Client, to: NodeIndex, packet: Packet, cause: number): void {
    this.#world.send(spec.node, to, packet, packetBytes(packet), cause);
  }
}

function createClient(world: World, spec: ClientSpec, seed: number): Client {
  const { name, keys, timeout, does } = spec;
  const members = spec.members.map((node): Endpoint => ({ node, name: world.name(node) }));
  const machine: Client["machine"] =
    does.kind === "requests"
      ? {
          does: "requests",
          state: trafficClient.create({
            name,
            members,
            mix: does.mix,
            keys,
            pause: [does.pause.low, does.pause.high],
            timeout,
          }),
        }
      : {
          does: "watches",
          state: watchClient.create({
            name,
            members,
            keys,
            from: does.from,
            offset: [-does.before, does.after],
            lasts: [does.lasts.low, does.lasts.high],
            progressEvery: does.progressEvery,
            patience: timeout,
          }),
        };
  return { spec, machine, draws: createGenerator(seed, `client ${name}`), timers: new Map() };
}
