import { type HostState, type Packet, packetBytes } from "../../core/host/index.js";
import { type Micros, type NodeIndex, SECOND } from "../../core/kernel/index.js";
import type { World } from "./world.js";

/** Attempts before an operator gives up an action. */
const ATTEMPTS_MAX = 60;

/** What an operator asks: one kind of server on hosts, by one protocol. */
export interface Protocol<Request, Reply> {
  /** What a session ends with when the operator gives up. */
  readonly noAnswer: string;
  /** The client gives up on an answer after this long and asks the next host. */
  readonly patience: Micros;
  /** Whether the server runs on a host that is up. */
  runsOn(host: HostState): boolean;
  packet(call: number, request: Request): Packet;
  /** Whether a reply is worth another try, a second later at the next host. */
  isTransient(reply: Reply): boolean;
}

/** A client of an operator's: each request of a session is tried at one host after another until one answers. */
export class PatientClient<Request, Reply> {
  readonly #world: World;
  readonly #node: NodeIndex;
  readonly #protocol: Protocol<Request, Reply>;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #nextCall = 1;

  /** @param node - where the operator sits */
  constructor(world: World, node: NodeIndex, protocol: Protocol<Request, Reply>) {
    this.#world = world;
    this.#node = node;
    this.#protocol = protocol;
  }

  /** An answer came. */
  receive(call: number, reply: Reply): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    waiting?.(reply);
  }

  /**
   * @param via - the host that is asked; null: one after the other of those where the server runs
   * @param finish - gets what the session returned, or the protocol's `noAnswer`
   */
  run(
    session: Generator<Request, string, Reply>,
    via: NodeIndex | null,
    finish: (result: string) => void,
  ): void {
    const advance = (next: IteratorResult<Request, string>) => {
      if (next.done === true) finish(next.value);
      else this.#ask(next.value, via, 0, (reply) => advance(session.next(reply)), finish);
    };
    advance(session.next());
  }

  #ask(
    request: Request,
    via: NodeIndex | null,
    attempt: number,
    answered: (reply: Reply) => void,
    gaveUp: (result: string) => void,
  ): void {
    const world = this.#world;
    const { noAnswer, patience, runsOn, packet: packed, isTransient } = this.#protocol;
    if (attempt >= ATTEMPTS_MAX) {
      gaveUp(noAnswer);
      return;
    }
    const again = () => this.#ask(request, via, attempt + 1, answered, gaveUp);
    const present = world.hosts.filter((host) => host.power === "up" && runsOn(host));
    const target = via ?? present[attempt % Math.max(present.length, 1)]?.config.index;
    if (target === undefined) {
      world.schedule(world.at + patience, again);
      return;
    }
    const call = this.#nextCall++;
    const packet = packed(call, request);
    this.#waiting.set(call, (reply) => {
      if (isTransient(reply)) world.schedule(world.at + SECOND, again);
      else answered(reply);
    });
    world.send(this.#node, target, packet, packetBytes(packet), -1);
    world.schedule(world.at + patience, () => {
      if (this.#waiting.delete(call)) again();
    });
  }
}
