import type { ResponseHeader } from "../../core/etcd/v3-api.js";
import type { Event, WatchMessage, WatchResponse } from "../../core/etcd/watch-api.js";
import {
  bytes,
  bytesAt,
  flagAt,
  headerMessage,
  intAt,
  listAt,
  messageAt,
  messagesAt,
  present,
  textAt,
  type Wire,
} from "./wire-fields.js";
import { keyValueMessage, readKeyValue } from "./wire-kv.js";

/** The stream of watches, `/etcdserverpb.Watch/Watch`. */
export const WATCH_PATH = "/etcdserverpb.Watch/Watch";

/** What a client says on a stream of watches, as a message. */
export function watchRequestMessage(message: WatchMessage): Wire {
  switch (message.type) {
    case "create":
      return {
        create_request: {
          key: bytes(message.key),
          ...(message.rangeEnd === undefined ? {} : { range_end: bytes(message.rangeEnd) }),
          start_revision: String(message.startRevision ?? 0),
          progress_notify: message.progressNotify === true,
          filters: [
            ...(message.noPut === true ? ["NOPUT"] : []),
            ...(message.noDelete === true ? ["NODELETE"] : []),
          ],
          prev_kv: message.prevKv === true,
          watch_id: String(message.watchId ?? 0),
          fragment: message.fragment === true,
        },
      };
    case "cancel":
      return { cancel_request: { watch_id: String(message.watchId) } };
    case "progress":
      return { progress_request: {} };
  }
}

/** What a client said; null for a message that says nothing, which etcd passes over. */
export function readWatchRequest(message: Wire): WatchMessage | null {
  const create = messageAt(message, "create_request");
  if (create !== null) {
    const filters = listAt(create, "filters");
    return {
      type: "create",
      key: bytesAt(create, "key"),
      ...present({
        rangeEnd: bytesAt(create, "range_end"),
        startRevision: intAt(create, "start_revision"),
        progressNotify: flagAt(create, "progress_notify"),
        prevKv: flagAt(create, "prev_kv"),
        noPut: filters.includes("NOPUT"),
        noDelete: filters.includes("NODELETE"),
        watchId: intAt(create, "watch_id"),
        fragment: flagAt(create, "fragment"),
      }),
    };
  }
  const cancel = messageAt(message, "cancel_request");
  if (cancel !== null) return { type: "cancel", watchId: intAt(cancel, "watch_id") };
  return messageAt(message, "progress_request") === null ? null : { type: "progress" };
}

/** A response to the client of a stream, as a message. */
export function watchResponseMessage(header: ResponseHeader, response: WatchResponse): Wire {
  return {
    header: headerMessage(header),
    watch_id: String(response.watchId),
    created: response.created,
    canceled: response.canceled,
    compact_revision: String(response.compactRevision),
    cancel_reason: response.cancelReason,
    fragment: response.fragment,
    events: response.events.map((event) => ({
      type: event.type.toUpperCase(),
      kv: keyValueMessage(event.kv),
      ...(event.prevKv === undefined ? {} : { prev_kv: keyValueMessage(event.prevKv) }),
    })),
  };
}

export function readWatchResponse(message: Wire): WatchResponse {
  return {
    op: "watch-response",
    watchId: intAt(message, "watch_id"),
    created: flagAt(message, "created"),
    canceled: flagAt(message, "canceled"),
    compactRevision: intAt(message, "compact_revision"),
    cancelReason: textAt(message, "cancel_reason"),
    fragment: flagAt(message, "fragment"),
    events: messagesAt(message, "events").map(readEvent),
  };
}

function readEvent(message: Wire): Event {
  const prevKv = messageAt(message, "prev_kv");
  return {
    type: textAt(message, "type") === "DELETE" ? "delete" : "put",
    kv: readKeyValue(messageAt(message, "kv") ?? {}),
    ...(prevKv === null ? {} : { prevKv: readKeyValue(prevKv) }),
  };
}
