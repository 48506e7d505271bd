import type { Flavored } from "../kernel/index.js";

/** A member of a raft group. 0 is no one. Safe integers; etcd's 64-bit member ids are mapped at its edge. */
export type RaftId = Flavored<number, "raft id">;
export type Term = Flavored<number, "term">;
/** Position in the replicated log, from 1. */
export type LogIndex = Flavored<number, "log index">;

/** No member: no leader known, no vote given, no transfer under way. */
export const NONE: RaftId = 0;
/** Target of `MsgStorageAppend`: whoever writes the log to disk. etcd's MaxUint64. */
export const APPEND_THREAD: RaftId = -1;
/** Target of `MsgStorageApply`: whoever applies committed entries. etcd's MaxUint64-1. */
export const APPLY_THREAD: RaftId = -2;
/** Stands for etcd's `math.MaxUint64` wherever a size in bytes or a count has no limit. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** True for the two local threads that stand for a member's own storage. */
export function isLocalTarget(id: RaftId): boolean {
  return id === APPEND_THREAD || id === APPLY_THREAD;
}

/** What a member is to its group. */
export type Role = "follower" | "candidate" | "leader" | "pre-candidate";

/** What a member must find again after a restart, besides its log. */
export interface HardState {
  readonly term: Term;
  readonly vote: RaftId;
  readonly commit: LogIndex;
}

/** What is worth telling about a member but need not survive it. */
export interface SoftState {
  readonly lead: RaftId;
  readonly role: Role;
}

/** A group's membership as snapshots carry it. Lists are ascending when this core makes them. */
export interface ConfState {
  readonly voters: readonly RaftId[];
  /** The outgoing half of a joint configuration; empty when the configuration is not joint. */
  readonly votersOutgoing: readonly RaftId[];
  readonly learners: readonly RaftId[];
  /** Voters of the outgoing half that become learners once the joint configuration is left. */
  readonly learnersNext: readonly RaftId[];
  /** Whether the leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: NONE, commit: 0 };

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** True for the hard state of a member that has seen nothing yet. */
export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === NONE && state.commit === 0;
}

/** The same value with its members writable: for the few lines between making a value and handing it out. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
