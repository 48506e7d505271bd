import type { Micros, Sink } from "../kernel/index.js";
import type { Revision, V2Action, V2Node, V2Response } from "./client.js";
import { v2Failure } from "./v2-error.js";
import {
  createExpiry,
  firstToExpire,
  setDeadline,
  trimDeadlines,
  type V2Expiry,
} from "./v2-expiry.js";
import { remember, scanHistory, type V2Event, type V2History } from "./v2-history.js";
import { childKey, keyName } from "./v2-path.js";
import { createV2Stats, type V2Stats } from "./v2-stats.js";
import type { V2TreeNode } from "./v2-tree.js";
import { directoryNode, fileNode, findNode, isFailure, listNode, showNode } from "./v2-tree.js";
import {
  addWatcher,
  createWatchers,
  eventResponse,
  notifyAll,
  notifyAt,
  type V2Notice,
  type V2Watchers,
} from "./v2-watch.js";

/**
 * The v2 key store of one member: a tree of files and directories, an index that counts changes, the
 * last 1000 events, watchers, and times to live. Every function takes clean keys (`cleanKey`) and
 * the member's clock. Source: etcd 3.4 etcdserver/api/v2store.
 */
export interface V2Store {
  root: V2TreeNode;
  /** X-Etcd-Index: how many changes there were, those of the membership included. */
  index: Revision;
  history: V2History;
  expiry: V2Expiry;
  watchers: V2Watchers;
  stats: V2Stats;
}

/** What a write says about the life of its node. */
export interface V2Lifetime {
  /** null makes the node permanent. */
  readonly expiresAt: Micros | null;
  /** Keep the value, tell no watcher. */
  readonly refresh: boolean;
}

/** What a compare asks; "" and 0 ask nothing. */
export interface V2Comparison {
  readonly prevValue: string;
  readonly prevIndex: Revision;
}

export function createV2Store(): V2Store {
  return {
    root: directoryNode("", 0),
    index: 0,
    history: [],
    expiry: createExpiry(),
    watchers: createWatchers(),
    stats: createV2Stats(),
  };
}

/** Counts changes that etcd keeps in this store but outside the keys: members, cluster version. */
export function countHiddenChanges(store: V2Store, changes: number): void {
  for (let i = 0; i < changes; i++) {
    store.index++;
    remember(store.history, store.index, null);
  }
}

/** A node, with its children if it is a directory. Errors: 100, 104. */
export function v2Get(
  store: V2Store,
  key: string,
  recursive: boolean,
  sorted: boolean,
  now: Micros,
): V2Response {
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  const node = listNode(found, recursive, sorted, now);
  return { ok: true, status: 200, action: "get", node, etcdIndex: store.index };
}

/** Makes a node where none is, and the directories above it. Errors: 104, 105, 107. */
export function v2Create(
  store: V2Store,
  key: string,
  dir: boolean,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  return place(store, "create", key, dir, value, life, now, notices);
}

/** Makes a file (or directory) below `key` whose name is the next index in 20 digits. Errors: 104. */
export function v2CreateInOrder(
  store: V2Store,
  key: string,
  dir: boolean,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const name = String(store.index + 1).padStart(20, "0");
  return place(store, "create", childKey(key, name), dir, value, life, now, notices);
}

/** Makes a node or replaces a file. Errors: 102 on a directory, 104, 107; 100 for a refresh of nothing. */
export function v2Set(
  store: V2Store,
  key: string,
  dir: boolean,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  // Without a value to keep there is nothing to look for first.
  if (!life.refresh) return place(store, "set", key, dir, value, life, now, notices);
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  return place(store, "set", key, dir, found.shown.value ?? "", life, now, notices);
}

/**
 * Changes the value and time to live of a file, or the time to live of a directory, whose own
 * modifiedIndex stays behind as in etcd. Errors: 100, 102, 104, 107.
 */
export function v2Update(
  store: V2Store,
  key: string,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  if (key === "/") return v2Failure(107, "/", store.index);
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  if (found.children !== null && value !== "") return v2Failure(102, key, store.index);
  return rewrite(store, "update", found, value, life, now, notices);
}

