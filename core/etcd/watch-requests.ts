import { type Micros, nextBelow } from "../kernel/index.js";
import { watchRefusal } from "./auth-check.js";
import { type EtcdOut, reply } from "./reply.js";
import type { Asker, Running } from "./state.js";
import { v3Failure } from "./v3-api.js";
import { place, type Watcher, type WatchStream } from "./watch.js";
import type { WatchMessage } from "./watch-api.js";
import { answer, NO_WATCH, noteProgress, readsOn, sendOut } from "./watch-stream.js";
import { earliest, nextTurn, planVictims } from "./watch-sync.js";

type CreateMessage = Extract<WatchMessage, { readonly type: "create" }>;

/** What clients that require a leader hear of a member that has none. */
export const NO_LEADER = v3Failure("Unavailable", "etcdserver: no leader");

/** etcd's reasons for not creating a watch. */
const REFUSAL = {
  emptyRange: "mvcc: watcher range is empty",
  duplicateId: "mvcc: duplicate watch ID provided on the WatchStream",
  compacted: "etcdserver: mvcc: required revision has been compacted",
} as const;

/** Opens a stream of watches for a client. */
export function openStream(run: Running, asker: Asker, now: Micros): void {
  const { watches } = run;
  const { progressInterval: interval, generator } = watches;
  const jitter = nextBelow(generator, Math.min(Math.floor(interval / 10), 2 ** 32));
  const progressInterval = interval + jitter;
  watches.streams.set(asker.id, {
    asker,
    progressInterval,
    progressAt: now + progressInterval,
    progressDue: false,
    watches: new Map(),
    nextWatchId: 0,
    channel: [],
    control: [],
    unread: [],
    announced: new Set(),
    early: new Map(),
    sending: [],
    blocked: false,
  });
}

/** Ends a stream and all its watches; whether there was one. */
export function closeStream(run: Running, id: number): boolean {
  const { watches } = run;
  const stream = watches.streams.get(id);
  if (stream === undefined) return false;
  for (const number of stream.watches.values()) dropWatcher(run, number);
  return watches.streams.delete(id);
}

function dropWatcher(run: Running, number: number): void {
  const { watches } = run;
  const watcher = watches.watchers.get(number);
  if (watcher === undefined) return;
  place(watches, watcher, "gone");
  watches.watchers.delete(number);
}

/** Ends the streams of clients that require a leader. */
export function endLeaderlessStreams(run: Running, out: EtcdOut): void {
  for (const [id, { asker }] of run.watches.streams) {
    if (asker.requireLeader !== true) continue;
    closeStream(run, id);
    reply(asker, NO_LEADER, true, out);
  }
}

/** Takes note of whether a client reads its stream. */
export function hearFlow(
  run: Running,
  id: number,
  blocked: boolean,
  now: Micros,
  out: EtcdOut,
): void {
  const stream = run.watches.streams.get(id);
  if (stream === undefined || stream.blocked === blocked) return;
  stream.blocked = blocked;
  if (blocked) return;
  sendOut(run, stream, out);
  readOn(run, stream, now, out);
  planVictims(run.watches, now);
}

/** Takes in what a client says on its stream. */
export function hearWatcher(
  run: Running,
  id: number,
  message: WatchMessage,
  now: Micros,
  out: EtcdOut,
): void {
  const stream = run.watches.streams.get(id);
  if (stream === undefined) return;
  stream.unread.push(message);
  readOn(run, stream, now, out);
}

function readOn(run: Running, stream: WatchStream, now: Micros, out: EtcdOut): void {
  while (readsOn(stream)) {
    const message = stream.unread.shift();
    if (message === undefined) return;
    hear(run, stream, message, now, out);
  }
}

