import type { Revision } from "./client.js";
import type { KeyValue } from "./v3-api.js";

/**
 * Opens a stream of watches. What the client says on it comes as `client-message`s with the id of this
 * request; every `watch-response` is a reply to this id. The stream ends with `client-cancel`.
 */
export interface WatchStreamRequest {
  readonly op: "watch-stream";
}

/** What a client says on a stream of watches. */
export type WatchMessage =
  | {
      readonly type: "create";
      readonly key: string;
      readonly rangeEnd?: string;
      /** 0 or absent: from the next change on. */
      readonly startRevision?: Revision;
      /** Tells, now and then, how far a quiet watch has come. */
      readonly progressNotify?: boolean;
      readonly prevKv?: boolean;
      readonly noPut?: boolean;
      readonly noDelete?: boolean;
      /** 0 or absent: the member chooses. Unique on the stream. */
      readonly watchId?: number;
      /** Whether a response that is too large may come in parts. */
      readonly fragment?: boolean;
    }
  | { readonly type: "cancel"; readonly watchId: number }
  /** Asks how far all watches of the stream have come. */
  | { readonly type: "progress" };

export interface Event {
  readonly type: "put" | "delete";
  /** Of a deletion only key and modRevision. */
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue;
}

/** One message to the client. One without events that is neither `created` nor `canceled` tells progress. */
export interface WatchResponse {
  readonly op: "watch-response";
  /** -1 where it concerns no watch, or all. */
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not 0 if the start revision was compacted. */
  readonly compactRevision: Revision;
  readonly cancelReason: string;
  /** More parts of the same response follow. */
  readonly fragment: boolean;
  readonly events: readonly Event[];
}
