import { hardStateOf, type RawNode } from "./node.js";
import { type ProgressView, progressView } from "./progress.js";
import { confStateOf } from "./tracker.js";
import type { ConfState, HardState, LogIndex, RaftId, SoftState } from "./types.js";

/** A member as seen from outside, without what it knows of others. */
export interface BasicStatus {
  readonly id: RaftId;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly applied: LogIndex;
  readonly leadTransferee: RaftId;
}

/** A member as seen from outside. Only a leader knows of others' progress: elsewhere the list is empty. */
export interface Status extends BasicStatus {
  /** As in etcd, `autoLeave` is not told. */
  readonly config: ConfState;
  readonly progress: readonly { readonly id: RaftId; readonly view: ProgressView }[];
}

export function basicStatus<D, S>(node: RawNode<D, S>): BasicStatus {
  return {
    id: node.id,
    hardState: hardStateOf(node),
    softState: { lead: node.lead, role: node.role },
    applied: node.log.applied,
    leadTransferee: node.leadTransferee,
  };
}

export function status<D, S>(node: RawNode<D, S>): Status {
  const progress =
    node.role === "leader"
      ? node.tracker.progress.map((peer) => ({ id: peer.id, view: progressView(peer) }))
      : [];
  const config = { ...confStateOf(node.tracker.config), autoLeave: false };
  return { ...basicStatus(node), config, progress };
}
