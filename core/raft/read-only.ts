import type { Message } from "./message.js";
import { jointCommitted } from "./quorum.js";
import type { TrackerConfig } from "./tracker.js";
import type { LogIndex, RaftId } from "./types.js";

/** A read that may be served once the application has applied `index`. */
export interface ReadState<D> {
  readonly index: LogIndex;
  /** What the reader gave to recognise its read by. */
  readonly context: D | null;
}

/** A read that waits for a quorum to confirm that its leader still leads. */
export interface UnconfirmedRead<D, S> {
  readonly request: Message<D, S>;
  /** The leader's commit index when it took the request. */
  readonly index: LogIndex;
}

/**
 * Reads a leader has taken in its term, numbered from 1 in order. Heartbeats carry the number of
 * the last one, and a voter's answer acknowledges all up to the number it brings back, so that one
 * round confirms many reads (raft 3.7 read_only.go).
 */
export interface ReadOnlyQueue<D, S> {
  acks: Map<RaftId, number>;
  unconfirmed: UnconfirmedRead<D, S>[];
  confirmed: number;
}

export function createReadOnlyQueue<D, S>(): ReadOnlyQueue<D, S> {
  return { acks: new Map(), unconfirmed: [], confirmed: 0 };
}

/** The number of the last read that waits, which a heartbeat must carry to confirm it; 0 if none waits. */
export function readPosition<D, S>(queue: ReadOnlyQueue<D, S>): number {
  const { length } = queue.unconfirmed;
  return length === 0 ? 0 : queue.confirmed + length;
}

export function acknowledgeReads<D, S>(
  queue: ReadOnlyQueue<D, S>,
  from: RaftId,
  position: number,
): void {
  if (position === 0) return;
  queue.acks.set(from, Math.max(queue.acks.get(from) ?? 0, position));
}

/** Takes out the reads that a quorum has confirmed by now. */
export function confirmReads<D, S>(
  queue: ReadOnlyQueue<D, S>,
  config: TrackerConfig,
): UnconfirmedRead<D, S>[] {
  const acked = (id: RaftId): number | null => queue.acks.get(id) ?? null;
  const confirmed = jointCommitted(config.incoming, config.outgoing, acked);
  if (confirmed <= queue.confirmed) return [];
  const reads = queue.unconfirmed.splice(0, confirmed - queue.confirmed);
  queue.confirmed = confirmed;
  return reads;
}
