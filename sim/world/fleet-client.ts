import type {
  FleetctlApiSession,
  FleetHttpRequest,
  FleetHttpResponse,
} from "../../core/fleet/index.js";
import { type Packet, packetBytes } from "../../core/host/index.js";
import { type Micros, type NodeIndex, SECOND } from "../../core/kernel/index.js";
import type { World } from "./world.js";

/** As long as fleetctl waits for an answer. */
const PATIENCE: Micros = 3 * SECOND;

/** Attempts before the operator gives up an action. */
const ATTEMPTS_MAX = 60;

/** What a session ends with when the operator gives up. */
const NO_ANSWER = "no fleet answered";

/** An operator who uses fleet through its API: a request that fails is made again, at one host after another. */
export class FleetClient {
  readonly #world: World;
  readonly #node: NodeIndex;
  readonly #waiting = new Map<number, (response: FleetHttpResponse) => void>();
  #nextCall = 1;

  /** @param node - where the operator sits */
  constructor(world: World, node: NodeIndex) {
    this.#world = world;
    this.#node = node;
  }

  /** An answer came. */
  receive({ call, response }: Packet & { readonly kind: "fleet-response" }): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    waiting?.(response);
  }

  /** @param via - the host whose fleet is asked; null: any that answers */
  run(session: FleetctlApiSession, via: NodeIndex | null, finish: (result: string) => void): void {
    const advance = (next: IteratorResult<FleetHttpRequest, string>) => {
      if (next.done === true) finish(next.value);
      else this.#ask(next.value, via, 0, (reply) => advance(session.next(reply)), finish);
    };
    advance(session.next());
  }

  #ask(
    request: FleetHttpRequest,
    via: NodeIndex | null,
    attempt: number,
    answered: (response: FleetHttpResponse) => void,
    gaveUp: (result: string) => void,
  ): void {
    const world = this.#world;
    if (attempt >= ATTEMPTS_MAX) {
      gaveUp(NO_ANSWER);
      return;
    }
    const again = () => this.#ask(request, via, attempt + 1, answered, gaveUp);
    const present = world.hosts.filter((host) => host.power === "up" && host.fleet !== null);
    const target = via ?? present[attempt % Math.max(present.length, 1)]?.config.index;
    if (target === undefined) {
      world.schedule(world.at + PATIENCE, again);
      return;
    }
    const call = this.#nextCall++;
    const packet: Packet = { kind: "fleet-request", call, request };
    this.#waiting.set(call, (response) => {
      if (response.kind === "answer" && response.status < 500) answered(response);
      else world.schedule(world.at + SECOND, again);
    });
    world.send(this.#node, target, packet, packetBytes(packet), -1);
    world.schedule(world.at + PATIENCE, () => {
      if (this.#waiting.delete(call)) again();
    });
  }
}
