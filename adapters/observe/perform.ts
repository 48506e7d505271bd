import { status } from "@grpc/grpc-js";
import type { ObserveEffect, ObserveFailure, ObserveStimulus } from "../../core/observe/index.js";
import {
  EtcdCallError,
  type EtcdV3Client,
  type WatchResponse,
  type WatchStream,
} from "../etcd/index.js";
import { keyBytes, renderChange, renderPair, revisionOf } from "./render.js";

type RangeEffect = Extract<ObserveEffect, { readonly kind: "range" }>;
type WatchEffect = Extract<ObserveEffect, { readonly kind: "watch" }>;
type Answer = (stimulus: ObserveStimulus) => void;

/** What an observer asks of etcd, carried out over v3. Timers and `exit` are not for etcd. */
export type EtcdObserveEffect = Exclude<
  ObserveEffect,
  { readonly kind: "arm-timer" | "cancel-timer" | "exit" }
>;

/** Performs the effects of one observer. Values longer than `valueLimit` bytes are cut. */
export class ObservePerformer {
  readonly #client: EtcdV3Client;
  readonly #valueLimit: number;
  #watch: { readonly id: number; readonly stream: WatchStream } | null = null;

  constructor(client: EtcdV3Client, valueLimit: number) {
    this.#client = client;
    this.#valueLimit = valueLimit;
  }

  perform(effect: EtcdObserveEffect, answer: Answer): void {
    switch (effect.kind) {
      case "range":
        void this.#range(effect, answer);
        return;
      case "watch":
        this.#open(effect, answer);
        return;
      case "watch-cancel":
        if (this.#watch?.id === effect.id) this.close();
        return;
      case "watch-ask-progress":
        if (this.#watch?.id === effect.id) this.#watch.stream.askProgress();
        return;
    }
  }

  /** Ends the watch, if there is one. */
  close(): void {
    this.#watch?.stream.cancel();
    this.#watch = null;
  }

  async #range(effect: RangeEffect, answer: Answer): Promise<void> {
    const { id, prefix, after, revision, limit } = effect;
    const start = after === null ? prefixStart(prefix) : successor(keyBytes(after));
    const { endpoint } = this.#client;
    try {
      const response = await this.#client.range({
        key: start,
        range_end: prefixEnd(Buffer.from(prefix)),
        limit: String(limit),
        revision: String(revision),
      });
      answer({
        kind: "range-page",
        id,
        cluster: hexOf(response.header.cluster_id),
        endpoint,
        revision: revisionOf(response.header.revision),
        pairs: response.kvs.map((kv) => renderPair(kv, this.#valueLimit)),
        more: response.more,
      });
    } catch (error) {
      answer(failure(id, error));
    }
  }

  #open({ id, prefix, startRevision }: WatchEffect, answer: Answer): void {
    this.close();
    const stream = this.#client.watch(
      {
        key: prefixStart(prefix),
        range_end: prefixEnd(Buffer.from(prefix)),
        start_revision: String(startRevision),
        prev_kv: true,
        progress_notify: true,
        fragment: true,
      },
      {
        response: (response, endpoint) => this.#heard(id, response, endpoint, answer),
        ended: (error) => {
          if (this.#watch?.id === id) this.#watch = null;
          answer(failure(id, error));
        },
      },
    );
    this.#watch = { id, stream };
  }

  #heard(id: number, response: WatchResponse, endpoint: string, answer: Answer): void {
    const { header } = response;
    if (response.created) {
      const cluster = hexOf(header.cluster_id);
      answer({
        kind: "watch-created",
        id,
        cluster,
        endpoint,
        revision: revisionOf(header.revision),
      });
    }
    if (response.canceled) {
      const compacted = revisionOf(response.compact_revision);
      if (this.#watch?.id === id) this.close();
      if (compacted > 0) answer({ kind: "watch-compacted", id, compactRevision: compacted });
      else answer({ kind: "failed", id, failure: "refused", message: response.cancel_reason });
    } else if (response.events.length > 0) {
      const changes = response.events.map((event) => renderChange(event, this.#valueLimit));
      answer({ kind: "watch-events", id, changes, fragment: response.fragment });
    } else if (!response.created) {
      // A progress answer we asked for (watch id -1) may overtake events in etcd before 3.4.25
      // (etcd #15220): it proves life, not completeness. The periodic one of the watch proves both.
      const revision = response.watch_id === "-1" ? 0 : revisionOf(header.revision);
      answer({ kind: "watch-progress", id, revision });
    }
  }
}

/** Keys from the first that begins with `prefix`; etcd takes one zero byte for "from the first key". */
function prefixStart(prefix: string): Buffer {
  return prefix === "" ? Buffer.from([0]) : Buffer.from(prefix);
}

/** The first key after all that begin with `prefix`; one zero byte for "to the last key". */
export function prefixEnd(prefix: Buffer): Buffer {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, i), Buffer.from([byte + 1])]);
  }
  return Buffer.from([0]);
}

function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

function hexOf(digits: string): string {
  return BigInt(digits).toString(16);
}

function failure(id: number, error: unknown): ObserveStimulus {
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "failed", id, failure: kindOf(error), message };
}

function kindOf(error: unknown): ObserveFailure {
  if (!(error instanceof EtcdCallError)) return "refused";
  switch (error.code) {
    case status.UNAVAILABLE:
      return "unreachable";
    case status.DEADLINE_EXCEEDED:
      return "deadline";
    case status.RESOURCE_EXHAUSTED:
      return "too-large";
    case status.OUT_OF_RANGE:
      return "compacted";
    default:
      return "refused";
  }
}
