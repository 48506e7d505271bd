import { type Micros, SECOND, unreachable } from "../kernel/index.js";
import type { ClusterRequest } from "./cluster-api.js";
import { forward } from "./forward.js";
import {
  listMembers,
  MEMBERSHIP_ERROR,
  type Member,
  type MemberChange,
  mayAddVoter,
  mayRemoveVoter,
  memberIdOf,
  raftIdOf,
} from "./membership.js";
import { connectedSince } from "./messages.js";
import { findProgress } from "./progress.js";
import { newOrigin, proposeFor } from "./propose.js";
import { type EtcdOut, reply, SERVER_ERROR, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { v3Failure } from "./v3-api.js";

/** A peer not heard for this long counts as unhealthy when membership is to change (etcd's HealthInterval). */
const HEALTH_INTERVAL: Micros = 5 * SECOND;

/** Takes a request about the cluster's members. */
export function takeClusterRequest(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: ClusterRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const refuse = (error: string): void =>
    reply(asker, v3Failure("FailedPrecondition", error), true, out);
  switch (request.op) {
    case "member-list": {
      const members = listMembers(run.stores.membership).map((member) => ({ ...member }));
      reply(asker, v3Answer(run, { op: "member-list", members, member: null }), true, out);
      return;
    }
    case "member-add": {
      const member = newMember(request.peerUrls, request.learner ?? false, now);
      const error = addRefusal(state, run, member, now);
      if (error !== null) refuse(error);
      else proposeChange(state, run, asker, { change: "add", member }, now, out);
      return;
    }
    case "member-remove": {
      const error = removeRefusal(state, run, request.member, now);
      if (error !== null) refuse(error);
      else proposeChange(state, run, asker, { change: "remove", id: request.member }, now, out);
      return;
    }
    case "member-update": {
      const { member: id, peerUrls } = request;
      proposeChange(state, run, asker, { change: "update", id, peerUrls }, now, out);
      return;
    }
    case "member-promote":
      promoteMember(state, run, asker, request.member, now, out);
      return;
    default:
      unreachable(request);
  }
}

function newMember(peerUrls: readonly string[], learner: boolean, now: Micros): Member {
  const id = memberIdOf(peerUrls, "", Math.floor(now / SECOND));
  return { id, name: "", peerUrls: [...peerUrls].sort(), clientUrls: [], learner };
}

function proposeChange(
  state: EtcdState,
  run: Running,
  asker: Asker,
  change: MemberChange,
  now: Micros,
  out: EtcdOut,
): void {
  const origin = newOrigin(run);
  const data = { kind: "member-change", origin, change } as const;
  proposeFor(state, run, asker, "v3", data, now, out);
}

function voterIds(run: Running): number[] {
  const voters = listMembers(run.stores.membership).filter((member) => !member.learner);
  return voters.map((member) => raftIdOf(member.id));
}

/** Strict reconfiguration: enough voters must have started, and all of them must be heard. */
function addRefusal(state: EtcdState, run: Running, member: Member, now: Micros): string | null {
  if (!state.config.strictReconfigCheck) return null;
  if (!member.learner && !mayAddVoter(run.stores.membership)) return SERVER_ERROR.notEnoughStarted;
  const voters = voterIds(run);
  const connected = connectedSince(run, voters, now - HEALTH_INTERVAL);
  return connected === voters.length ? null : SERVER_ERROR.unhealthy;
}

/** Strict reconfiguration: the voters that remain and are heard must be a quorum of those before. */
function removeRefusal(state: EtcdState, run: Running, id: string, now: Micros): string | null {
  const { membership } = run.stores;
  const member = membership.members.get(id);
  if (!state.config.strictReconfigCheck || member === undefined || member.learner) return null;
  if (!mayRemoveVoter(membership, id)) return SERVER_ERROR.notEnoughStarted;
  const raftId = raftIdOf(id);
  const since = now - HEALTH_INTERVAL;
  // A member that is down can go: it is not part of the active quorum.
  if (raftId !== run.id && connectedSince(run, [raftId], since) === 0) return null;
  const voters = voterIds(run);
  const remaining = connectedSince(run, voters, since) - 1;
  return remaining < 1 + Math.floor((voters.length - 1) / 2) ? SERVER_ERROR.unhealthy : null;
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
  const error = promoteRefusal(state, run, id);
  if (error !== null) reply(asker, v3Failure("FailedPrecondition", error), true, out);
  else proposeChange(state, run, asker, { change: "promote", id }, now, out);
}

function promoteRefusal(state: EtcdState, run: Running, id: string): string | null {
  const { membership } = run.stores;
  const learner = findProgress(run, raftIdOf(id));
  if (learner === null || !membership.members.has(id)) return MEMBERSHIP_ERROR.idNotFound;
  if (!learner.isLearner) return MEMBERSHIP_ERROR.notLearner;
  const own = findProgress(run, run.id);
  // etcd: in sync means to have at least nine tenths of the leader's log.
  if (own !== null && learner.match < 0.9 * own.match) return SERVER_ERROR.learnerNotReady;
  if (state.config.strictReconfigCheck && !mayAddVoter(membership)) {
    return SERVER_ERROR.notEnoughStarted;
  }
  return null;
}
