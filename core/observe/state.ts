import type { Revision } from "../etcd/client.js";
import { type Micros, SECOND } from "../kernel/index.js";
import type { ObservedKey } from "./events.js";

export interface ObserverConfig {
  /** Keys that begin with it; "" for all. */
  readonly prefix: string;
  /** Keys asked for at once. */
  readonly pageSize: number;
  /** Pause after the first failure; doubles up to `retryMax`. */
  readonly retryMin: Micros;
  readonly retryMax: Micros;
  /** A watch that is silent this long is asked for a sign of life, and given up when it stays silent as long again. */
  readonly progressInterval: Micros;
  /** Give up when etcd has not answered this long after the start. Once it has, the observer never gives up. */
  readonly startTimeout: Micros;
}

export const OBSERVER_DEFAULTS = {
  prefix: "",
  pageSize: 500,
  retryMin: SECOND / 5,
  retryMax: 5 * SECOND,
  progressInterval: 10 * SECOND,
  startTimeout: 10 * SECOND,
} as const satisfies ObserverConfig;

/** What the observer knows. Holds every key under the prefix with its revision: what a resync compares with. */
export interface ObserverState {
  readonly config: ObserverConfig;
  phase: "idle" | "ranging" | "connecting" | "watching" | "waiting" | "stopped";
  /** Of the range page or watch in progress; answers to others are stale. */
  id: number;
  /** "" until a member has answered. */
  cluster: string;
  /** Everything up to this revision has been told. 0 before the first range. */
  revision: Revision;
  /** Changes already told of revisions above `revision`: a fragmented answer was cut in the middle. */
  ahead: number;
  /** Changes of a new watch that are still to be skipped because they were told before. */
  skip: number;
  /** Key (as `keyId` names it) to the revision of its last put. */
  readonly keys: Map<string, Revision>;
  /** A range in progress; null when the watch is what is wanted. */
  range: RangeProgress | null;
  pageSize: number;
  /** Failures since the last success. */
  failures: number;
  lastFailure: string;
  /** Something came from the watch since the last look. */
  heard: boolean;
  /** A sign of life was asked for. */
  asked: boolean;
  puts: number;
  deletes: number;
}

export interface RangeProgress {
  /** The revision all pages are read at; 0 until the first answers. */
  revision: Revision;
  after: ObservedKey | null;
  /** Of a resync: keys that are still there. Null for the initial range. */
  readonly present: Set<string> | null;
}

/** A key as a map's key: the text itself; what is not text is marked with a byte no UTF-8 text key can be confused with. */
export function keyId(key: ObservedKey): string {
  return key.keyEncoding === "base64" ? `\ud800${key.key}` : key.key;
}

/** The key that `keyId` named. */
export function keyOfId(id: string): ObservedKey {
  return id.startsWith("\ud800") ? { key: id.slice(1), keyEncoding: "base64" } : { key: id };
}
