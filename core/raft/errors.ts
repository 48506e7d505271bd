/** What a step can answer instead of doing what was asked; the texts are etcd's (`STEP_ERROR_TEXT`). */
export type StepError = "proposal-dropped" | "local-message" | "peer-not-found";

export const STEP_ERROR_TEXT: Readonly<Record<StepError, string>> = {
  "proposal-dropped": "raft proposal dropped",
  "local-message": "raft: cannot step raft local message",
  "peer-not-found": "raft: cannot step as peer not found",
};

/** What a storage can answer instead of what was asked of it. */
export type StorageError =
  | "compacted"
  | "unavailable"
  | "snapshot-out-of-date"
  | "snapshot-temporarily-unavailable";

export const STORAGE_ERROR_TEXT: Readonly<Record<StorageError, string>> = {
  compacted: "requested index is unavailable due to compaction",
  unavailable: "requested entry at index is unavailable",
  "snapshot-out-of-date": "requested index is older than the existing snapshot",
  "snapshot-temporarily-unavailable": "snapshot is temporarily unavailable",
};

/**
 * An invariant of the algorithm is broken: the process that etcd's library runs in would panic with
 * this text. A world that models such a process treats it as a crash.
 */
export class RaftPanic extends Error {
  override readonly name = "RaftPanic";
}

/** Stops the member for good, as Go's `panic` would. */
export function raftPanic(text: string): never {
  throw new RaftPanic(text);
}
