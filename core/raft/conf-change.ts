import type { Bytes } from "../kernel/index.js";
import { fieldSize, uintSize } from "./proto-size.js";
import type { RaftId } from "./types.js";

export type ConfChangeType = "add-node" | "remove-node" | "update-node" | "add-learner-node";

/** One change of a configuration. Node 0 is ignored: etcd zeroes the id of a change it decides not to apply. */
export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: RaftId;
}

/**
 * How a change takes effect. `auto` uses the simple protocol for a single change and an implicitly left
 * joint configuration for more; the others always go through a joint configuration.
 */
export type ConfChangeTransition = "auto" | "joint-implicit" | "joint-explicit";

/** A change in the older form: exactly one operation, never joint. */
export interface ConfChangeV1<D> extends ConfChangeSingle {
  readonly version: 1;
  /** Whatever the application attaches; null for nothing. */
  readonly context: D | null;
  /** Encoded size of `context`. */
  readonly contextBytes: Bytes;
}

/** A change in the newer form. No changes and `auto` means: leave the joint configuration. */
export interface ConfChangeV2<D> {
  readonly version: 2;
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: D | null;
  readonly contextBytes: Bytes;
}

export type ConfChange<D> = ConfChangeV1<D> | ConfChangeV2<D>;

/** The operations of a change, whichever its form. */
export function changesOf<D>(change: ConfChange<D>): readonly ConfChangeSingle[] {
  return change.version === 2 ? change.changes : [{ type: change.type, nodeId: change.nodeId }];
}

/** True if the change asks to leave a joint configuration. */
export function leavesJoint<D>(change: ConfChange<D>): boolean {
  return change.version === 2 && change.transition === "auto" && change.changes.length === 0;
}

/** Whether the change needs a joint configuration and, if so, whether that is left without being told to. */
export function entersJoint<D>(change: ConfChange<D>): { joint: boolean; autoLeave: boolean } {
  if (change.version === 1) return { joint: false, autoLeave: false };
  const joint = change.transition !== "auto" || change.changes.length > 1;
  return { joint, autoLeave: joint && change.transition !== "joint-explicit" };
}

/**
 * Size of the protobuf encoding, every field of the change being present as etcd's constructors set it
 * (raftpb 3.7, proto2). This is what counts against the uncommitted and in-flight limits.
 */
export function confChangeSize<D>(change: ConfChange<D>): Bytes {
  const context = change.context === null ? 0 : fieldSize(change.contextBytes);
  if (change.version === 1) return singleSize(change) + context;
  let size = 2 + context;
  for (const single of change.changes) size += fieldSize(singleSize(single));
  return size;
}

function singleSize(single: ConfChangeSingle): Bytes {
  return 2 + 1 + uintSize(single.nodeId);
}
