import type { Generator, Micros } from "../kernel/index.js";
import type { Revision } from "./client.js";
import type { Row } from "./mvcc.js";
import type { EtcdProfile } from "./profile.js";
import type { Asker } from "./state.js";
import type { ResponseHeader } from "./v3-api.js";
import type { WatchMessage, WatchResponse } from "./watch-api.js";
import { addRange, type RangeTree, removeRange, stab } from "./watch-ranges.js";

/** One watch. Source of this and of what follows: etcd's mvcc/watchable_store.go and v3rpc/watch.go. */
export interface Watcher {
  /** Unique while the process runs, in the order of creation. */
  readonly number: number;
  /** Id of the request that opened its stream. */
  readonly stream: number;
  readonly watchId: number;
  readonly key: string;
  /** "": the key alone. null: everything from the key on. */
  readonly end: string | null;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  /** As asked for; 0 for the next change. */
  readonly startRevision: Revision;
  /** The first revision it is yet to see. */
  minRevision: Revision;
  /**
   * Synced watchers have seen all there is and hear of a change at once; unsynced ones read history; a victim's
   * batch did not fit into its stream; one that asked for compacted history is gone, though its id is still taken.
   */
  place: "synced" | "unsynced" | "victim" | "gone";
  /** Whether its next turn tells progress; null for one that did not ask for that. */
  progress: boolean | null;
}

/** Changes on their way to one watcher. */
export interface Batch {
  rows: Row[];
  /** Number of different revisions in it. */
  revisions: number;
  /** The first revision that did not fit; 0 if all did. */
  more: Revision;
}

/** What waits in a stream's channel: changes, word of a compaction, or (with neither) of progress. */
export interface WatchNotice {
  readonly watchId: number;
  /** Of the header. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  readonly rows: readonly Row[];
}

/** One message to a client of a stream, as it goes out. */
export interface WatchReply {
  readonly ok: true;
  readonly header: ResponseHeader;
  readonly result: WatchResponse;
}

/** A client's stream of watches. */
export interface WatchStream {
  readonly asker: Asker;
  /** Time between two turns of telling progress. */
  readonly progressInterval: Micros;
  /** The next such turn. */
  progressAt: Micros;
  /** A turn came while the client did not read. */
  progressDue: boolean;
  /** Watcher numbers by watch id. */
  watches: Map<number, number>;
  nextWatchId: number;
  /** What watchers have put in: at most `CHANNEL_SIZE`. */
  channel: WatchNotice[];
  /** Answers to what the client said. */
  control: WatchReply[];
  /** What the client said and the member has not read yet, since `control` is full. */
  unread: WatchMessage[];
  /** Watch ids the client was told of; what comes earlier is held in `early`. */
  announced: Set<number>;
  early: Map<number, WatchReply[]>;
  /** On the way out; not empty only while the client does not read. */
  sending: WatchReply[];
  blocked: boolean;
}

/** Watchers by what they watch. */
export interface WatcherGroup {
  all: Set<number>;
  points: Map<string, Set<number>>;
  ranges: RangeTree;
}

/** All watching of one running member. */
export interface WatchHub {
  readonly profile: EtcdProfile;
  readonly startedAt: Micros;
  /** --experimental-watch-progress-notify-interval. */
  readonly progressInterval: Micros;
  /** A response of at least so many bytes is split, where the client allows it. */
  readonly fragmentBytes: number;
  /** For what etcd leaves to chance: jitter, and which of two channels is read first. */
  generator: Generator;
  streams: Map<number, WatchStream>;
  watchers: Map<number, Watcher>;
  nextNumber: number;
  synced: WatcherGroup;
  unsynced: WatcherGroup;
  victims: Map<number, Batch>;
  /** When unsynced watchers, victims and progress have their next turn; null for not at all. */
  syncAt: Micros | null;
  victimsAt: Micros | null;
  progressAt: Micros | null;
  /** When the timer fires. */
  timerAt: Micros | null;
}

/** Responses that wait in one stream before its watchers become victims. */
export const CHANNEL_SIZE = 128;

export function createWatchHub(
  settings: Pick<WatchHub, "profile" | "startedAt" | "progressInterval" | "fragmentBytes">,
  generator: Generator,
): WatchHub {
  return {
    ...settings,
    generator,
    streams: new Map(),
    watchers: new Map(),
    nextNumber: 1,
    synced: createGroup(),
    unsynced: createGroup(),
    victims: new Map(),
    syncAt: null,
    victimsAt: null,
    progressAt: null,
    timerAt: null,
  };
}

export function createGroup(): WatcherGroup {
  return { all: new Set(), points: new Map(), ranges: null };
}

export function joinGroup(group: WatcherGroup, watcher: Watcher): void {
  const { number, key, end } = watcher;
  group.all.add(number);
  if (end !== "") {
    group.ranges = addRange(group.ranges, key, end, number);
    return;
  }
  const numbers = group.points.get(key);
  if (numbers === undefined) group.points.set(key, new Set([number]));
  else numbers.add(number);
}

export function leaveGroup(group: WatcherGroup, watcher: Watcher): void {
  const { number, key, end } = watcher;
  if (!group.all.delete(number)) return;
  if (end !== "") {
    group.ranges = removeRange(group.ranges, key, end, number);
    return;
  }
  const numbers = group.points.get(key);
  numbers?.delete(number);
  if (numbers?.size === 0) group.points.delete(key);
}

/** Numbers of the watchers of a key, in no particular order. */
export function watchersOf(group: WatcherGroup, key: string): number[] {
  const found: number[] = [];
  const numbers = group.points.get(key);
  if (numbers !== undefined) for (const number of numbers) found.push(number);
  stab(group.ranges, key, found);
  return found;
}

/** Puts a watcher where it belongs now. */
export function place(hub: WatchHub, watcher: Watcher, where: Watcher["place"]): void {
  if (watcher.place === "synced") leaveGroup(hub.synced, watcher);
  if (watcher.place === "unsynced") leaveGroup(hub.unsynced, watcher);
  if (watcher.place === "victim") hub.victims.delete(watcher.number);
  watcher.place = where;
  if (where === "synced") joinGroup(hub.synced, watcher);
  if (where === "unsynced") joinGroup(hub.unsynced, watcher);
}
