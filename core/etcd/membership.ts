import { sha1Hex } from "../kernel/index.js";
import type { RaftId } from "../raft/index.js";
import { type V3Failure, v3Failure } from "./v3-api.js";

/** A member of the cluster. Ids are 16 hex digits. */
export interface Member {
  readonly id: string;
  /** "" until the member has started and published its name. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly learner: boolean;
}

/** Who belongs to the cluster; replicated. Source: etcd 3.4 etcdserver/api/membership. */
export interface Membership {
  members: Map<string, Member>;
  /** Ids that are gone for good. */
  removed: Set<string>;
}

/** Membership as snapshots carry it. */
export interface MembershipImage {
  readonly members: readonly Member[];
  readonly removed: readonly string[];
}

const MEMBER_NOT_FOUND = v3Failure("NotFound", "etcdserver: member not found");

/** etcd's refusals of changes of membership. */
export const MEMBERSHIP_ERROR = {
  badUrls: v3Failure("InvalidArgument", "etcdserver: given member URLs are invalid"),
  idRemoved: MEMBER_NOT_FOUND,
  idNotFound: MEMBER_NOT_FOUND,
  idExists: v3Failure("FailedPrecondition", "etcdserver: member ID already exist"),
  peerUrlExists: v3Failure("FailedPrecondition", "etcdserver: Peer URLs already exists"),
  notLearner: v3Failure("FailedPrecondition", "etcdserver: can only promote a learner member"),
  learnerNotReady: v3Failure(
    "FailedPrecondition",
    "etcdserver: can only promote a learner member which is in sync with leader",
  ),
  tooManyLearners: v3Failure(
    "FailedPrecondition",
    "etcdserver: too many learner members in cluster",
  ),
  unhealthy: v3Failure("Unavailable", "etcdserver: unhealthy cluster"),
  /** The server hands out the client's form of this error, which gRPC does not know the code of. */
  notEnoughStarted: v3Failure(
    "Unknown",
    "etcdserver: re-configuration failed due to not enough started members",
  ),
} as const satisfies Record<string, V3Failure>;

/** etcd 3.4 allows one learner at a time. */
const LEARNERS_MAX = 1;

/**
 * The id etcd gives a member: the first 8 bytes of SHA-1 over its sorted peer URLs and the cluster
 * token, or, for one that is added later, over URLs and the time in unix seconds.
 */
export function memberIdOf(
  peerUrls: readonly string[],
  token: string,
  unixSeconds: number | null,
): string {
  const text = [...peerUrls].sort().join("") + token + (unixSeconds === null ? "" : unixSeconds);
  return sha1Hex(utf8(text)).slice(0, 16);
}

/** The id etcd gives a cluster: the first 8 bytes of SHA-1 over the ids of its first members, ascending. */
export function clusterIdOf(memberIds: readonly string[]): string {
  const bytes = [...memberIds].sort().map(hexBytes).join("");
  return sha1Hex(bytes).slice(0, 16);
}

/**
 * The raft id of a member: the upper 52 bits of its id. Safe as a number, ordered as the ids are,
 * and known to everyone who knows the id. Two members would have to agree in 52 bits to clash.
 */
export function raftIdOf(memberId: string): RaftId {
  return Number.parseInt(memberId.slice(0, 13), 16);
}

/** The member with a raft id, or null. */
export function memberByRaftId(membership: Membership, id: RaftId): Member | null {
  for (const member of membership.members.values()) {
    if (raftIdOf(member.id) === id) return member;
  }
  return null;
}

/** All members by id. */
export function listMembers(membership: Membership): Member[] {
  return [...membership.members.values()].sort((l, r) => (l.id < r.id ? -1 : 1));
}

export function imageOfMembership(membership: Membership): MembershipImage {
  const members = listMembers(membership).map((member) => ({ ...member }));
  return { members, removed: [...membership.removed].sort() };
}

export function membershipOf(image: MembershipImage): Membership {
  return {
    members: new Map(image.members.map((member) => [member.id, member])),
    removed: new Set(image.removed),
  };
}

/** A change of membership, as a conf change carries it. */
export type MemberChange =
  | { readonly change: "add"; readonly member: Member }
  | { readonly change: "promote"; readonly id: string }
  | { readonly change: "remove"; readonly id: string }
  | {
      readonly change: "update";
      readonly id: string;
      readonly peerUrls: readonly string[];
      /** Absent where the change leaves it as it is. */
      readonly learner?: boolean;
    };

/** Why a committed change no longer holds when it is applied; null if it does. */
export function refusalOf(membership: Membership, change: MemberChange): V3Failure | null {
  const id = change.change === "add" ? change.member.id : change.id;
  if (membership.removed.has(id)) return MEMBERSHIP_ERROR.idRemoved;
  const existing = membership.members.get(id);
  if (change.change === "add") {
    if (existing !== undefined) return MEMBERSHIP_ERROR.idExists;
    if (urlTaken(membership, change.member.peerUrls, "")) return MEMBERSHIP_ERROR.peerUrlExists;
    const learners = listMembers(membership).filter((member) => member.learner).length;
    if (change.member.learner && learners >= LEARNERS_MAX) return MEMBERSHIP_ERROR.tooManyLearners;
    return null;
  }
  if (existing === undefined) return MEMBERSHIP_ERROR.idNotFound;
  if (change.change === "promote" && !existing.learner) return MEMBERSHIP_ERROR.notLearner;
  if (change.change === "update" && urlTaken(membership, change.peerUrls, id)) {
    return MEMBERSHIP_ERROR.peerUrlExists;
  }
  return null;
}

function urlTaken(membership: Membership, urls: readonly string[], except: string): boolean {
  for (const member of membership.members.values()) {
    if (member.id !== except && member.peerUrls.some((url) => urls.includes(url))) return true;
  }
  return false;
}

/**
 * Makes a change that was not refused. Returns how many changes etcd makes of it in its v2 store,
 * where they count for X-Etcd-Index.
 */
export function applyMemberChange(membership: Membership, change: MemberChange): number {
  const { members } = membership;
  switch (change.change) {
    case "add":
      members.set(change.member.id, change.member);
      return 1;
    case "remove":
      members.delete(change.id);
      membership.removed.add(change.id);
      return 2;
    case "promote": {
      const member = members.get(change.id);
      if (member !== undefined) members.set(change.id, { ...member, learner: false });
      return 1;
    }
    case "update": {
      const member = members.get(change.id);
      const { peerUrls, learner = member?.learner ?? false } = change;
      if (member !== undefined) members.set(change.id, { ...member, peerUrls, learner });
      return 1;
    }
  }
}

/** Takes in the name and client URLs a member publishes when it starts; false if it is unknown or removed. */
export function publishAttributes(
  membership: Membership,
  id: string,
  name: string,
  clientUrls: readonly string[],
): boolean {
  const member = membership.members.get(id);
  if (member === undefined) return false;
  membership.members.set(id, { ...member, name, clientUrls });
  return true;
}

/**
 * Whether enough voters have started for one more to be added: strict reconfiguration. Going from
 * one member to two is always allowed.
 */
export function mayAddVoter(membership: Membership): boolean {
  const voters = listMembers(membership).filter((member) => !member.learner);
  const started = voters.filter((member) => member.name !== "").length;
  if (started === 1 && voters.length === 1) return true;
  return started >= quorumOf(voters.length + 1);
}

/** Whether enough voters will have started once a learner, which has, is one of them. */
export function mayPromote(membership: Membership): boolean {
  const voters = listMembers(membership).filter((member) => !member.learner);
  const started = voters.filter((member) => member.name !== "").length;
  return started + 1 >= quorumOf(voters.length + 1);
}

/** Whether enough voters have started for `id` to be removed. */
export function mayRemoveVoter(membership: Membership, id: string): boolean {
  const rest = listMembers(membership).filter((member) => !member.learner && member.id !== id);
  const started = rest.filter((member) => member.name !== "").length;
  return rest.length > 0 && started >= quorumOf(rest.length);
}

function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function utf8(text: string): string {
  return encodeURIComponent(text).replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function hexBytes(hex: string): string {
  let bytes = "";
  for (let i = 0; i < hex.length; i += 2) {
    bytes += String.fromCharCode(Number.parseInt(hex.slice(i, i + 2), 16));
  }
  return bytes;
}
