import { MILLISECOND, type Micros } from "../kernel/index.js";
import type { Revision } from "./client.js";
import { type Row, rowsSince } from "./mvcc.js";
import type { EtcdOut } from "./reply.js";
import type { Running } from "./state.js";
import {
  type Batch,
  createGroup,
  joinGroup,
  leaveGroup,
  place,
  type Watcher,
  type WatcherGroup,
  type WatchHub,
  watchersOf,
} from "./watch.js";
import { send, sendChanges, sendOut } from "./watch-stream.js";

/** The member's timer for watchers that are behind, and for progress. */
export const WATCH_TIMER = "etcd-watch";

const SYNC_INTERVAL: Micros = 100 * MILLISECOND;
/** When a round left less to do than it found, the next follows as soon as the round took. */
const SYNC_AGAIN: Micros = MILLISECOND;
const VICTIM_INTERVAL: Micros = 10 * MILLISECOND;
const WATCHERS_PER_SYNC = 512;
const REVISIONS_PER_BATCH = 1000;

/** Tells every watcher that has seen all before of the changes of one revision. */
export function notifyWatches(run: Running, rows: readonly Row[], out: EtcdOut): void {
  const { watches } = run;
  const [first] = rows;
  if (first === undefined || watches.synced.all.size === 0) return;
  const revision = first.main;
  for (const [number, batch] of batchesOf(watches, watches.synced, rows)) {
    const watcher = watches.watchers.get(number);
    if (watcher === undefined) continue;
    const sent = sendChanges(run, watcher, batch.rows, revision, out);
    if (!sent) {
      place(watches, watcher, "victim");
      watches.victims.set(number, batch);
    }
    // Where this is left out, a snapshot sets the watcher back to what it has already seen.
    if (!sent || !watches.profile.watchReplaysAfterRestore) watcher.minRevision = revision + 1;
  }
}

/** After the store was replaced by a snapshot every watcher has to look for what it missed. */
export function catchUpWatches(run: Running): void {
  const { watches } = run;
  for (const number of [...watches.synced.all]) {
    const watcher = watches.watchers.get(number);
    if (watcher !== undefined) place(watches, watcher, "unsynced");
  }
}

/** The changes of each watcher of a group, by its number, oldest watcher first. */
function batchesOf(
  hub: WatchHub,
  group: WatcherGroup,
  rows: readonly Row[],
): ReadonlyMap<number, Batch> {
  const batches = new Map<number, Batch>();
  for (const row of rows) {
    for (const number of watchersOf(group, row.key)) {
      const watcher = hub.watchers.get(number);
      if (watcher === undefined || row.main < watcher.minRevision) continue;
      const batch = batches.get(number);
      if (batch === undefined) batches.set(number, { rows: [row], revisions: 1, more: 0 });
      else addToBatch(batch, row);
    }
  }
  if (batches.size < 2) return batches;
  return new Map([...batches].sort(([left], [right]) => left - right));
}

/** The changes of one revision are never parted. */
function addToBatch(batch: Batch, row: Row): void {
  if (batch.more !== 0) return;
  const last = batch.rows[batch.rows.length - 1];
  if (last !== undefined && row.main > last.main) {
    if (batch.revisions === REVISIONS_PER_BATCH) {
      batch.more = row.main;
      return;
    }
    batch.revisions++;
  }
  batch.rows.push(row);
}

/** A round over watchers that are behind. Source: syncWatchers. */
function syncWatchers(run: Running, out: EtcdOut): void {
  const { watches } = run;
  const { profile, unsynced } = watches;
  const { revision, compactRevision } = run.stores.mvcc;
  const chosen = choose(watches);
  let oldest = Number.POSITIVE_INFINITY;
  for (const watcher of membersOf(watches, chosen)) {
    if (watcher.minRevision >= compactRevision) {
      oldest = Math.min(oldest, watcher.minRevision);
      continue;
    }
    const { watchId } = watcher;
    if (!send(run, watcher, { watchId, revision: 0, compactRevision, rows: [] }, out)) continue;
    // Of many unsynced watchers etcd forgets the compacted ones only in its choice of the round.
    if (chosen === unsynced) place(watches, watcher, "gone");
    else leaveGroup(chosen, watcher);
  }
  const batches = batchesOf(watches, chosen, historySince(run, oldest));
  for (const watcher of membersOf(watches, chosen)) {
    const isCompacted = watcher.minRevision < compactRevision;
    if (isCompacted && !profile.watchLosesEventsIfCompacted) continue;
    const start = profile.watchForgetsFutureStart ? 0 : watcher.minRevision;
    watcher.minRevision = Math.max(revision + 1, start);
    deliver(run, watcher, batches.get(watcher.number), revision, out);
  }
}

