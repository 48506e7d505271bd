import type { Flavored } from "../kernel/index.js";

/** A member of a raft group. 0 is no one. Safe integers; etcd's 64-bit member ids are mapped at its edge. */
export type RaftId = Flavored<number, "raft id">;
export type Term = Flavored<number, "term">;
/** Position in the replicated log, from 1. */
export type LogIndex = Flavored<number, "log index">;
