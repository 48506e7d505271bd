import type { Row } from "./mvcc.js";

/** What the store remembers of a key. */
export interface KeyRows {
  readonly key: string;
  /** Oldest first, never empty. */
  rows: Row[];
}

/**
 * Every key with a row, in order of bytes: a B+ tree. A new key moves the entries of one leaf and not all of
 * them, a fork of the state copies one path, and whole branches are counted by what they hold.
 */
export interface KeyIndex {
  root: KeyNode;
}

type KeyNode = KeyLeaf | KeyBranch;

interface KeyLeaf {
  readonly kind: "leaf";
  entries: KeyRows[];
  /** How many of its keys are there now: their last row is no deletion. */
  live: number;
}

interface KeyBranch {
  readonly kind: "branch";
  children: KeyNode[];
  /** No key of a child is before its own text here, and none at or after that of the next. The first one counts as "". */
  firsts: string[];
  live: number;
}

/** Entries of a leaf, or children of a branch. Larger ones cost more to insert into, smaller ones make the tree deeper. */
const NODE_MAX = 64;

export function createKeyIndex(): KeyIndex {
  return { root: { kind: "leaf", entries: [], live: 0 } };
}

/** A key's rows; undefined if it has none. */
export function findKey(index: KeyIndex, key: string): KeyRows | undefined {
  let node = index.root;
  while (node.kind === "branch") {
    const child: KeyNode | undefined = node.children[childFor(node, key)];
    if (child === undefined) return undefined;
    node = child;
  }
  const entry = node.entries[placeIn(node, key)];
  return entry !== undefined && entry.key === key ? entry : undefined;
}

/** Adds the newest row of a key. */
export function addToIndex(index: KeyIndex, row: Row): void {
  const { root } = index;
  const right = addBelow(root, row);
  if (right === null) return;
  const live = root.live + right.node.live;
  index.root = { kind: "branch", children: [root, right.node], firsts: ["", right.first], live };
}

/** What a node that became too large gave away: its right part, from a key on. */
interface Right {
  readonly first: string;
  readonly node: KeyNode;
}

function addBelow(node: KeyNode, row: Row): Right | null {
  if (node.kind === "leaf") return addToLeaf(node, row);
  const at = childFor(node, row.key);
  const child = node.children[at];
  if (child === undefined) throw new Error("a branch has a child for every key");
  const before = child.live;
  const right = addBelow(child, row);
  node.live += child.live - before;
  if (right === null) return null;
  node.live += right.node.live;
  node.children.splice(at + 1, 0, right.node);
  node.firsts.splice(at + 1, 0, right.first);
  return node.children.length > NODE_MAX ? splitBranch(node, at + 1) : null;
}

function addToLeaf(leaf: KeyLeaf, row: Row): Right | null {
  const { key } = row;
  const born = row.kv === null ? 0 : 1;
  const place = placeIn(leaf, key);
  const entry = leaf.entries[place];
  if (entry !== undefined && entry.key === key) {
    leaf.live += born - (isLive(entry) ? 1 : 0);
    entry.rows.push(row);
    return null;
  }
  leaf.entries.splice(place, 0, { key, rows: [row] });
  leaf.live += born;
  return leaf.entries.length > NODE_MAX ? splitLeaf(leaf, place) : null;
}

/** Where a node is cut: in the middle, but keys that come in ascending order leave full nodes behind them. */
function cutAt(place: number): number {
  return place === NODE_MAX ? NODE_MAX : NODE_MAX >> 1;
}

function splitLeaf(leaf: KeyLeaf, place: number): Right | null {
  const entries = leaf.entries.splice(cutAt(place));
  const live = entries.filter(isLive).length;
  leaf.live -= live;
  const first = entries[0]?.key;
  return first === undefined ? null : { first, node: { kind: "leaf", entries, live } };
}

function splitBranch(branch: KeyBranch, place: number): Right | null {
  const cut = cutAt(place);
  const children = branch.children.splice(cut);
  const firsts = branch.firsts.splice(cut);
  const live = children.reduce((sum, child) => sum + child.live, 0);
  branch.live -= live;
  const first = firsts[0];
  return first === undefined ? null : { first, node: { kind: "branch", children, firsts, live } };
}

