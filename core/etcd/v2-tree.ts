import { type Micros, SECOND } from "../kernel/index.js";
import type { Revision, V2Node } from "./client.js";
import { type V2Failure, v2Failure } from "./v2-error.js";
import { isHiddenName } from "./v2-path.js";

/** A node of the v2 key tree. */
export interface V2TreeNode {
  /** How answers show it, less expiration and children. Replaced as a whole, never changed. */
  shown: V2Node;
  /** null for a file. */
  children: Map<string, V2TreeNode> | null;
  /** null for a permanent node. */
  expiresAt: Micros | null;
  /** Which entry of the expiry heap is this node's; 0 for a permanent node. */
  ttlSeq: number;
}

/** A file node that does not expire. */
export function fileNode(key: string, value: string, index: Revision): V2TreeNode {
  return {
    shown: { key, value, modifiedIndex: index, createdIndex: index },
    children: null,
    expiresAt: null,
    ttlSeq: 0,
  };
}

/** An empty directory that does not expire. The root's key is "". */
export function directoryNode(key: string, index: Revision): V2TreeNode {
  return {
    shown: { key, dir: true, modifiedIndex: index, createdIndex: index },
    children: new Map(),
    expiresAt: null,
    ttlSeq: 0,
  };
}

/**
 * The node at a clean key, or etcd's refusal: 100 with the first missing path, 104 with the file
 * that stands where a directory should.
 */
export function findNode(root: V2TreeNode, key: string, index: Revision): V2TreeNode | V2Failure {
  let node = root;
  let start = 1;
  while (start < key.length) {
    if (node.children === null) return v2Failure(104, node.shown.key, index);
    let end = key.indexOf("/", start);
    if (end < 0) end = key.length;
    const child = node.children.get(key.slice(start, end));
    if (child === undefined) return v2Failure(100, key.slice(0, end), index);
    node = child;
    start = end + 1;
  }
  return node;
}

/** Tells a refusal from a node. */
export function isFailure(found: V2TreeNode | V2Failure): found is V2Failure {
  return "errorCode" in found;
}

/** The node alone, as events and `prevNode` show it. */
export function showNode(node: V2TreeNode, now: Micros): V2Node {
  return node.expiresAt === null ? node.shown : withExpiry(node.shown, node.expiresAt, now);
}

/** `shown` with its expiration, and its seconds left unless they round up to 0. */
function withExpiry(shown: V2Node, expiration: Micros, now: Micros): V2Node {
  const ttl = Math.ceil((expiration - now) / SECOND);
  const { key, value, modifiedIndex, createdIndex } = shown;
  // Literals and not spreads: listings of a thousand machines' states pass through here.
  if (value === undefined) {
    return ttl === 0
      ? { key, dir: true, expiration, modifiedIndex, createdIndex }
      : { key, dir: true, expiration, ttl, modifiedIndex, createdIndex };
  }
  return ttl === 0
    ? { key, value, expiration, modifiedIndex, createdIndex }
    : { key, value, expiration, ttl, modifiedIndex, createdIndex };
}

/**
 * The node as a get shows it: a directory with its visible children, all the way down if `recursive`.
 * etcd lists children in the random order of a Go map unless asked to sort; here they come in the
 * order they were made.
 */
export function listNode(
  node: V2TreeNode,
  recursive: boolean,
  sorted: boolean,
  now: Micros,
): V2Node {
  const shown = showNode(node, now);
  if (node.children === null || node.children.size === 0) return shown;
  const nodes: V2Node[] = [];
  for (const [name, child] of node.children) {
    if (isHiddenName(name)) continue;
    nodes.push(recursive ? listNode(child, true, sorted, now) : showNode(child, now));
  }
  if (nodes.length === 0) return shown;
  if (sorted) sortByKey(nodes);
  if (node.expiresAt !== null) return { ...shown, nodes };
  const { key, modifiedIndex, createdIndex } = shown;
  return { key, dir: true, modifiedIndex, createdIndex, nodes };
}

/** By insertion while there are few: no copy, no calls, and most directories are nearly in order. */
function sortByKey(nodes: V2Node[]): void {
  if (nodes.length > FEW) {
    nodes.sort(byKey);
    return;
  }
  for (let i = 1; i < nodes.length; i++) {
    const node = nodes[i] as V2Node;
    let hole = i;
    for (; hole > 0; hole--) {
      const before = nodes[hole - 1] as V2Node;
      if (before.key <= node.key) break;
      nodes[hole] = before;
    }
    nodes[hole] = node;
  }
}

const FEW = 16;

function byKey(left: V2Node, right: V2Node): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}
