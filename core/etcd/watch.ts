import type { Revision } from "./client.js";
import { inRange, type Mvcc, type Row, rowsSince, valueAt } from "./mvcc.js";
import type { Event, WatchRequest } from "./v3-api.js";

/** A client that watches the v3 key space. */
export interface Watcher {
  readonly request: WatchRequest;
  /** The next revision the client has not seen. */
  next: Revision;
}

/** Watchers by the id of their request; they belong to the running member. */
export type Watchers = Map<number, Watcher>;

/** What a new watcher is told at once: that its start is compacted, or the changes it has missed. */
export type WatchStart =
  | { readonly compacted: Revision }
  | { readonly compacted: null; readonly events: readonly Event[] };

/** Adds a watcher. One whose start was compacted is not added. */
export function startWatch(
  watchers: Watchers,
  store: Mvcc,
  id: number,
  request: WatchRequest,
): WatchStart {
  const asked = request.startRevision ?? 0;
  const next = asked === 0 ? store.revision + 1 : asked;
  if (next < store.compactRevision) return { compacted: store.compactRevision };
  const events = eventsFor(store, request, next, rowsSince(store, next));
  watchers.set(id, { request, next: Math.max(next, store.revision + 1) });
  return { compacted: null, events };
}

/** The events of `rows` a watcher is to see from revision `next` on, in order. */
export function eventsFor(
  store: Mvcc,
  request: WatchRequest,
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

function eventOf(store: Mvcc, request: WatchRequest, row: Row): Event {
  const { key, main } = row;
  const gone = { key, createRevision: 0, modRevision: main, version: 0, value: "", lease: 0 };
  const event: Event = row.kv === null ? { type: "delete", kv: gone } : { type: "put", kv: row.kv };
  if (request.prevKv !== true) return event;
  const prevKv = valueAt(store, key, main - 1);
  return prevKv === null ? event : { ...event, prevKv };
}

/** Tells every watcher of the changes of one revision that concern it. */
export function notifyWatchers(
  watchers: Watchers,
  store: Mvcc,
  rows: readonly Row[],
  tell: (id: number, events: readonly Event[]) => void,
): void {
  const first = rows[0];
  if (watchers.size === 0 || first === undefined) return;
  for (const [id, watcher] of watchers) {
    if (watcher.next > first.main) continue;
    const events = eventsFor(store, watcher.request, watcher.next, rows);
    watcher.next = first.main + 1;
    if (events.length > 0) tell(id, events);
  }
}

/** Tells every watcher what it missed when the store was replaced by a snapshot. */
export function catchUpWatchers(
  watchers: Watchers,
  store: Mvcc,
  tell: (id: number, events: readonly Event[]) => void,
  cancel: (id: number, compacted: Revision) => void,
): void {
  for (const [id, watcher] of watchers) {
    if (watcher.next < store.compactRevision) {
      watchers.delete(id);
      cancel(id, store.compactRevision);
      continue;
    }
    const events = eventsFor(store, watcher.request, watcher.next, rowsSince(store, watcher.next));
    watcher.next = Math.max(watcher.next, store.revision + 1);
    if (events.length > 0) tell(id, events);
  }
}
