import type { Revision, V3Response, WatchMessage, WatchResponse } from "../etcd/index.js";
import type { StoreRequest } from "./request.js";

/** How a client asks to be told of changes. */
export type WatchRequest = Omit<
  Extract<WatchMessage, { readonly type: "create" }>,
  "type" | "watchId" | "fragment" | "progressNotify"
>;

/** What a client was told on a watch, with the revision of the header. */
export interface WatchTold
  extends Pick<WatchResponse, "created" | "canceled" | "compactRevision" | "fragment" | "events"> {
  readonly revision: Revision;
}

/** Why nobody knows what became of a request. */
export type Unknown = "timeout" | "connection closed" | "connection refused" | "unavailable";

/**
 * What clients of etcd do and see: all that a history is made of. `client` is an identity: it has one
 * request under way at a time, and whoever does not learn what became of a request goes on under
 * another one. `call` and `watch` are numbers of the machine, unique among those of one name.
 */
export type WorkloadFact =
  | {
      readonly kind: "client.invoked";
      readonly client: string;
      readonly call: number;
      readonly member: string;
      readonly request: StoreRequest;
    }
  | {
      readonly kind: "client.returned";
      readonly client: string;
      readonly call: number;
      readonly response: V3Response;
    }
  /** No answer, or one that leaves open whether the request takes effect. */
  | {
      readonly kind: "client.unknown";
      readonly client: string;
      readonly call: number;
      readonly why: Unknown;
      /** etcd's text, "" without an answer. */
      readonly message: string;
    }
  | {
      readonly kind: "client.watching";
      readonly client: string;
      readonly watch: number;
      readonly member: string;
      readonly request: WatchRequest;
    }
  | {
      readonly kind: "client.watch-told";
      readonly client: string;
      readonly watch: number;
      readonly told: WatchTold;
    }
  | {
      readonly kind: "client.watch-ended";
      readonly client: string;
      readonly watch: number;
      readonly why: Unknown | "canceled" | "left";
    };

const KINDS: ReadonlySet<string> = new Set<WorkloadFact["kind"]>([
  "client.invoked",
  "client.returned",
  "client.unknown",
  "client.watching",
  "client.watch-told",
  "client.watch-ended",
]);

/** Whether a fact of that kind belongs to a history of clients. */
export function isWorkloadFact(kind: string): boolean {
  return KINDS.has(kind);
}
