import { nextBelow } from "../kernel/index.js";
import type { Revision } from "./client.js";
import { type Mvcc, type Row, valueAt } from "./mvcc.js";
import { type EtcdOut, headerOf, reply } from "./reply.js";
import type { Running } from "./state.js";
import type { KeyValue } from "./v3-api.js";
import {
  CHANNEL_SIZE,
  type Watcher,
  type WatchNotice,
  type WatchReply,
  type WatchStream,
} from "./watch.js";
import type { Event, WatchResponse } from "./watch-api.js";
import { fragments } from "./watch-fragments.js";

/** Answers to the client that wait before the member reads no more of what the client says. */
const CONTROL_SIZE = 16;

/** The watch id of what concerns no watch, or all. */
export const NO_WATCH = -1;

/**
 * Puts changes into the stream of a watcher, those left out that it does not want; false if there is no room.
 * Nothing left is nothing to say. Source: watcher.send.
 */
export function sendChanges(
  run: Running,
  watcher: Watcher,
  rows: readonly Row[],
  revision: Revision,
  out: EtcdOut,
): boolean {
  const wanted =
    watcher.noPut || watcher.noDelete
      ? rows.filter((row) => !(row.kv === null ? watcher.noDelete : watcher.noPut))
      : rows;
  if (wanted.length === 0) return true;
  const { watchId } = watcher;
  return send(run, watcher, { watchId, revision, compactRevision: 0, rows: wanted }, out);
}

/** Puts anything into the stream of a watcher; false if there is no room. */
export function send(run: Running, watcher: Watcher, notice: WatchNotice, out: EtcdOut): boolean {
  const stream = run.watches.streams.get(watcher.stream);
  if (stream === undefined) return true;
  if (stream.channel.length >= CHANNEL_SIZE) return false;
  stream.channel.push(notice);
  sendOut(run, stream, out);
  return true;
}

/** Answers what the client said: behind what was answered before, but in no fixed order to changes. */
export function answer(
  run: Running,
  stream: WatchStream,
  result: Pick<WatchResponse, "watchId"> & Partial<WatchResponse>,
  out: EtcdOut,
): void {
  stream.control.push(replyWith(run, result, run.stores.mvcc.revision));
  sendOut(run, stream, out);
}

/** Whether the member reads on what the client says. */
export function readsOn(stream: WatchStream): boolean {
  return stream.control.length <= CONTROL_SIZE;
}

/** Sends until there is no more to send or the client does not read. Source: sendLoop. */
export function sendOut(run: Running, stream: WatchStream, out: EtcdOut): void {
  for (;;) {
    if (stream.blocked && stream.sending.length > 0) return;
    for (const message of stream.sending) reply(stream.asker, message, false, out);
    if (stream.sending.length > 0) stream.sending = [];
    const source = nextSource(run, stream);
    if (source === null) return;
    if (source === "channel") takeNotice(run, stream);
    else if (source === "control") takeControl(stream);
    else tellProgress(run, stream);
  }
}

type Source = "channel" | "control" | "progress";

/** Where several things wait, Go's select takes any of them. */
function nextSource(run: Running, stream: WatchStream): Source | null {
  const channel = stream.channel.length > 0;
  const control = stream.control.length > 0;
  if (!stream.progressDue) {
    if (!channel) return control ? "control" : null;
    if (!control) return "channel";
  }
  const sources: Source[] = [];
  if (channel) sources.push("channel");
  if (control) sources.push("control");
  if (stream.progressDue) sources.push("progress");
  if (sources.length === 1) return sources[0] ?? null;
  return sources[nextBelow(run.watches.generator, sources.length)] ?? null;
}

function takeNotice(run: Running, stream: WatchStream): void {
  const notice = stream.channel.shift();
  if (notice === undefined) return;
  const { watchId, revision, compactRevision, rows } = notice;
  const watcher = run.watches.watchers.get(stream.watches.get(watchId) ?? 0);
  const events = rows.map((row) => eventOf(run.stores.mvcc, row, watcher?.prevKv === true));
  const canceled = compactRevision !== 0;
  const message = replyWith(run, { watchId, canceled, compactRevision, events }, revision);
  if (watchId !== NO_WATCH && !stream.announced.has(watchId)) {
    const early = stream.early.get(watchId);
    if (early === undefined) stream.early.set(watchId, [message]);
    else early.push(message);
    return;
  }
  stream.sending =
    watcher?.fragment === true ? fragments(message, run.watches.fragmentBytes) : [message];
  // A watch that was just told of changes is not told of progress in the next turn.
  if (events.length > 0 && watcher?.progress === true) watcher.progress = false;
}

function takeControl(stream: WatchStream): void {
  const message = stream.control.shift();
  if (message === undefined) return;
  stream.sending = [message];
  const { watchId, created, canceled } = message.result;
  if (canceled && watchId !== NO_WATCH) {
    stream.announced.delete(watchId);
    return;
  }
  if (!created) return;
  stream.announced.add(watchId);
  const early = stream.early.get(watchId);
  if (early === undefined) return;
  stream.early.delete(watchId);
  stream.sending.push(...early);
}

/** The turn of every watch that asked to be told of progress, unless it was told of changes since the last. */
function tellProgress(run: Running, stream: WatchStream): void {
  stream.progressDue = false;
  for (const number of stream.watches.values()) {
    const watcher = run.watches.watchers.get(number);
    if (watcher === undefined || watcher.progress === null) continue;
    if (watcher.progress) noteProgress(run, stream, [watcher], watcher.watchId);
    watcher.progress = true;
  }
}

/**
 * Puts word of progress into the stream if all of the given watchers have seen everything; a full channel
 * drops it. Source: progressIfSync.
 */
export function noteProgress(
  run: Running,
  stream: WatchStream,
  watchers: readonly Watcher[],
  watchId: number,
): void {
  const { revision } = run.stores.mvcc;
  const { watchForgetsFutureStart } = run.watches.profile;
  if (watchers.length === 0 || stream.channel.length >= CHANNEL_SIZE) return;
  for (const watcher of watchers) {
    if (watcher.place !== "synced") return;
    if (!watchForgetsFutureStart && revision < watcher.startRevision) return;
  }
  stream.channel.push({ watchId, revision, compactRevision: 0, rows: [] });
}

function replyWith(
  run: Running,
  what: Pick<WatchResponse, "watchId"> & Partial<WatchResponse>,
  revision: Revision,
): WatchReply {
  const result: WatchResponse = {
    op: "watch-response",
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    ...what,
  };
  return { ok: true, header: { ...headerOf(run), revision }, result };
}

function eventOf(store: Mvcc, row: Row, wantsPrev: boolean): Event {
  const { key, main, kv } = row;
  const event: Event =
    kv === null ? { type: "delete", kv: tombstone(key, main) } : { type: "put", kv };
  if (!wantsPrev || (kv !== null && kv.createRevision === main)) return event;
  // Looked up when the response goes out: by then the compaction may have taken it.
  const prevKv = main - 1 < store.compactRevision ? null : valueAt(store, key, main - 1);
  return prevKv === null ? event : { ...event, prevKv };
}

function tombstone(key: string, modRevision: Revision): KeyValue {
  return { key, createRevision: 0, modRevision, version: 0, value: "", lease: "" };
}
