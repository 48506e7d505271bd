import type { Revision } from "./client.js";
import { inRange, type Mvcc, type Row, rowsSince, valueAt } from "./mvcc.js";
import type { Asker } from "./state.js";
import type { Event, WatchMessage } from "./watch-api.js";

/** One watch of a stream. */
export interface Watch {
  readonly request: Extract<WatchMessage, { readonly type: "create" }>;
  /** The next revision the client has not seen. */
  next: Revision;
}

/** A client's stream of watches, by their ids; it belongs to the running member. */
export interface WatchStream {
  readonly asker: Asker;
  watches: Map<number, Watch>;
  nextWatchId: number;
}

/** Streams by the id of the request that opened them. */
export type WatchStreams = Map<number, WatchStream>;

/** The events of `rows` a watch is to see from revision `next` on, in order. */
export function eventsFor(
  store: Mvcc,
  request: Watch["request"],
  next: Revision,
  rows: readonly Row[],
): Event[] {
  const events: Event[] = [];
  for (const row of rows) {
    if (row.main < next || !inRange(row.key, request.key, request.rangeEnd ?? "")) continue;
    if (row.kv === null ? request.noDelete === true : request.noPut === true) continue;
    events.push(eventOf(store, request, row));
  }
  return events;
}

function eventOf(store: Mvcc, request: Watch["request"], row: Row): Event {
  const { key, main } = row;
  const gone = { key, createRevision: 0, modRevision: main, version: 0, value: "", lease: "" };
  const event: Event = row.kv === null ? { type: "delete", kv: gone } : { type: "put", kv: row.kv };
  if (request.prevKv !== true) return event;
  const prevKv = valueAt(store, key, main - 1);
  return prevKv === null ? event : { ...event, prevKv };
}

/** The events since a watch was last told, which it has seen from then on. */
export function missedEvents(store: Mvcc, watch: Watch): Event[] {
  const { request, next } = watch;
  const events = eventsFor(store, request, next, rowsSince(store, next));
  watch.next = Math.max(next, store.revision + 1);
  return events;
}
