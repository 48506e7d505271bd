import type { LogIndex, RaftId, Term } from "../raft/index.js";
import type { EtcdRole } from "./events.js";
import { listMembers, type Member, memberByRaftId, raftIdOf } from "./membership.js";
import type { Applied } from "./snapshot.js";
import type { EtcdState, Running } from "./state.js";

/** A running member as invariants and displays see it. */
export interface MemberView {
  readonly id: RaftId;
  readonly role: EtcdRole;
  readonly term: Term;
  readonly lead: RaftId;
  readonly commit: LogIndex;
  readonly applied: Readonly<Applied>;
  readonly v2Index: number;
  readonly v3Revision: number;
  /** Whether it serves clients. */
  readonly ready: boolean;
}

/** What a running member is; null while its process is down. For single numbers read `state.run`. */
export function memberView(state: EtcdState): MemberView | null {
  const { run } = state;
  if (run === null) return null;
  const { node, stores } = run;
  return {
    id: run.id,
    role: roleOf(run),
    term: node.term,
    lead: node.lead,
    commit: node.log.committed,
    applied: { ...stores.applied },
    v2Index: stores.v2.index,
    v3Revision: stores.mvcc.revision,
    ready: run.ready,
  };
}

export function roleOf(run: Running): EtcdRole {
  return run.node.isLearner && run.node.role === "follower" ? "learner" : run.node.role;
}

/** The members a running member knows, by id; empty while it is down. */
export function membersOf(state: EtcdState): readonly Member[] {
  return state.run === null ? [] : listMembers(state.run.stores.membership);
}

/** Name of a member, or its id while it has published none; "" for no one. */
export function nameOf(run: Running, id: RaftId): string {
  if (id === 0) return "";
  const member = memberByRaftId(run.stores.membership, id);
  if (member === null) return id.toString(16);
  return member.name === "" ? member.id : member.name;
}

/**
 * Peer URLs of every member a member sends to, by raft id: what a world needs to deliver `send`. A
 * joining member that has not caught up yet knows only its configuration.
 */
export function peerUrlsOf(state: EtcdState): ReadonlyMap<RaftId, readonly string[]> {
  const urls = new Map<RaftId, readonly string[]>();
  for (const member of state.config.existing?.members ?? []) {
    urls.set(raftIdOf(member.id), member.peerUrls);
  }
  for (const member of membersOf(state)) urls.set(raftIdOf(member.id), member.peerUrls);
  return urls;
}
