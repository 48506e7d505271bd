import type { LogIndex, RaftId } from "./types.js";

/** Outcome of a vote: decided either way, or open. */
export type VoteResult = "pending" | "lost" | "won";

/** The index an empty majority has committed: more than any index, so that it never holds a joint one back. */
export const INFINITE_INDEX: LogIndex = Number.POSITIVE_INFINITY;

/** Looks up the index a voter has acknowledged, or null if it is not known. */
export type AckedIndex = (voter: RaftId) => LogIndex | null;

/** Looks up a voter's vote, or null if it has not voted. */
export type VoteOf = (voter: RaftId) => boolean | null;

/** The highest index a majority of `voters` has acknowledged. */
export function majorityCommitted(voters: readonly RaftId[], acked: AckedIndex): LogIndex {
  const count = voters.length;
  if (count === 0) return INFINITE_INDEX;
  const indexes: LogIndex[] = [];
  for (const voter of voters) indexes.push(acked(voter) ?? 0);
  return nthHighest(indexes, (count >> 1) + 1);
}

/** The `rank`-th highest value (1 is the highest); sorts `values`. Small arrays: an insertion sort wins. */
export function nthHighest(values: number[], rank: number): number {
  for (let i = 1; i < values.length; i++) {
    const value = values[i] ?? 0;
    let hole = i;
    for (; hole > 0; hole--) {
      const left = values[hole - 1] ?? 0;
      if (left >= value) break;
      values[hole] = left;
    }
    values[hole] = value;
  }
  return values[rank - 1] ?? 0;
}

/** The highest index both halves of a joint configuration have committed. */
export function jointCommitted(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  acked: AckedIndex,
): LogIndex {
  return Math.min(majorityCommitted(incoming, acked), majorityCommitted(outgoing, acked));
}

/** The outcome among `voters`; an empty set has won, so that it never holds a joint one back. */
export function majorityVote(voters: readonly RaftId[], voteOf: VoteOf): VoteResult {
  if (voters.length === 0) return "won";
  let yes = 0;
  let missing = 0;
  for (const voter of voters) {
    const vote = voteOf(voter);
    if (vote === null) missing++;
    else if (vote) yes++;
  }
  const quorum = (voters.length >> 1) + 1;
  if (yes >= quorum) return "won";
  return yes + missing >= quorum ? "pending" : "lost";
}

/** The outcome in a joint configuration: both halves must win, either can lose. */
export function jointVote(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  voteOf: VoteOf,
): VoteResult {
  const left = majorityVote(incoming, voteOf);
  const right = majorityVote(outgoing, voteOf);
  if (left === right) return left;
  return left === "lost" || right === "lost" ? "lost" : "pending";
}
