import type { Sink } from "../kernel/index.js";
import type { Revision, V2Response } from "./client.js";
import type { V2Event } from "./v2-history.js";
import { isHiddenFrom } from "./v2-path.js";

/** A client that waits for a change. */
export interface V2Watcher {
  /** Chosen by whoever asked; comes back with the event. */
  readonly id: number;
  readonly recursive: boolean;
  /** Stays after an event. */
  readonly stream: boolean;
  readonly sinceIndex: Revision;
  /** The store's index when the watch began: X-Etcd-Index of its answers. */
  readonly startIndex: Revision;
}

/** Who watches what. Watchers belong to the running member, not to what it stores. */
export interface V2Watchers {
  byKey: Map<string, V2Watcher[]>;
  /** The watched key of every watcher. */
  keys: Map<number, string>;
}

/** An event for a watcher. */
export interface V2Notice {
  readonly id: number;
  readonly response: V2Response;
  /** Whether the watcher is done. */
  readonly last: boolean;
}

export function createWatchers(): V2Watchers {
  return { byKey: new Map(), keys: new Map() };
}

export function addWatcher(watchers: V2Watchers, key: string, watcher: V2Watcher): void {
  const waiting = watchers.byKey.get(key);
  if (waiting === undefined) watchers.byKey.set(key, [watcher]);
  else waiting.push(watcher);
  watchers.keys.set(watcher.id, key);
}

/** Takes a watcher back; false if there is none of that id. */
export function removeWatcher(watchers: V2Watchers, id: number): boolean {
  const key = watchers.keys.get(id);
  if (key === undefined) return false;
  watchers.keys.delete(id);
  const rest = (watchers.byKey.get(key) ?? []).filter((watcher) => watcher.id !== id);
  if (rest.length === 0) watchers.byKey.delete(key);
  else watchers.byKey.set(key, rest);
  return true;
}

/** Tells the watchers of the changed key and of every directory above it. */
export function notifyAll(watchers: V2Watchers, event: V2Event, notices: Sink<V2Notice>): void {
  if (watchers.byKey.size === 0) return;
  const { key } = event.node;
  notifyAt(watchers, "/", event, false, notices);
  for (let end = key.indexOf("/", 1); end > 0; end = key.indexOf("/", end + 1)) {
    notifyAt(watchers, key.slice(0, end), event, false, notices);
  }
  notifyAt(watchers, key, event, false, notices);
}

/**
 * Tells the watchers of one key. `removed` says that the key itself is gone, which also concerns
 * watchers of keys below the changed one.
 */
export function notifyAt(
  watchers: V2Watchers,
  key: string,
  event: V2Event,
  removed: boolean,
  notices: Sink<V2Notice>,
): void {
  const waiting = watchers.byKey.get(key);
  if (waiting === undefined) return;
  const itself = event.node.key === key;
  if (!itself && isHiddenFrom(key, event.node.key)) return;
  const rest: V2Watcher[] = [];
  for (const watcher of waiting) {
    const wants = watcher.recursive || itself || removed;
    const told = wants && event.node.modifiedIndex >= watcher.sinceIndex;
    if (told) {
      const last = !watcher.stream;
      notices.push({ id: watcher.id, response: eventResponse(event, watcher.startIndex), last });
    }
    if (!told || watcher.stream) rest.push(watcher);
    else watchers.keys.delete(watcher.id);
  }
  if (rest.length === 0) watchers.byKey.delete(key);
  else if (rest.length < waiting.length) watchers.byKey.set(key, rest);
}

/** The answer of a watch: always 200, whatever the action. */
export function eventResponse(event: V2Event, etcdIndex: Revision): V2Response {
  const { action, node, prevNode } = event;
  return prevNode === null
    ? { ok: true, status: 200, action, node, etcdIndex }
    : { ok: true, status: 200, action, node, prevNode, etcdIndex };
}
