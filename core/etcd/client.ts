import type { Flavored, Micros } from "../kernel/index.js";

/** A store revision (v3) or store index (v2); one per change, from 1. */
export type Revision = Flavored<number, "revision">;

/**
 * A lease id, chosen by the client or by the member: 64 bits as 16 hex digits, which no number holds
 * without loss. "" is none.
 */
export type LeaseId = Flavored<string, "lease">;

/**
 * A request of the v2 keys API, as a client states it. Keys are absolute paths such as
 * `/_coreos.com/fleet/job`. Absent options are absent from the request.
 * Source: etcd 3.4 server/api/v2http, docs/v2/api.md.
 */
export type V2Request =
  | {
      readonly op: "get";
      readonly key: string;
      readonly recursive?: boolean;
      readonly sorted?: boolean;
      /** Through the log (linearizable); otherwise the member's own, possibly stale, store. */
      readonly quorum?: boolean;
    }
  | {
      readonly op: "put";
      readonly key: string;
      readonly value?: string;
      /** Seconds; "" makes the key permanent. */
      readonly ttl?: number | "";
      readonly dir?: boolean;
      readonly prevExist?: boolean;
      readonly prevValue?: string;
      readonly prevIndex?: Revision;
      readonly refresh?: boolean;
    }
  | {
      readonly op: "post";
      readonly key: string;
      readonly value: string;
      readonly ttl?: number;
      /** Makes an in-order directory instead of a key. */
      readonly dir?: boolean;
    }
  | {
      readonly op: "delete";
      readonly key: string;
      readonly recursive?: boolean;
      readonly dir?: boolean;
      readonly prevValue?: string;
      readonly prevIndex?: Revision;
    }
  | {
      /** Long poll: answered once, with the first event at or after `waitIndex` (absent: from now). */
      readonly op: "watch";
      readonly key: string;
      readonly recursive?: boolean;
      readonly waitIndex?: Revision;
      /** Goes on after the first event: every event is a reply of the same id, until cancelled. */
      readonly stream?: boolean;
    };

export interface V2Node {
  /** "" for the root, whose key etcd leaves out of its answers. */
  readonly key: string;
  readonly value?: string;
  readonly dir?: boolean;
  readonly nodes?: readonly V2Node[];
  /** On the clock of the member that took the request. */
  readonly expiration?: Micros;
  /** Seconds left, rounded up, when the answer was made. */
  readonly ttl?: number;
  readonly modifiedIndex: Revision;
  readonly createdIndex: Revision;
}

export type V2Action =
  | "get"
  | "set"
  | "create"
  | "update"
  | "delete"
  | "compareAndSwap"
  | "compareAndDelete"
  | "expire";

/** The answer of a member. Error codes and texts are etcd's own (100 key not found, 105 exists, …). */
export type V2Response =
  | {
      readonly ok: true;
      readonly status: 200 | 201;
      readonly action: V2Action;
      readonly node: V2Node;
      readonly prevNode?: V2Node;
      /** X-Etcd-Index: the store's index when the answer (for a watch: the watch) was made. */
      readonly etcdIndex: Revision;
      /** X-Raft-Index and X-Raft-Term, when a member with a log answered. */
      readonly raftIndex?: number;
      readonly raftTerm?: number;
    }
  | {
      readonly ok: false;
      readonly status: number;
      readonly errorCode: number;
      readonly message: string;
      readonly cause: string;
      readonly index: Revision;
    };

/** What a client of etcd sees: an answer, or none. */
export type EtcdReply =
  | V2Response
  | { readonly ok: false; readonly unreachable: "timeout" | "refused" | "closed" };

/** Asks the world for one v2 request; answered by one `EtcdReplied` with the same id. */
export interface EtcdCall {
  readonly kind: "etcd-call";
  readonly id: number;
  readonly request: V2Request;
  /** The client gives up after this long on its own clock; a watch has none. */
  readonly timeout: Micros | null;
}

/** Gives up on a call; a reply that is on its way is dropped. */
export interface EtcdCancel {
  readonly kind: "etcd-cancel";
  readonly id: number;
}

export interface EtcdReplied {
  readonly kind: "etcd-reply";
  readonly id: number;
  readonly reply: EtcdReply;
}
