import type { Bytes } from "../kernel/index.js";
import type { Progress } from "./progress.js";
import { INFINITE_INDEX, jointVote, type VoteResult } from "./quorum.js";
import type { ConfState, LogIndex, RaftId } from "./types.js";

/** A configuration in force. Every list is ascending. */
export interface TrackerConfig {
  incoming: RaftId[];
  /** The other half of a joint configuration; empty when the configuration is not joint. */
  outgoing: RaftId[];
  learners: RaftId[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  learnersNext: RaftId[];
  autoLeave: boolean;
}

/** The configuration in force and what is known of each of its members (etcd's tracker.ProgressTracker). */
export interface ProgressTracker {
  config: TrackerConfig;
  /** One for every voter and learner, by ascending id. */
  progress: Progress[];
  /** Votes of the election under way; a voter's first vote counts. */
  votes: Map<RaftId, boolean>;
  readonly maxInflight: number;
  /** 0 for no limit. */
  readonly maxInflightBytes: Bytes;
}

export function createTracker(maxInflight: number, maxInflightBytes: Bytes): ProgressTracker {
  return {
    config: { incoming: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
    progress: [],
    votes: new Map(),
    maxInflight,
    maxInflightBytes,
  };
}

export function findProgress(tracker: ProgressTracker, id: RaftId): Progress | undefined {
  const { progress } = tracker;
  for (let i = 0; i < progress.length; i++) {
    const candidate = progress[i];
    if (candidate !== undefined && candidate.id === id) return candidate;
  }
  return undefined;
}

/** The highest index that the voters of the configuration have committed by what they acknowledged. */
export function committedIndex(tracker: ProgressTracker): LogIndex {
  const { incoming, outgoing } = tracker.config;
  const left = committedBy(incoming, tracker.progress);
  return outgoing.length === 0 ? left : Math.min(left, committedBy(outgoing, tracker.progress));
}

function committedBy(voters: readonly RaftId[], progress: readonly Progress[]): LogIndex {
  if (voters.length === 0) return INFINITE_INDEX;
  const quorum = (voters.length >> 1) + 1;
  let best = 0;
  // Few voters, and asked with every acknowledgement: counting takes no memory, sorting a copy does.
  for (let i = 0; i < progress.length; i++) {
    const match = progress[i]?.match ?? 0;
    if (match > best && countAcked(voters, progress, match) >= quorum) best = match;
  }
  return best;
}

/** How many voters hold `index`. Both lists ascend, so one walk over each suffices. */
function countAcked(
  voters: readonly RaftId[],
  progress: readonly Progress[],
  index: LogIndex,
): number {
  let count = 0;
  let at = 0;
  for (let i = 0; i < progress.length && at < voters.length; i++) {
    const peer = progress[i];
    if (peer === undefined || peer.id !== voters[at]) continue;
    if (peer.match >= index) count++;
    at++;
  }
  return count;
}

/** True if a quorum has been heard of since the last time the leader asked. */
export function quorumActive(tracker: ProgressTracker): boolean {
  const { incoming, outgoing } = tracker.config;
  const active = (id: RaftId): boolean | null => {
    const progress = findProgress(tracker, id);
    return progress === undefined || progress.isLearner ? null : progress.recentActive;
  };
  return jointVote(incoming, outgoing, active) === "won";
}

export function recordVote(tracker: ProgressTracker, id: RaftId, granted: boolean): void {
  if (!tracker.votes.has(id)) tracker.votes.set(id, granted);
}

/** Votes given by members that are not learners, and whether the election is decided. */
export function tallyVotes(tracker: ProgressTracker): {
  granted: number;
  rejected: number;
  result: VoteResult;
} {
  let granted = 0;
  let rejected = 0;
  for (const progress of tracker.progress) {
    if (progress.isLearner) continue;
    const vote = tracker.votes.get(progress.id);
    if (vote === true) granted++;
    else if (vote === false) rejected++;
  }
  const { incoming, outgoing } = tracker.config;
  const result = jointVote(incoming, outgoing, (id) => tracker.votes.get(id) ?? null);
  return { granted, rejected, result };
}

/** Every voter of either half, ascending. */
export function voterIds(config: TrackerConfig): RaftId[] {
  const ids = [...config.incoming];
  for (const id of config.outgoing) if (!ids.includes(id)) ids.push(id);
  return ids.sort((a, b) => a - b);
}

/** True if one voter alone decides. */
export function isSingleton(config: TrackerConfig): boolean {
  return config.incoming.length === 1 && config.outgoing.length === 0;
}

/** The configuration as a value of its own. */
export function confStateOf(config: TrackerConfig): ConfState {
  return {
    voters: [...config.incoming],
    votersOutgoing: [...config.outgoing],
    learners: [...config.learners],
    learnersNext: [...config.learnersNext],
    autoLeave: config.autoLeave,
  };
}
