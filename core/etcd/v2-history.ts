import type { Revision, V2Action, V2Node } from "./client.js";
import { type V2Failure, v2Failure } from "./v2-error.js";
import { isBelow } from "./v2-path.js";

/** How many events a member remembers for watchers that come late. */
export const V2_HISTORY_CAPACITY = 1000;

/** One change of the store. Its index is `node.modifiedIndex`. */
export interface V2Event {
  readonly action: V2Action;
  readonly node: V2Node;
  readonly prevNode: V2Node | null;
  /** A change of the time to live only: remembered, but shown to no watcher. */
  readonly refresh: boolean;
}

/**
 * The last events, the one of index `i` at place `(i - 1) mod 1000`. Every index is one event; null stands
 * for one outside the keys (membership), which no watcher can see.
 */
export type V2History = (V2Event | null)[];

/** Remembers the event of `index`, which must follow the last one. */
export function remember(history: V2History, index: Revision, event: V2Event | null): void {
  history[(index - 1) % V2_HISTORY_CAPACITY] = event;
}

/** Index of the oldest event still remembered. */
export function oldestIndex(lastIndex: Revision): Revision {
  return Math.max(lastIndex - V2_HISTORY_CAPACITY + 1, Math.min(lastIndex, 1));
}

/**
 * The first event since `index` that a watcher of `key` would want, or null; error 401 if events
 * since then were forgotten. Unlike a live watch it also finds hidden keys, and it takes the
 * deletion of a directory for any key that merely begins with the same letters; both as etcd.
 */
export function scanHistory(
  history: V2History,
  lastIndex: Revision,
  key: string,
  recursive: boolean,
  index: Revision,
): V2Event | V2Failure | null {
  const oldest = oldestIndex(lastIndex);
  if (index < oldest) {
    return v2Failure(401, `the requested history has been cleared [${oldest}/${index}]`, lastIndex);
  }
  for (let i = index; i <= lastIndex; i++) {
    const event = history[(i - 1) % V2_HISTORY_CAPACITY] ?? null;
    if (event !== null && !event.refresh && concerns(event, key, recursive)) return event;
  }
  return null;
}

function concerns(event: V2Event, key: string, recursive: boolean): boolean {
  const changed = event.node.key;
  if (changed === key) return true;
  if (recursive && isBelow(key, changed)) return true;
  const removes = event.action === "delete" || event.action === "expire";
  return removes && event.prevNode?.dir === true && key.startsWith(event.prevNode.key);
}
