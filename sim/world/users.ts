import { type Packet, packetBytes } from "../../core/host/index.js";
import type { Micros, NodeIndex } from "../../core/kernel/index.js";
import type { UsersSpec } from "../scenario/containers.js";
import type { World } from "./world.js";

/**
 * Users outside the cluster who ask for a page, one after the other, each through the next balancer. They
 * do not ask twice: a request without a good answer in time is an error that somebody saw.
 */
export class Users {
  readonly #world: World;
  readonly #node: NodeIndex;
  readonly #spec: UsersSpec;
  readonly #failed: (at: Micros) => void;
  /** The balancer that each request under way was sent to. */
  readonly #waiting = new Map<number, NodeIndex>();
  /** Errors in a row through each balancer. */
  readonly #spells = new Map<NodeIndex, number>();
  #calls = 0;

  /** `failed` hears of each request that failed. */
  constructor(world: World, node: NodeIndex, spec: UsersSpec, failed: (at: Micros) => void) {
    this.#world = world;
    this.#node = node;
    this.#spec = spec;
    this.#failed = failed;
    world.schedule(spec.from, () => this.#ask());
  }

  /** An answer came. */
  receive(packet: Packet): void {
    if (packet.kind !== "web-response") return;
    const balancer = this.#waiting.get(packet.call);
    if (balancer === undefined) return;
    this.#waiting.delete(packet.call);
    if (packet.status === 200) this.#served(balancer);
    else this.#fail(balancer, packet.status);
  }

  #ask(): void {
    const world = this.#world;
    const { through, every, timeout } = this.#spec;
    const call = ++this.#calls;
    const balancer = through[call % through.length];
    world.schedule(world.at + every, () => this.#ask());
    if (balancer === undefined) return;
    this.#waiting.set(call, balancer);
    const packet: Packet = { kind: "web-request", call, port: null };
    world.send(this.#node, balancer, packet, packetBytes(packet), -1);
    world.schedule(world.at + timeout, () => {
      if (this.#waiting.delete(call)) this.#fail(balancer, 0);
    });
  }

  /** `status` 0: no answer in time. */
  #fail(balancer: NodeIndex, status: number): void {
    const world = this.#world;
    const errors = this.#spells.get(balancer) ?? 0;
    this.#spells.set(balancer, errors + 1);
    if (errors === 0) {
      world.record("", "users.error", { balancer: world.name(balancer), status }, null);
    }
    this.#failed(world.at);
  }

  #served(balancer: NodeIndex): void {
    const world = this.#world;
    const errors = this.#spells.get(balancer) ?? 0;
    if (errors === 0) return;
    this.#spells.delete(balancer);
    world.record("", "users.served", { balancer: world.name(balancer), errors }, null);
  }
}