/** Sends a watcher what it missed; it has then seen all, unless there is more or no room. */
function deliver(
  run: Running,
  watcher: Watcher,
  batch: Batch | undefined,
  revision: Revision,
  out: EtcdOut,
): void {
  const { watches } = run;
  if (batch === undefined) {
    place(watches, watcher, "synced");
    return;
  }
  if (batch.more !== 0) watcher.minRevision = batch.more;
  if (!sendChanges(run, watcher, batch.rows, revision, out)) {
    place(watches, watcher, "victim");
    watches.victims.set(watcher.number, batch);
    return;
  }
  // Who has more to read goes behind those that were not chosen.
  place(watches, watcher, batch.more === 0 ? "synced" : "unsynced");
}

function membersOf(hub: WatchHub, group: WatcherGroup): Watcher[] {
  const members: Watcher[] = [];
  for (const number of group.all) {
    const watcher = hub.watchers.get(number);
    if (watcher !== undefined) members.push(watcher);
  }
  return members;
}

function choose(hub: WatchHub): WatcherGroup {
  const { unsynced } = hub;
  if (unsynced.all.size < WATCHERS_PER_SYNC) return unsynced;
  const chosen = createGroup();
  for (const watcher of membersOf(hub, unsynced).slice(0, WATCHERS_PER_SYNC)) {
    joinGroup(chosen, watcher);
  }
  return chosen;
}

/** A negative revision is, as etcd 3.4 writes it in bytes, beyond all others: nobody in the round sees anything. */
function historySince(run: Running, oldest: Revision): readonly Row[] {
  const { mvcc } = run.stores;
  return oldest < 0 || oldest > mvcc.revision ? [] : rowsSince(mvcc, oldest);
}

/** Tries again what did not fit into its stream. Source: moveVictims. */
function moveVictims(run: Running, out: EtcdOut): void {
  const { watches } = run;
  for (const [number, batch] of [...watches.victims]) {
    const watcher = watches.watchers.get(number);
    if (watcher === undefined) continue;
    if (!sendChanges(run, watcher, batch.rows, watcher.minRevision - 1, out)) continue;
    if (batch.more !== 0) watcher.minRevision = batch.more;
    const behind = watcher.minRevision <= run.stores.mvcc.revision;
    place(watches, watcher, behind ? "unsynced" : "synced");
  }
}

/** Gives everything its turn whose time has come. */
export function tendWatches(run: Running, now: Micros, out: EtcdOut): void {
  const { watches } = run;
  watches.timerAt = null;
  if (isDue(watches.victimsAt, now)) {
    watches.victimsAt = null;
    moveVictims(run, out);
  }
  if (isDue(watches.syncAt, now)) {
    const before = watches.unsynced.all.size;
    if (before > 0) syncWatchers(run, out);
    const after = watches.unsynced.all.size;
    watches.syncAt = after === 0 ? null : now + (after < before ? SYNC_AGAIN : SYNC_INTERVAL);
  }
  if (isDue(watches.progressAt, now)) turnProgress(run, now, out);
}

function isDue(at: Micros | null, now: Micros): boolean {
  return at !== null && at <= now;
}

function turnProgress(run: Running, now: Micros, out: EtcdOut): void {
  const { watches } = run;
  watches.progressAt = null;
  for (const stream of watches.streams.values()) {
    if (!tellsProgress(watches, stream.watches.values())) continue;
    if (stream.progressAt <= now) {
      stream.progressAt = nextTurn(stream.progressAt, stream.progressInterval, now);
      stream.progressDue = true;
      sendOut(run, stream, out);
    }
    watches.progressAt = earliest(watches.progressAt, stream.progressAt);
  }
}

function tellsProgress(hub: WatchHub, numbers: Iterable<number>): boolean {
  for (const number of numbers) {
    if (hub.watchers.get(number)?.progress != null) return true;
  }
  return false;
}

/** The first of the turns `start`, `start` + `interval`, … after `now`. */
export function nextTurn(start: Micros, interval: Micros, now: Micros): Micros {
  return start + (Math.floor((now - start) / interval) + 1) * interval;
}

/** Victims of a stream that is read again have their turn soon. */
export function planVictims(hub: WatchHub, now: Micros): void {
  if (hub.victims.size === 0 || hub.victimsAt !== null) return;
  hub.victimsAt = nextTurn(hub.startedAt, VICTIM_INTERVAL, now);
}

export function earliest(left: Micros | null, right: Micros | null): Micros | null {
  if (left === null || right === null) return left ?? right;
  return Math.min(left, right);
}

/** Sets the timer for the next turn of anything. A quiet member needs none. */
export function armWatches(run: Running, now: Micros, out: EtcdOut): void {
  const { watches } = run;
  if (watches.watchers.size === 0) return;
  if (watches.unsynced.all.size > 0) {
    watches.syncAt ??= nextTurn(watches.startedAt, SYNC_INTERVAL, now);
  }
  const due = earliest(watches.syncAt, earliest(watches.victimsAt, watches.progressAt));
  if (due === null || (watches.timerAt !== null && watches.timerAt <= due)) return;
  watches.timerAt = due;
  const delay = Math.max(due - now, 0);
  out.effects.push({ kind: "arm-timer", timer: WATCH_TIMER, delay });
}
