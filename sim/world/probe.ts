import type { ClientRequest } from "../../core/etcd/index.js";
import { type Packet, packetBytes } from "../../core/host/index.js";
import type { Micros, NodeIndex } from "../../core/kernel/index.js";
import type { ProbeSpec } from "../scenario/scenario.js";
import type { World } from "./world.js";

/** What a probe writes: one key, so that the store does not grow. */
const WRITE: ClientRequest = { op: "put", key: "/orrery/probe", value: "written" };

/**
 * A client outside the cluster that sends a write to every member at once, again and again, and
 * remembers when any of them was last answered: the availability that a client sees who knows all
 * members. It does not wait for answers, so that one that takes seconds holds up none after it.
 */
export class Probe {
  readonly #world: World;
  readonly #node: NodeIndex;
  readonly #every: Micros;
  #writtenAt: Micros = 0;
  #calls = 0;

  constructor(world: World, node: NodeIndex, { every }: ProbeSpec) {
    this.#world = world;
    this.#node = node;
    this.#every = every;
    world.schedule(0, () => this.#write());
  }

  /** When a write was last answered; 0 before the first. */
  get writtenAt(): Micros {
    return this.#writtenAt;
  }

  /** An answer came. */
  receive(packet: Packet): void {
    if (packet.kind === "etcd-response" && packet.reply.ok) this.#writtenAt = this.#world.at;
  }

  #write(): void {
    const world = this.#world;
    for (const host of world.hosts) {
      if (host.power !== "up" || (host.member?.run ?? null) === null) continue;
      const packet: Packet = { kind: "etcd-request", call: ++this.#calls, request: WRITE };
      world.send(this.#node, host.config.index, packet, packetBytes(packet), -1);
    }
    world.schedule(world.at + this.#every, () => this.#write());
  }
}