/** Changes a file if it is as expected. Errors: 100, 101, 102, 104, 107. */
export function v2CompareAndSwap(
  store: V2Store,
  key: string,
  expected: V2Comparison,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  if (key === "/") return v2Failure(107, "/", store.index);
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  if (found.children !== null) return v2Failure(102, key, store.index);
  const difference = compare(found.shown, expected);
  if (difference !== null) return v2Failure(101, difference, store.index);
  return rewrite(store, "compareAndSwap", found, value, life, now, notices);
}

/** Removes a file, an empty directory (`dir`) or a whole one (`recursive`). Errors: 100, 102, 104, 107, 108. */
export function v2Delete(
  store: V2Store,
  key: string,
  dir: boolean,
  recursive: boolean,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  if (key === "/") return v2Failure(107, "/", store.index);
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  if (found.children !== null) {
    if (!dir && !recursive) return v2Failure(102, key, store.index);
    if (found.children.size > 0 && !recursive) return v2Failure(108, key, store.index);
  }
  return remove(store, "delete", found, now, notices);
}

/** Removes a file if it is as expected. Errors: 100, 101, 102, 104. */
export function v2CompareAndDelete(
  store: V2Store,
  key: string,
  expected: V2Comparison,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const found = findNode(store.root, key, store.index);
  if (isFailure(found)) return found;
  // etcd trims its internal prefix from causes, which leaves nothing of the root's key.
  if (found.children !== null) return v2Failure(102, found.shown.key, store.index);
  const difference = compare(found.shown, expected);
  if (difference !== null) return v2Failure(101, difference, store.index);
  return remove(store, "compareAndDelete", found, now, notices);
}

/** Removes every node whose time has come by `cutoff`, each a change of its own, in order of time. */
export function v2Expire(
  store: V2Store,
  cutoff: Micros,
  now: Micros,
  notices: Sink<V2Notice>,
): void {
  for (;;) {
    const node = firstToExpire(store.expiry, store.root, cutoff);
    if (node === null) return;
    store.stats.expired++;
    remove(store, "expire", node, now, notices);
  }
}

/** Whether any node expires at all; only then does a leader propose expiry. */
export function hasExpiringKeys(store: V2Store): boolean {
  return store.expiry.live.size > 0;
}

/**
 * Waits for a change at `key` (or below it) from `sinceIndex` on, 0 meaning from now. Answers at
 * once from history if it can (error 401 if history does not reach back); null means that the
 * watcher waits under `id`.
 */
export function v2Watch(
  store: V2Store,
  id: number,
  key: string,
  recursive: boolean,
  stream: boolean,
  sinceIndex: Revision,
): V2Response | null {
  const startIndex = store.index;
  const since = sinceIndex === 0 ? startIndex + 1 : sinceIndex;
  const past = scanHistory(store.history, startIndex, key, recursive, since);
  if (past === null) {
    addWatcher(store.watchers, key, { id, recursive, stream, sinceIndex: since, startIndex });
    return null;
  }
  return "errorCode" in past ? past : eventResponse(past, startIndex);
}

function place(
  store: V2Store,
  action: "create" | "set",
  key: string,
  dir: boolean,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  if (key === "/") return v2Failure(107, "/", store.index);
  const index = store.index + 1;
  const parent = makeDirectories(store, key, index);
  if (typeof parent === "string") return v2Failure(104, parent, store.index);
  const name = keyName(key);
  const old = parent.get(name);
  let prevNode: V2Node | null = null;
  if (old !== undefined) {
    if (action === "create") return v2Failure(105, key, store.index);
    if (old.children !== null) return v2Failure(102, key, store.index);
    prevNode = showNode(old, now);
    setDeadline(store.expiry, old, null);
    // A replaced node comes last among its siblings, as if it had been made anew.
    if (parent.size > 1) parent.delete(name);
  }
  const node = dir ? directoryNode(key, index) : fileNode(key, value, index);
  if (life.expiresAt !== null) setDeadline(store.expiry, node, life.expiresAt);
  parent.set(name, node);
  // A create that asks to refresh is a create all the same.
  const refresh = action === "set" && life.refresh;
  const event: V2Event = { action, node: showNode(node, now), prevNode, refresh };
  const status = prevNode === null ? 201 : 200;
  return conclude(store, event, status, notices);
}

