import type { Revision } from "./client.js";
import type { Row } from "./mvcc.js";
import { type EtcdOut, reply, v3Answer } from "./reply.js";
import type { Asker, Running } from "./state.js";
import { eventsFor, missedEvents, type WatchStream } from "./watch.js";
import type { Event, WatchMessage, WatchResponse } from "./watch-api.js";

/** Opens a stream of watches for a client. */
export function openStream(run: Running, asker: Asker): void {
  run.streams.set(asker.id, { asker, watches: new Map(), nextWatchId: 0 });
}

/** Ends a stream and all its watches; whether there was one. */
export function closeStream(run: Running, id: number): boolean {
  return run.streams.delete(id);
}

/** Takes in what a client says on its stream. */
export function hearWatcher(run: Running, id: number, message: WatchMessage, out: EtcdOut): void {
  const stream = run.streams.get(id);
  if (stream === undefined) return;
  switch (message.type) {
    case "create":
      createWatch(run, stream, message, out);
      return;
    case "cancel":
      if (stream.watches.delete(message.watchId)) {
        tell(run, stream, { watchId: message.watchId, canceled: true }, out);
      }
      return;
    case "progress":
      tell(run, stream, { watchId: -1 }, out);
  }
}

function createWatch(
  run: Running,
  stream: WatchStream,
  message: Extract<WatchMessage, { readonly type: "create" }>,
  out: EtcdOut,
): void {
  const { mvcc } = run.stores;
  const watchId = message.watchId || stream.nextWatchId++;
  const next = message.startRevision || mvcc.revision + 1;
  tell(run, stream, { watchId, created: true }, out);
  if (next < mvcc.compactRevision) {
    cancel(run, stream, watchId, mvcc.compactRevision, out);
    return;
  }
  const watch = { request: message, next };
  stream.watches.set(watchId, watch);
  tellEvents(run, stream, watchId, missedEvents(mvcc, watch), out);
}

function cancel(
  run: Running,
  stream: WatchStream,
  watchId: number,
  compactRevision: Revision,
  out: EtcdOut,
): void {
  stream.watches.delete(watchId);
  tell(run, stream, { watchId, canceled: true, compactRevision }, out);
}

/** Tells every watch of the changes of one revision that concern it. */
export function notifyWatches(run: Running, rows: readonly Row[], out: EtcdOut): void {
  const [first] = rows;
  if (first === undefined) return;
  for (const stream of run.streams.values()) {
    for (const [watchId, watch] of stream.watches) {
      if (watch.next > first.main) continue;
      const events = eventsFor(run.stores.mvcc, watch.request, watch.next, rows);
      watch.next = first.main + 1;
      tellEvents(run, stream, watchId, events, out);
    }
  }
}

/** Tells every watch what it missed when the store was replaced by a snapshot. */
export function catchUpWatches(run: Running, out: EtcdOut): void {
  const { mvcc } = run.stores;
  for (const stream of run.streams.values()) {
    for (const [watchId, watch] of stream.watches) {
      if (watch.next < mvcc.compactRevision) {
        cancel(run, stream, watchId, mvcc.compactRevision, out);
      } else {
        tellEvents(run, stream, watchId, missedEvents(mvcc, watch), out);
      }
    }
  }
}

function tellEvents(
  run: Running,
  stream: WatchStream,
  watchId: number,
  events: readonly Event[],
  out: EtcdOut,
): void {
  if (events.length > 0) tell(run, stream, { watchId, events }, out);
}

function tell(
  run: Running,
  stream: WatchStream,
  what: Pick<WatchResponse, "watchId"> & Partial<WatchResponse>,
  out: EtcdOut,
): void {
  const response: WatchResponse = {
    op: "watch-response",
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    ...what,
  };
  reply(stream.asker, v3Answer(run, response), false, out);
}
