/**
 * Ranges of keys, for the question which of them hold a key: a balanced tree (AVL) by start, in which every
 * node knows the greatest end below it (etcd: pkg/adt's interval tree). A question costs the logarithm of the
 * number of different ranges, and what it finds.
 */
export type RangeTree = RangeNode | null;

export interface RangeNode {
  readonly start: string;
  /** Exclusive; null for everything from the start on. */
  readonly end: string | null;
  /** Who has this range. */
  numbers: Set<number>;
  greatestEnd: string | null;
  height: number;
  left: RangeTree;
  right: RangeTree;
}

/** The tree with one more owner of a range. Changes the tree in place: go on with what it returns. */
export function addRange(
  tree: RangeTree,
  start: string,
  end: string | null,
  number: number,
): RangeNode {
  if (tree === null) {
    const numbers = new Set([number]);
    return { start, end, numbers, greatestEnd: end, height: 1, left: null, right: null };
  }
  const order = compareRanges(start, end, tree);
  if (order === 0) tree.numbers.add(number);
  else if (order < 0) tree.left = addRange(tree.left, start, end, number);
  else tree.right = addRange(tree.right, start, end, number);
  return balance(tree);
}

/** The tree without an owner of a range. */
export function removeRange(
  tree: RangeTree,
  start: string,
  end: string | null,
  number: number,
): RangeTree {
  if (tree === null) return null;
  const order = compareRanges(start, end, tree);
  if (order < 0) tree.left = removeRange(tree.left, start, end, number);
  else if (order > 0) tree.right = removeRange(tree.right, start, end, number);
  else {
    tree.numbers.delete(number);
    if (tree.numbers.size === 0) return withoutRoot(tree);
  }
  return balance(tree);
}

/** Adds the owners of every range that holds a key to `found`. */
export function stab(tree: RangeTree, key: string, found: number[]): void {
  if (tree === null || endsBy(tree.greatestEnd, key)) return;
  stab(tree.left, key, found);
  if (tree.start > key) return;
  if (!endsBy(tree.end, key)) for (const number of tree.numbers) found.push(number);
  stab(tree.right, key, found);
}

function endsBy(end: string | null, key: string): boolean {
  return end !== null && end <= key;
}

function compareRanges(start: string, end: string | null, node: RangeNode): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  if (end === node.end) return 0;
  return laterEnd(end, node.end) === end ? 1 : -1;
}

function laterEnd(left: string | null, right: string | null): string | null {
  if (left === null || right === null) return null;
  return left > right ? left : right;
}

function withoutRoot(node: RangeNode): RangeTree {
  if (node.left === null) return node.right;
  if (node.right === null) return node.left;
  const { first, rest } = takeFirst(node.right);
  first.left = node.left;
  first.right = rest;
  return balance(first);
}

function takeFirst(node: RangeNode): { readonly first: RangeNode; readonly rest: RangeTree } {
  if (node.left === null) return { first: node, rest: node.right };
  const { first, rest } = takeFirst(node.left);
  node.left = rest;
  return { first, rest: balance(node) };
}

function balance(node: RangeNode): RangeNode {
  measure(node);
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1 && node.left !== null) {
    if (heightOf(node.left.left) < heightOf(node.left.right)) node.left = rotateLeft(node.left);
    return rotateRight(node);
  }
  if (lean < -1 && node.right !== null) {
    if (heightOf(node.right.right) < heightOf(node.right.left))
      node.right = rotateRight(node.right);
    return rotateLeft(node);
  }
  return node;
}

function rotateLeft(node: RangeNode): RangeNode {
  const { right } = node;
  if (right === null) return node;
  node.right = right.left;
  measure(node);
  right.left = node;
  measure(right);
  return right;
}

function rotateRight(node: RangeNode): RangeNode {
  const { left } = node;
  if (left === null) return node;
  node.left = left.right;
  measure(node);
  left.right = node;
  measure(left);
  return left;
}

function measure(node: RangeNode): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  let end = node.end;
  if (left !== null) end = laterEnd(end, left.greatestEnd);
  if (right !== null) end = laterEnd(end, right.greatestEnd);
  node.greatestEnd = end;
}

function heightOf(tree: RangeTree): number {
  return tree === null ? 0 : tree.height;
}
