import type {
  DiscoveryReply,
  RegistryEffect,
  RegistryRequest,
  RegistryStimulus,
} from "../../core/discovery/index.js";

/** A discovery service as its clients reach it, whatever world it lives in. */
export interface Registry {
  /**
   * Asks the service. A watch that streams is heard more than once; nothing is heard after
   * `hangUp`, and never while `ask` itself runs.
   */
  ask(
    request: RegistryRequest["request"],
    heard: (reply: DiscoveryReply) => void,
  ): { hangUp(): void };
  /** The index of the store behind it. */
  index(): number;
}

/** Numbers requests to a registry machine, and brings its answers to those who asked. */
export class RegistryDesk implements Registry {
  readonly #deliver: (stimulus: RegistryStimulus) => void;
  readonly #index: () => number;
  readonly #asked = new Map<number, (reply: DiscoveryReply) => void>();
  #next: number;

  /**
   * @param deliver - hands the machine a stimulus
   * @param index - the index of its store
   * @param next - the first number to give
   */
  constructor(deliver: (stimulus: RegistryStimulus) => void, index: () => number, next = 1) {
    this.#deliver = deliver;
    this.#index = index;
    this.#next = next;
  }

  index(): number {
    return this.#index();
  }

  ask(
    request: RegistryRequest["request"],
    heard: (reply: DiscoveryReply) => void,
  ): { hangUp(): void } {
    const id = this.#next++;
    const stays = request.op === "watch" && request.stream === true;
    this.#asked.set(id, (reply) => {
      if (!stays || !reply.ok) this.#asked.delete(id);
      heard(reply);
    });
    this.#deliver({ kind: "registry-request", id, request });
    return {
      hangUp: () => {
        if (this.#asked.delete(id)) this.#deliver({ kind: "registry-hangup", id });
      },
    };
  }

  /** An answer of the machine; it is heard once the step that made it is over. */
  perform({ id, reply }: RegistryEffect): void {
    queueMicrotask(() => this.#asked.get(id)?.(reply));
  }
}
