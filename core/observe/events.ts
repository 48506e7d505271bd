import type { Revision } from "../etcd/client.js";
import type { Flavored, Micros, TimerEffect, TimerFired } from "../kernel/index.js";

/** A lease id as etcdctl prints it: 16 hex digits at most, since it may not fit a safe integer. */
export type LeaseHex = Flavored<string, "lease">;

/** A key of etcd: UTF-8 text, or base64 where the bytes are not. */
export interface ObservedKey {
  readonly key: string;
  readonly keyEncoding?: "base64";
}

/**
 * A value as the log keeps it: UTF-8 text, or base64 where the bytes are not. A value longer than
 * the observer's limit is cut: then `size` is its length in bytes and `sha256` the hash of all of it.
 */
export interface ObservedValue {
  readonly value: string;
  readonly valueEncoding?: "base64";
  readonly size?: number;
  readonly sha256?: string;
}

/** A key with its value at a revision: what a range or a put holds. */
export interface ObservedPair extends ObservedKey, ObservedValue {
  /** Revision of the put (mod_revision). */
  readonly revision: Revision;
  readonly created: Revision;
  /** Puts since the key was created, this one included. */
  readonly version: number;
  readonly lease?: LeaseHex;
}

/** What a watch tells: one put or delete. `previous` is absent when it was compacted or there was none. */
export type ObservedChange =
  | {
      readonly type: "put";
      readonly pair: ObservedPair;
      readonly previous?: ObservedValue & { readonly revision: Revision };
    }
  | {
      readonly type: "delete";
      readonly key: ObservedKey;
      readonly revision: Revision;
      readonly previous?: ObservedValue & { readonly revision: Revision };
    };

/** Why a call or a watch came to nothing. */
export type ObserveFailure =
  /** No answer from any endpoint. */
  | "unreachable"
  /** An answer that did not come in time. */
  | "deadline"
  /** The answer exceeds what one message may hold: ask for less. */
  | "too-large"
  /** The revision asked for has been compacted. */
  | "compacted"
  /** etcd refused: permission, no leader, no space. */
  | "refused";

/** What reaches the observer. `id` is that of the range or watch it belongs to. */
export type ObserveStimulus =
  | { readonly kind: "start" }
  | {
      readonly kind: "range-page";
      readonly id: number;
      /** Cluster id of the answering member, hex. */
      readonly cluster: string;
      readonly endpoint: string;
      /** The store's revision when the member answered. */
      readonly revision: Revision;
      readonly pairs: readonly ObservedPair[];
      readonly more: boolean;
    }
  | {
      readonly kind: "watch-created";
      readonly id: number;
      readonly cluster: string;
      readonly endpoint: string;
      readonly revision: Revision;
    }
  | {
      readonly kind: "watch-events";
      readonly id: number;
      readonly changes: readonly ObservedChange[];
      /** More of the last change's revision is to come. */
      readonly fragment: boolean;
    }
  /** The watch is alive and has told everything up to `revision`. */
  | { readonly kind: "watch-progress"; readonly id: number; readonly revision: Revision }
  /** The watch asked for a revision below `compactRevision`. */
  | {
      readonly kind: "watch-compacted";
      readonly id: number;
      readonly compactRevision: Revision;
    }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly failure: ObserveFailure;
      readonly message: string;
    }
  | TimerFired
  | { readonly kind: "stop" };

/** What the observer asks of its world. */
export type ObserveEffect =
  | {
      /** One page of the prefix, in key order, after `after` (null: from the start). Answered by `range-page` or `failed`. */
      readonly kind: "range";
      readonly id: number;
      readonly prefix: string;
      readonly after: ObservedKey | null;
      /** The revision to read at; 0 for the latest. */
      readonly revision: Revision;
      readonly limit: number;
    }
  | {
      readonly kind: "watch";
      readonly id: number;
      readonly prefix: string;
      readonly startRevision: Revision;
    }
  | { readonly kind: "watch-cancel"; readonly id: number }
  /** Asks for a `watch-progress`, to learn whether the watch is alive. */
  | { readonly kind: "watch-ask-progress"; readonly id: number }
  | TimerEffect
  /** The observer is done; 2 when it never reached etcd. */
  | { readonly kind: "exit"; readonly code: 0 | 2 };

/** Where a told change comes from, when it is not from the watch. */
export interface Told {
  /** `initial`: there when observing began. `resync`: found by comparing after a gap, when, and how often, is not known. */
  readonly by?: "initial" | "resync";
}

export type ObserveFact =
  | ({ readonly kind: "observed.put"; readonly previous?: ObservedValue } & ObservedPair & Told)
  | ({
      readonly kind: "observed.delete";
      /** Revision of the delete; with `by: "resync"` the one at which the key was found gone. */
      readonly revision: Revision;
      readonly previous?: ObservedValue;
    } & ObservedKey &
      Told)
  | {
      readonly kind: "observe.connected";
      readonly endpoint: string;
      readonly cluster: string;
      readonly revision: Revision;
    }
  | {
      readonly kind: "observe.lost";
      readonly failure: ObserveFailure;
      readonly message: string;
      /** Everything up to this revision is in the log. */
      readonly revision: Revision;
    }
  | {
      /** Revisions `from` … `to`, both included, cannot be told any more. */
      readonly kind: "observe.gap";
      readonly reason: "compacted" | "rewound" | "other-cluster";
      readonly from: Revision;
      readonly to: Revision;
    }
  /** The keys are known as of `revision`, and are watched from there. */
  | { readonly kind: "observe.synced"; readonly revision: Revision; readonly keys: number }
  | { readonly kind: "observe.gave-up"; readonly after: Micros; readonly message: string }
  | {
      readonly kind: "observe.stopped";
      readonly revision: Revision;
      readonly puts: number;
      readonly deletes: number;
    };
