import { setTimeout as sleep } from "node:timers/promises";
import type { V2Request } from "../../../core/etcd/index.js";
import {
  type Answer,
  answerOf,
  httpRequest,
  normalise,
  resolveStep,
  type Step as V2Step,
} from "../../differential/etcd-v2.js";
import type { ModelCluster } from "./model.js";
import type { Apart } from "./play.js";
import type { RealCluster } from "./real.js";

/** Milliseconds in which a real member must tell a watcher what the model tells. */
const TELL_MS = 3_000;

/** A long poll that neither side has answered. */
interface OpenWatch {
  readonly request: V2Request;
  readonly model: number;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  answer: Answer | null;
}

/** The v2 side of a pair. Revisions of members catch up before, so that local answers are determined. */
export class V2Pair {
  #open: OpenWatch[] = [];
  readonly #base: number;

  constructor(
    readonly real: RealCluster,
    readonly model: ModelCluster,
  ) {
    this.#base = model.v2Store.index;
  }

  async step(member: number, step: V2Step): Promise<Apart | null> {
    const request = resolveStep({ store: this.model.v2Store, base: this.#base }, step);
    const abort = new AbortController();
    const id = this.model.askV2(member, request);
    const response = await fetch(...httpRequest(this.real.url(member), request, abort.signal));
    if (request.op !== "watch" || response.status !== 200) {
      return this.#compare(id, answerOf(response, await response.text()));
    }
    const watch: OpenWatch = {
      request,
      model: id,
      abort,
      answer: null,
      done: response.text().then(
        (text) => {
          watch.answer = answerOf(response, text);
        },
        () => {},
      ),
    };
    this.#open.push(watch);
    return null;
  }

  /** Compares the polls that were answered since the last look. */
  async told(): Promise<Apart | null> {
    for (const watch of this.#open) {
      const answered = this.model.v2Answer(watch.model) !== null;
      if (answered) await Promise.race([watch.done, sleep(TELL_MS, undefined, { ref: false })]);
      if (!answered && watch.answer === null) continue;
      this.#open = this.#open.filter((other) => other !== watch);
      watch.abort.abort();
      const difference = this.#compare(watch.model, watch.answer);
      if (difference !== null) return difference;
    }
    return null;
  }

  end(): void {
    for (const { abort } of this.#open) abort.abort();
  }

  #compare(id: number, answer: Answer | null): Apart | null {
    const response = this.model.v2Answer(id);
    const expected = JSON.stringify(answer ?? "waiting");
    const actual = JSON.stringify(response === null ? "waiting" : normalise(response));
    return expected === actual ? null : { expected, actual };
  }
}