function hear(
  run: Running,
  stream: WatchStream,
  message: WatchMessage,
  now: Micros,
  out: EtcdOut,
): void {
  switch (message.type) {
    case "create":
      createWatch(run, stream, message, now, out);
      return;
    case "cancel": {
      const number = stream.watches.get(message.watchId);
      // etcd says nothing of a watch that it does not know.
      if (number === undefined) return;
      stream.watches.delete(message.watchId);
      dropWatcher(run, number);
      answer(run, stream, { watchId: message.watchId, canceled: true }, out);
      return;
    }
    case "progress":
      tellAllProgress(run, stream, out);
  }
}

function tellAllProgress(run: Running, stream: WatchStream, out: EtcdOut): void {
  const { profile, watchers } = run.watches;
  if (profile.watchProgressOvertakes) {
    answer(run, stream, { watchId: NO_WATCH }, out);
    return;
  }
  const all: Watcher[] = [];
  for (const number of stream.watches.values()) {
    const watcher = watchers.get(number);
    if (watcher !== undefined) all.push(watcher);
  }
  noteProgress(run, stream, all, NO_WATCH);
  sendOut(run, stream, out);
}

function createWatch(
  run: Running,
  stream: WatchStream,
  message: CreateMessage,
  now: Micros,
  out: EtcdOut,
): void {
  const refusal = refusalOf(run, stream, message, now);
  if (refusal !== null) {
    const refused = { watchId: NO_WATCH, created: true, canceled: true, cancelReason: refusal };
    answer(run, stream, refused, out);
    return;
  }
  const { watches } = run;
  const watcher = newWatcher(run, stream, message);
  watches.watchers.set(watcher.number, watcher);
  stream.watches.set(watcher.watchId, watcher.number);
  const { revision } = run.stores.mvcc;
  const { startRevision } = watcher;
  if (startRevision === 0 || startRevision > revision) {
    watcher.minRevision = Math.max(revision + 1, startRevision);
    place(watches, watcher, "synced");
  } else {
    place(watches, watcher, "unsynced");
  }
  if (watcher.progress === true) {
    const { progressAt, progressInterval } = stream;
    if (progressAt <= now) stream.progressAt = nextTurn(progressAt, progressInterval, now);
    watches.progressAt = earliest(watches.progressAt, stream.progressAt);
  }
  answer(run, stream, { watchId: watcher.watchId, created: true }, out);
}

function refusalOf(
  run: Running,
  stream: WatchStream,
  message: CreateMessage,
  now: Micros,
): string | null {
  const { startRevision = 0, rangeEnd = "", watchId = 0 } = message;
  const { profile } = run.watches;
  if (startRevision < 0 && !profile.watchTakesNegativeRevision) return REFUSAL.compacted;
  const key = firstKey(message);
  const forbidden = watchRefusal(run, profile, stream.asker, { key, rangeEnd }, now);
  if (forbidden !== null) return forbidden;
  if (rangeEnd !== "" && rangeEnd !== "\0" && key >= rangeEnd) return REFUSAL.emptyRange;
  return watchId !== 0 && stream.watches.has(watchId) ? REFUSAL.duplicateId : null;
}

/** No key is the smallest key. */
function firstKey(message: CreateMessage): string {
  return message.key === "" ? "\0" : message.key;
}

function newWatcher(run: Running, stream: WatchStream, message: CreateMessage): Watcher {
  const { rangeEnd = "", startRevision = 0 } = message;
  return {
    number: run.watches.nextNumber++,
    stream: stream.asker.id,
    watchId: message.watchId || freeWatchId(stream),
    key: firstKey(message),
    end: rangeEnd === "\0" ? null : rangeEnd,
    noPut: message.noPut === true,
    noDelete: message.noDelete === true,
    prevKv: message.prevKv === true,
    fragment: message.fragment === true,
    startRevision,
    minRevision: startRevision,
    place: "gone",
    progress: message.progressNotify === true ? true : null,
  };
}

function freeWatchId(stream: WatchStream): number {
  while (stream.watches.has(stream.nextWatchId)) stream.nextWatchId++;
  return stream.nextWatchId++;
}