/** The children of the directory that is to hold `key`, made if need be; or the file in the way. */
function makeDirectories(
  store: V2Store,
  key: string,
  index: Revision,
): Map<string, V2TreeNode> | string {
  let children = store.root.children;
  const last = key.lastIndexOf("/");
  let start = 1;
  while (children !== null && start <= last) {
    const end = key.indexOf("/", start);
    const name = key.slice(start, end);
    let child: V2TreeNode | undefined = children.get(name);
    if (child === undefined) {
      children.set(name, directoryNode(key.slice(0, end), index));
      child = children.get(name);
    }
    children = child?.children ?? null;
    start = end + 1;
  }
  return children ?? key.slice(0, start - 1);
}

function rewrite(
  store: V2Store,
  action: "update" | "compareAndSwap",
  node: V2TreeNode,
  value: string,
  life: V2Lifetime,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const index = store.index + 1;
  const prevNode = showNode(node, now);
  const { key, createdIndex } = node.shown;
  const isFile = node.children === null;
  if (isFile) {
    const kept = life.refresh ? (node.shown.value ?? "") : value;
    node.shown = { key, value: kept, modifiedIndex: index, createdIndex };
  }
  setDeadline(store.expiry, node, life.expiresAt);
  const shown = showNode(node, now);
  const told = isFile ? shown : { ...shown, modifiedIndex: index };
  const event: V2Event = { action, node: told, prevNode, refresh: life.refresh };
  return conclude(store, event, 200, notices);
}

function remove(
  store: V2Store,
  action: "delete" | "compareAndDelete" | "expire",
  node: V2TreeNode,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const index = store.index + 1;
  const { key, createdIndex } = node.shown;
  const gone: V2Node =
    node.children === null
      ? { key, modifiedIndex: index, createdIndex }
      : { key, dir: true, modifiedIndex: index, createdIndex };
  const event: V2Event = { action, node: gone, prevNode: showNode(node, now), refresh: false };
  detachNode(store, node, event, notices);
  const parent = findNode(store.root, key.slice(0, key.lastIndexOf("/")), index);
  if (!isFailure(parent)) parent.children?.delete(keyName(key));
  return conclude(store, event, 200, notices);
}

/** Tells the watchers of everything that goes with `node`, the innermost first, and drops the deadlines. */
function detachNode(
  store: V2Store,
  node: V2TreeNode,
  event: V2Event,
  notices: Sink<V2Notice>,
): void {
  if (node.children !== null) {
    for (const child of node.children.values()) detachNode(store, child, event, notices);
  }
  notifyAt(store.watchers, node.shown.key, event, true, notices);
  if (node.expiresAt !== null) setDeadline(store.expiry, node, null);
}

function conclude(
  store: V2Store,
  event: V2Event,
  status: 200 | 201,
  notices: Sink<V2Notice>,
): V2Response {
  store.index++;
  remember(store.history, store.index, event);
  if (!event.refresh) notifyAll(store.watchers, event, notices);
  trimDeadlines(store.expiry);
  return answer(event.action, event.node, event.prevNode, status, store.index);
}

function answer(
  action: V2Action,
  node: V2Node,
  prevNode: V2Node | null,
  status: 200 | 201,
  etcdIndex: Revision,
): V2Response {
  return prevNode === null
    ? { ok: true, status, action, node, etcdIndex }
    : { ok: true, status, action, node, prevNode, etcdIndex };
}

/** Why the node is not as expected, in etcd's words; null if it is. */
function compare(shown: V2Node, expected: V2Comparison): string | null {
  const { prevValue, prevIndex } = expected;
  const value = shown.value ?? "";
  const valueMatches = prevValue === "" || prevValue === value;
  const indexMatches = prevIndex === 0 || prevIndex === shown.modifiedIndex;
  if (valueMatches && indexMatches) return null;
  const values = `[${prevValue} != ${value}]`;
  const indexes = `[${prevIndex} != ${shown.modifiedIndex}]`;
  if (valueMatches) return indexes;
  return indexMatches ? values : `${values} ${indexes}`;
}