/** Forgets a key, which has no rows left or only deletions. */
export function removeKey(index: KeyIndex, key: string): void {
  removeBelow(index.root, key);
  while (index.root.kind === "branch" && index.root.children.length <= 1) {
    index.root = index.root.children[0] ?? createKeyIndex().root;
  }
}

function removeBelow(node: KeyNode, key: string): void {
  if (node.kind === "leaf") {
    const place = placeIn(node, key);
    if (node.entries[place]?.key === key) node.entries.splice(place, 1);
    return;
  }
  const at = childFor(node, key);
  const child = node.children[at];
  if (child === undefined) return;
  removeBelow(child, key);
  const left = sizeOf(child);
  if (left === 0) {
    node.children.splice(at, 1);
    node.firsts.splice(at, 1);
  } else if (left < NODE_MAX >> 2) {
    join(node, at, child);
  }
}

/** Puts a node that has become small together with its right neighbour, if both stay small. */
function join(parent: KeyBranch, at: number, child: KeyNode): void {
  const next = parent.children[at + 1];
  const first = parent.firsts[at + 1];
  if (next === undefined || first === undefined) return;
  if (sizeOf(child) + sizeOf(next) > NODE_MAX >> 1) return;
  if (child.kind === "leaf" && next.kind === "leaf") {
    child.entries.push(...next.entries);
  } else if (child.kind === "branch" && next.kind === "branch") {
    child.children.push(...next.children);
    child.firsts.push(first, ...next.firsts.slice(1));
  }
  child.live += next.live;
  parent.children.splice(at + 1, 1);
  parent.firsts.splice(at + 1, 1);
}

function sizeOf(node: KeyNode): number {
  return node.kind === "leaf" ? node.entries.length : node.children.length;
}

function isLive({ rows }: KeyRows): boolean {
  const last = rows[rows.length - 1];
  return last !== undefined && last.kv !== null;
}

/** Whom `visitKeys` shows keys. */
export interface KeyVisitor {
  /** Returns false to see no more. */
  key(entry: KeyRows): boolean;
  /** Keys that all lie in the range, so many of them there now; returns true to pass them over. */
  pass?(live: number): boolean;
}

/**
 * Shows the keys of a range in order.
 *
 * @param end - the first key that is no longer shown; null for none
 */
export function visitKeys(
  index: KeyIndex,
  from: string,
  end: string | null,
  visitor: KeyVisitor,
): void {
  visitBelow(index.root, { from, end, visitor }, true, null);
}

interface Walk {
  readonly from: string;
  readonly end: string | null;
  readonly visitor: KeyVisitor;
}

/**
 * Whether to go on.
 *
 * @param isFirst - some of its keys may lie before the range
 * @param upper - no key of the node is at or after it; null if that is not known
 */
function visitBelow(node: KeyNode, walk: Walk, isFirst: boolean, upper: string | null): boolean {
  const { from, end, visitor } = walk;
  const isWhole = !isFirst && (end === null || (upper !== null && upper <= end));
  if (isWhole && visitor.pass?.(node.live) === true) return true;
  if (node.kind === "leaf") {
    const { entries } = node;
    for (let i = isFirst ? placeIn(node, from) : 0; i < entries.length; i++) {
      const entry = entries[i];
      if (entry === undefined || (end !== null && entry.key >= end)) return false;
      if (!visitor.key(entry)) return false;
    }
    return true;
  }
  const { children, firsts } = node;
  const start = isFirst ? childFor(node, from) : 0;
  for (let i = start; i < children.length; i++) {
    const child = children[i];
    if (child === undefined || (end !== null && i > start && (firsts[i] ?? "") >= end))
      return false;
    if (!visitBelow(child, walk, isFirst && i === start, firsts[i + 1] ?? upper)) return false;
  }
  return true;
}

/** The child that has a key or would take it. */
function childFor({ firsts }: KeyBranch, key: string): number {
  let low = 0;
  let high = firsts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const first = firsts[middle];
    if (first !== undefined && first <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where in a leaf a key is or would be. */
function placeIn({ entries }: KeyLeaf, key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
