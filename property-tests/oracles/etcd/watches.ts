import type { Wire } from "../../../adapters/etcd/wire-fields.js";
import type { WatchMessage } from "../../../core/etcd/index.js";
import { type Aliases, type Plain, toldBy } from "./canonical.js";
import type { ModelCluster } from "./model.js";
import type { Apart } from "./play.js";
import type { RealCluster, RealStream } from "./real.js";

/** Milliseconds in which a real member must tell its watchers what the model tells. */
const TELL_MS = 3_000;

/** Milliseconds between two looks while the sides have not told the same. */
const LOOK_MS = 10;

/** One side of a stream: what it told since both last agreed, by watch. */
class Side {
  /** Responses taken in. */
  taken = 0;
  readonly told = new Map<string, Plain[]>();

  take(responses: readonly Wire[], aliases: Aliases): void {
    for (const response of responses) {
      const { watch, told } = toldBy(response, aliases);
      this.told.set(watch, [...(this.told.get(watch) ?? []), ...told]);
    }
    this.taken += responses.length;
  }
}

/** A stream of watches at a real member and at its model. */
export class WatchPair {
  readonly #real: RealStream;
  readonly #id: number;
  readonly #expected = new Side();
  readonly #actual = new Side();

  constructor(
    readonly name: string,
    readonly member: number,
    real: RealCluster,
    readonly model: ModelCluster,
  ) {
    this.#real = real.openStream(member);
    this.#id = model.openStream(member);
  }

  say(message: WatchMessage): void {
    this.model.say(this.member, this.#id, message);
    this.#real.say(message);
  }

  /** Compares what both sides told, once they have had time to tell it. */
  async told(realAliases: Aliases, modelAliases: Aliases): Promise<Apart | null> {
    for (const deadline = Date.now() + TELL_MS; ; await this.#real.next(LOOK_MS)) {
      this.model.keepUp();
      this.#expected.take(this.#real.responses.slice(this.#expected.taken), realAliases);
      this.#actual.take(this.model.responses(this.#id, this.#actual.taken), modelAliases);
      const apart = this.#apart();
      if (apart === null || apart.isFinal || Date.now() >= deadline) return apart;
    }
  }

  close(): void {
    this.#real.close();
  }

  /** Strikes out what both told; what is left of a watch, and whether more can still make it equal. */
  #apart(): (Apart & { readonly isFinal: boolean }) | null {
    for (const watch of new Set([...this.#expected.told.keys(), ...this.#actual.told.keys()])) {
      const expected = this.#expected.told.get(watch) ?? [];
      const actual = this.#actual.told.get(watch) ?? [];
      while (expected.length > 0 && actual.length > 0) {
        if (JSON.stringify(expected[0]) !== JSON.stringify(actual[0])) break;
        expected.shift();
        actual.shift();
      }
      if (expected.length === 0 && actual.length === 0) continue;
      const where = `stream ${this.name}, watch ${watch}`;
      return {
        expected: { [where]: expected[0] ?? null },
        actual: { [where]: actual[0] ?? null },
        isFinal: expected.length > 0 && actual.length > 0,
      };
    }
    return null;
  }
}
