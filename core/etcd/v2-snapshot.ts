import {
  createHash,
  type Hash,
  hashHex,
  hashText,
  hashWord,
  type Micros,
} from "../kernel/index.js";
import type { Revision } from "./client.js";
import { setDeadline } from "./v2-expiry.js";
import type { V2Event } from "./v2-history.js";
import { keyName, parentKey } from "./v2-path.js";
import { copyOfV2Stats, type V2Stats } from "./v2-stats.js";
import { directoryNode, fileNode, findNode, isFailure, type V2TreeNode } from "./v2-tree.js";
import { createV2Store, type V2Store } from "./v2store.js";

interface NodeImage {
  readonly key: string;
  /** null for a directory. */
  readonly value: string | null;
  readonly createdIndex: Revision;
  readonly modifiedIndex: Revision;
  readonly expiresAt: Micros | null;
}

/** A v2 store as snapshots carry it: everything but the watchers. */
export interface V2Image {
  readonly index: Revision;
  /** Parents before children, siblings in their order. */
  readonly nodes: readonly NodeImage[];
  readonly history: readonly (V2Event | null)[];
  readonly stats: Readonly<V2Stats>;
}

/** A copy of the store that nothing changes. */
export function imageOfV2(store: V2Store): V2Image {
  const nodes: NodeImage[] = [];
  for (const child of store.root.children?.values() ?? []) collect(child, nodes);
  return {
    index: store.index,
    nodes,
    history: [...store.history],
    stats: copyOfV2Stats(store.stats),
  };
}

function collect(node: V2TreeNode, nodes: NodeImage[]): void {
  const { key, value, createdIndex, modifiedIndex } = node.shown;
  const { expiresAt } = node;
  nodes.push({ key, value: value ?? null, createdIndex, modifiedIndex, expiresAt });
  if (node.children === null) return;
  for (const child of node.children.values()) collect(child, nodes);
}

/**
 * Puts an image in the place of what the store holds. Watchers stay, and are not told of what they
 * missed, as in etcd.
 */
export function restoreV2(store: V2Store, image: V2Image): void {
  const fresh = createV2Store();
  for (const node of image.nodes) {
    const made =
      node.value === null
        ? directoryNode(node.key, node.createdIndex)
        : fileNode(node.key, node.value, node.createdIndex);
    made.shown = { ...made.shown, modifiedIndex: node.modifiedIndex };
    setDeadline(fresh.expiry, made, node.expiresAt);
    const parent = findNode(fresh.root, parentKey(node.key), 0);
    if (!isFailure(parent)) parent.children?.set(keyName(node.key), made);
  }
  store.root = fresh.root;
  store.expiry = fresh.expiry;
  store.index = image.index;
  store.history = [...image.history];
  store.stats = copyOfV2Stats(image.stats);
}

/**
 * A hash of everything members must agree on: index, keys, values, indexes and expirations. The
 * seconds left in remembered events are not among them: each member counts those on its own clock.
 */
export function v2Digest(store: V2Store): string {
  const hash = createHash();
  hashWord(hash, store.index);
  hashNode(hash, store.root);
  return hashHex(hash);
}

function hashNode(hash: Hash, node: V2TreeNode): void {
  const { key, value, createdIndex, modifiedIndex } = node.shown;
  hashText(hash, key);
  hashWord(hash, key.length);
  hashText(hash, value ?? "");
  hashWord(hash, createdIndex);
  hashWord(hash, modifiedIndex);
  const at = node.expiresAt ?? -1;
  hashWord(hash, at | 0);
  hashWord(hash, Math.floor(at / 0x1_0000_0000));
  hashWord(hash, node.children?.size ?? -1);
  if (node.children === null) return;
  for (const name of [...node.children.keys()].sort()) {
    const child = node.children.get(name);
    if (child !== undefined) hashNode(hash, child);
  }
}
