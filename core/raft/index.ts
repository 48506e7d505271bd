export * from "./conf-change.js";
export * from "./config.js";
export {
  type ConfChangeEntryV1,
  type ConfChangeEntryV2,
  confChangeEntry,
  confChangeOf,
  EMPTY_SNAPSHOT,
  type Entry,
  entrySize,
  type NormalEntry,
  proposedEntry,
  type Snapshot,
} from "./entry.js";
export {
  RaftPanic,
  STEP_ERROR_TEXT,
  STORAGE_ERROR_TEXT,
  type StepError,
  type StorageError,
} from "./errors.js";
export type { ConfChangeRefusal, LogEnd, RaftFact } from "./facts.js";
export * from "./invariant-history.js";
export * from "./invariants.js";
export { firstIndex, lastIndex, lastTerm, type RaftLog, termAt } from "./log.js";
export { isLocalMessage, isResponseMessage, type Message, type MessageType } from "./message.js";
export type { RawNode } from "./node.js";
export type { Progress, ProgressState, ProgressView } from "./progress.js";
export * from "./quorum.js";
export * from "./rawnode.js";
export type { ReadState } from "./read-only.js";
export { hasReady, type Ready, ready } from "./ready.js";
export * from "./status.js";
export * from "./storage.js";
export { type TraceEvent, type TraceEventName, traceJson } from "./trace.js";
export { confStateOf, type ProgressTracker, type TrackerConfig } from "./tracker.js";
export * from "./types.js";
