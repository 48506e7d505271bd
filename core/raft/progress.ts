import type { Bytes } from "../kernel/index.js";
import { raftPanic } from "./errors.js";
import {
  addInflight,
  createInflights,
  type Inflights,
  inflightsFull,
  resetInflights,
} from "./inflights.js";
import type { LogIndex, RaftId } from "./types.js";

/**
 * How a leader feeds a peer: `probe` sends one append a heartbeat to find where the logs meet,
 * `replicate` sends ahead of acknowledgements, `snapshot` waits for a snapshot to arrive.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** What a leader knows about a peer's log (etcd's tracker.Progress). */
export interface Progress {
  readonly id: RaftId;
  /** Highest index known to be in the peer's log. Always below `next`. */
  match: LogIndex;
  /** The next index to send. What lies between `match` and it is in flight. */
  next: LogIndex;
  /** Highest commit index told to the peer. */
  sentCommit: LogIndex;
  state: ProgressState;
  /** Index of the snapshot on its way; 0 outside of `snapshot`. */
  pendingSnapshot: LogIndex;
  /** Heard of since the last check of the quorum. Always true of the leader itself. */
  recentActive: boolean;
  /** Nothing more is sent until the peer answers or a heartbeat's answer clears this. */
  msgAppFlowPaused: boolean;
  inflights: Inflights;
  isLearner: boolean;
}

/** A peer as its leader saw it when the fact happened. */
export interface ProgressView {
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly learner: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: LogIndex;
  readonly recentActive: boolean;
  readonly inflight: number;
  readonly inflightFull: boolean;
}

export function createProgress(
  id: RaftId,
  next: LogIndex,
  isLearner: boolean,
  maxInflight: number,
  maxInflightBytes: Bytes,
): Progress {
  return {
    id,
    match: 0,
    next,
    sentCommit: 0,
    state: "probe",
    pendingSnapshot: 0,
    recentActive: false,
    msgAppFlowPaused: false,
    inflights: createInflights(maxInflight, maxInflightBytes),
    isLearner,
  };
}

/** A copy that shares nothing with the original. */
export function copyProgress(progress: Progress): Progress {
  const { inflights } = progress;
  return {
    id: progress.id,
    match: progress.match,
    next: progress.next,
    sentCommit: progress.sentCommit,
    state: progress.state,
    pendingSnapshot: progress.pendingSnapshot,
    recentActive: progress.recentActive,
    msgAppFlowPaused: progress.msgAppFlowPaused,
    inflights: {
      start: inflights.start,
      count: inflights.count,
      bytes: inflights.bytes,
      size: inflights.size,
      maxBytes: inflights.maxBytes,
      indexes: [...inflights.indexes],
      sizes: [...inflights.sizes],
    },
    isLearner: progress.isLearner,
  };
}

function resetState(progress: Progress, state: ProgressState): void {
  progress.msgAppFlowPaused = false;
  progress.pendingSnapshot = 0;
  progress.state = state;
  resetInflights(progress.inflights);
}

/** Probes from behind what is known to match, or from behind the snapshot that was on its way. */
export function becomeProbe(progress: Progress): void {
  const snapshot = progress.state === "snapshot" ? progress.pendingSnapshot : 0;
  resetState(progress, "probe");
  progress.next = Math.max(progress.match + 1, snapshot + 1);
  progress.sentCommit = Math.min(progress.sentCommit, progress.next - 1);
}

export function becomeReplicate(progress: Progress): void {
  resetState(progress, "replicate");
  progress.next = progress.match + 1;
}

export function becomeSnapshot(progress: Progress, index: LogIndex): void {
  resetState(progress, "snapshot");
  progress.pendingSnapshot = index;
  progress.next = index + 1;
  progress.sentCommit = index;
}

/** Accounts for an append of `entries` entries that has just been sent from `next`. */
export function sentEntries(progress: Progress, entries: number, bytes: Bytes): void {
  switch (progress.state) {
    case "replicate":
      if (entries > 0) {
        progress.next += entries;
        addInflight(progress.inflights, progress.next - 1, bytes);
      }
      // A message that fills the window, or is sent though it is full, serves as a probe.
      progress.msgAppFlowPaused = inflightsFull(progress.inflights);
      return;
    case "probe":
      if (entries > 0) progress.msgAppFlowPaused = true;
      return;
    case "snapshot":
      raftPanic("sending append in unhandled state StateSnapshot");
  }
}

/** True if telling the peer `commit` can still advance its commit index. */
export function canBumpCommit(progress: Progress, commit: LogIndex): boolean {
  return commit > progress.sentCommit && progress.sentCommit < progress.next - 1;
}

/** Takes in an acknowledged index; false if it is old news. */
export function maybeUpdate(progress: Progress, index: LogIndex): boolean {
  if (index <= progress.match) return false;
  progress.match = index;
  if (progress.next <= index) progress.next = index + 1;
  progress.msgAppFlowPaused = false;
  return true;
}

/**
 * Takes in the rejection of an append at `rejected`, with the peer's guess of where the logs may
 * meet; false if the rejection is stale.
 */
export function maybeDecrease(progress: Progress, rejected: LogIndex, hint: LogIndex): boolean {
  if (progress.state === "replicate") {
    if (rejected <= progress.match) return false;
    progress.next = progress.match + 1;
    progress.sentCommit = Math.min(progress.sentCommit, progress.next - 1);
    return true;
  }
  // Peers that do not replicate are probed one append at a time, so any other index is stale.
  if (progress.next - 1 !== rejected) return false;
  progress.next = Math.max(Math.min(rejected, hint + 1), progress.match + 1);
  progress.sentCommit = Math.min(progress.sentCommit, progress.next - 1);
  progress.msgAppFlowPaused = false;
  return true;
}

/** True if no append may be sent now. */
export function isPaused(progress: Progress): boolean {
  return progress.state === "snapshot" || progress.msgAppFlowPaused;
}

/** The peer as it is now, for a fact or a status. */
export function progressView(progress: Progress): ProgressView {
  return {
    state: progress.state,
    match: progress.match,
    next: progress.next,
    learner: progress.isLearner,
    paused: isPaused(progress),
    pendingSnapshot: progress.pendingSnapshot,
    recentActive: progress.recentActive,
    inflight: progress.inflights.count,
    inflightFull: inflightsFull(progress.inflights),
  };
}
