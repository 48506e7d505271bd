import { type Micros, SECOND, unreachable } from "../kernel/index.js";
import { adminRefusal } from "./auth-check.js";
import type { ClusterRequest, ClusterResult } from "./cluster-api.js";
import { forward } from "./forward.js";
import {
  listMembers,
  MEMBERSHIP_ERROR,
  type Member,
  type MemberChange,
  mayAddVoter,
  mayPromote,
  mayRemoveVoter,
  memberIdOf,
  raftIdOf,
} from "./membership.js";
import { activeSince, connectedSince } from "./messages.js";
import { findProgress } from "./progress.js";
import { newOrigin, proposeFor, requestTimeout } from "./propose.js";
import { takeRead } from "./reads.js";
import { type EtcdOut, headerOf, reply } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import type { V3Failure, V3Response } from "./v3-api.js";

/** Connections must have stood this long for membership to change (etcd's HealthInterval). */
const HEALTH_INTERVAL: Micros = 5 * SECOND;

/** Of the leader's log a learner must have nine tenths to count as in sync. */
const LEARNER_READY = 0.9;

/** Takes a request about the cluster's members. */
export function takeClusterRequest(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: ClusterRequest,
  now: Micros,
  out: EtcdOut,
): void {
  switch (request.op) {
    case "member-list":
      if (request.linearizable === true && state.config.profile.memberListLinearizable) {
        takeRead(run, { asker, request, deadline: now + requestTimeout(state) }, now, out);
      } else {
        answerMemberList(run, asker, out);
      }
      return;
    case "member-add": {
      const member = newMember(request.peerUrls, request.learner ?? false, now);
      const change = { change: "add", member } as const;
      propose(state, run, asker, change, addRefusal(state, run, member, now), now, out);
      return;
    }
    case "member-remove": {
      const change = { change: "remove", id: request.member } as const;
      propose(state, run, asker, change, removeRefusal(state, run, request.member, now), now, out);
      return;
    }
    case "member-update": {
      const { member: id, peerUrls } = request;
      const change = state.config.profile.updateUnmakesLearner
        ? ({ change: "update", id, peerUrls, learner: false } as const)
        : ({ change: "update", id, peerUrls } as const);
      propose(state, run, asker, change, null, now, out);
      return;
    }
    case "member-promote":
      promoteMember(state, run, asker, request.member, now, out);
      return;
    default:
      unreachable(request);
  }
}

/** Tells the members this member knows. */
export function answerMemberList(run: Running, asker: Asker, out: EtcdOut): void {
  reply(asker, clusterAnswer(run, "member-list", ""), true, out);
}

/** The members, and the one of an id among them. etcd's headers of these answers have no revision. */
export function clusterAnswer(run: Running, op: ClusterResult["op"], id: string): V3Response {
  const members = listMembers(run.stores.membership).map((member) => ({ ...member }));
  const member = members.find((each) => each.id === id) ?? null;
  return { ok: true, header: { ...headerOf(run), revision: 0 }, result: { op, members, member } };
}

/** Whether URLs are such that a new member can have them as its peer URLs. */
export function arePeerUrls(urls: readonly string[]): boolean {
  const isPeerUrl = (url: string): boolean =>
    /^(https?|unixs?):\/\/(\[[^\]/]*\]|[^:/?#[\]]*):[^:/?#]*([?#].*)?$/i.test(url.trim());
  return urls.length > 0 && urls.every(isPeerUrl);
}

function newMember(peerUrls: readonly string[], learner: boolean, now: Micros): Member {
  const urls = peerUrls.map((url) => url.trim()).sort();
  const id = memberIdOf(urls, "", Math.floor(now / SECOND));
  return { id, name: "", peerUrls: urls, clientUrls: [], learner };
}

function propose(
  state: EtcdState,
  run: Running,
  asker: Asker,
  change: MemberChange,
  refusal: V3Failure | null,
  now: Micros,
  out: EtcdOut,
): void {
  if (refusal !== null) {
    reply(asker, refusal, true, out);
    return;
  }
  const data = { kind: "member-change", origin: newOrigin(run), change } as const;
  proposeFor(state, run, asker, "v3", data, now, out);
}

function voterIds(run: Running): number[] {
  const voters = listMembers(run.stores.membership).filter((member) => !member.learner);
  return voters.map((member) => raftIdOf(member.id));
}

/** Strict reconfiguration: enough voters must have started, and be connected for long enough. */
function addRefusal(
  { config }: EtcdState,
  run: Running,
  member: Member,
  now: Micros,
): V3Failure | null {
  if (!config.strictReconfigCheck) return null;
  if (!member.learner && !mayAddVoter(run.stores.membership)) {
    return MEMBERSHIP_ERROR.notEnoughStarted;
  }
  const voters = voterIds(run);
  const connected = connectedSince(run, voters, now - HEALTH_INTERVAL, now);
  const quorumAfter = Math.floor((voters.length + 1) / 2) + 1;
  const needed = config.profile.addNeedsAllVoters ? voters.length : quorumAfter;
  return voters.length === 1 || connected >= needed ? null : MEMBERSHIP_ERROR.unhealthy;
}

/** Strict reconfiguration: the voters that remain and are connected must be a quorum of those before. */
function removeRefusal(
  { config }: EtcdState,
  run: Running,
  id: string,
  now: Micros,
): V3Failure | null {
  const { membership } = run.stores;
  if (!config.strictReconfigCheck || membership.members.get(id)?.learner === true) return null;
  if (!mayRemoveVoter(membership, id)) return MEMBERSHIP_ERROR.notEnoughStarted;
  const raftId = raftIdOf(id);
  // A member that is down can go: it is not part of the active quorum.
  if (raftId !== run.id && activeSince(run, raftId, now) === null) return null;
  const voters = voterIds(run);
  const remaining = connectedSince(run, voters, now - HEALTH_INTERVAL, now) - 1;
  const quorum = 1 + Math.floor((voters.length - 1) / 2);
  return remaining < quorum ? MEMBERSHIP_ERROR.unhealthy : null;
}

/** Only the leader knows how far a learner has come: others pass the request on. */
function promoteMember(
  state: EtcdState,
  run: Running,
  asker: Asker,
  id: string,
  now: Micros,
  out: EtcdOut,
): void {
  if (run.node.role !== "leader") {
    forward(state, run, asker, { op: "member-promote", member: id }, now, out);
    return;
  }
  const isForwarded = asker.peer !== 0;
  // What another member passes on comes without the client's token.
  const refusal =
    (isForwarded ? adminRefusal(run.stores.auth, null) : null) ?? promoteRefusal(state, run, id);
  // The other member goes on asking, until its time is up, after all but these refusals.
  const isFinal =
    refusal === MEMBERSHIP_ERROR.idNotFound || refusal === MEMBERSHIP_ERROR.learnerNotReady;
  if (isForwarded && refusal !== null && !isFinal) return;
  propose(state, run, asker, { change: "promote", id }, refusal, now, out);
}

function promoteRefusal({ config }: EtcdState, run: Running, id: string): V3Failure | null {
  const learner = findProgress(run, raftIdOf(id));
  if (learner === null && config.profile.promoteChecksMember) return MEMBERSHIP_ERROR.idNotFound;
  const own = findProgress(run, run.id);
  if (learner !== null && own !== null && learner.match < LEARNER_READY * own.match) {
    return MEMBERSHIP_ERROR.learnerNotReady;
  }
  const isReady = !config.strictReconfigCheck || mayPromote(run.stores.membership);
  return isReady ? null : MEMBERSHIP_ERROR.notEnoughStarted;
}
