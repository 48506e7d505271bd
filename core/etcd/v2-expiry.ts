import type { Micros } from "../kernel/index.js";
import { findNode, isFailure, type V2TreeNode } from "./v2-tree.js";

/** One deadline. Out of date once its number is no longer among the live ones. */
interface Deadline {
  readonly at: Micros;
  readonly seq: number;
  readonly key: string;
}

/**
 * Which nodes expire when: a binary heap by time, then by key, so that a member restored from a
 * snapshot expires equal times in the same order as the others (etcd leaves that order open).
 * Deadlines that were moved or dropped stay until they surface or until they outnumber the live ones.
 */
export interface V2Expiry {
  heap: Deadline[];
  nextSeq: number;
  /** Numbers of the deadlines that count: one for each node that expires. */
  live: Set<number>;
}

export function createExpiry(): V2Expiry {
  return { heap: [], nextSeq: 1, live: new Set() };
}

/** Gives the node a deadline, moves it, or (null) makes it permanent. */
export function setDeadline(expiry: V2Expiry, node: V2TreeNode, at: Micros | null): void {
  if (node.expiresAt !== null) expiry.live.delete(node.ttlSeq);
  node.expiresAt = at;
  node.ttlSeq = 0;
  if (at === null) return;
  node.ttlSeq = expiry.nextSeq++;
  expiry.live.add(node.ttlSeq);
  push(expiry.heap, { at, seq: node.ttlSeq, key: node.shown.key });
}

/** The node whose deadline comes first, or null if none comes by `cutoff`. */
export function firstToExpire(
  expiry: V2Expiry,
  root: V2TreeNode,
  cutoff: Micros,
): V2TreeNode | null {
  for (;;) {
    const first = expiry.heap[0];
    if (first === undefined) return null;
    if (expiry.live.has(first.seq)) {
      if (first.at > cutoff) return null;
      const node = findNode(root, first.key, 0);
      return isFailure(node) ? null : node;
    }
    pop(expiry.heap);
  }
}

/** Forgets out-of-date deadlines once they are most of the heap. */
export function trimDeadlines(expiry: V2Expiry): void {
  if (expiry.heap.length < 64 || expiry.heap.length < 2 * expiry.live.size) return;
  const kept: Deadline[] = [];
  for (const deadline of expiry.heap) {
    if (expiry.live.has(deadline.seq)) push(kept, deadline);
  }
  expiry.heap = kept;
}

function before(left: Deadline, right: Deadline): boolean {
  if (left.at !== right.at) return left.at < right.at;
  return left.key !== right.key ? left.key < right.key : left.seq < right.seq;
}

function push(heap: Deadline[], deadline: Deadline): void {
  let hole = heap.length;
  heap.push(deadline);
  while (hole > 0) {
    const parent = (hole - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !before(deadline, above)) break;
    heap[hole] = above;
    hole = parent;
  }
  heap[hole] = deadline;
}

function pop(heap: Deadline[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let hole = 0;
  for (;;) {
    let child = 2 * hole + 1;
    let below = heap[child];
    if (below === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && before(right, below)) {
      child++;
      below = right;
    }
    if (!before(below, last)) break;
    heap[hole] = below;
    hole = child;
  }
  heap[hole] = last;
}
