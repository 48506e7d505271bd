import type { Out } from "../kernel/index.js";
import type { V2Response } from "./client.js";
import type { ClientReply, EtcdEffect, EtcdFact } from "./events.js";
import type { Asker, PendingRequest, Running } from "./state.js";
import { v2Failure } from "./v2-error.js";
import {
  type ResponseHeader,
  type V3Failure,
  type V3Response,
  type V3Result,
  v3Failure,
} from "./v3-api.js";

/** Where a member's step puts what it concludes and asks for. */
export type EtcdOut = Out<EtcdFact, EtcdEffect>;

/** etcd's errors of its server, with their texts. */
export const SERVER_ERROR = {
  noLeader: "etcdserver: no leader",
  timeout: "etcdserver: request timed out",
  timeoutLeaderFail: "etcdserver: request timed out, possibly due to previous leader failure",
  timeoutConnectionLost: "etcdserver: request timed out, possibly due to connection lost",
  timeoutTransfer: "etcdserver: request timed out, leader transfer took too long",
  stopped: "etcdserver: server stopped",
  notLeader: "etcdserver: not leader",
  badTransferee: "etcdserver: bad leader transferee",
  notForLearner: "etcdserver: rpc not supported for learner",
} as const;

/** Answers a client, or the member that passed the request on. */
export function reply(asker: Asker, answer: ClientReply, last: boolean, out: EtcdOut): void {
  if (asker.peer !== 0) {
    const message = { type: "forwarded", id: asker.id, reply: answer } as const;
    out.effects.push({ kind: "send", to: asker.peer, message, sizeBytes: 256 });
    return;
  }
  out.effects.push({ kind: "client-reply", id: asker.id, to: asker.client, reply: answer, last });
}

/** gRPC's refusal of a call that the release does not have. */
export function unknownMethod(method: string, service: string): V3Failure {
  return v3Failure("Unimplemented", `unknown method ${method} for service ${service}`);
}

/** A v2 answer with the raft index and term of the member that gives it. */
export function v2Answer(run: Running, response: V2Response): V2Response {
  if (!response.ok) return response;
  const { ok, status, action, node, prevNode, etcdIndex } = response;
  const raftIndex = run.stores.applied.index;
  const raftTerm = run.node.term;
  // Literals and not a spread, which costs more than most requests.
  return prevNode === undefined
    ? { ok, status, action, node, etcdIndex, raftIndex, raftTerm }
    : { ok, status, action, node, prevNode, etcdIndex, raftIndex, raftTerm };
}

export function headerOf(run: Running): ResponseHeader {
  const { clusterId, memberId, stores, node } = run;
  return { clusterId, memberId, revision: stores.mvcc.revision, raftTerm: node.term };
}

/** What stands for a header where etcd sends none. */
const NO_HEADER: ResponseHeader = { clusterId: "", memberId: "", revision: 0, raftTerm: 0 };

/** An answer without a header. */
export function bareAnswer(result: V3Result): V3Response {
  return { ok: true, header: NO_HEADER, result };
}

export function v3Answer(run: Running, result: V3Result): V3Response {
  return { ok: true, header: headerOf(run), result };
}

/** Tells whoever waits for a request that the server failed it, in the form of the API it came by. */
export function failRequest(
  asker: Asker,
  purpose: PendingRequest["purpose"],
  error: string,
  out: EtcdOut,
): void {
  if (purpose === "v2") reply(asker, v2Failure(300, error, 0), true, out);
  else reply(asker, v3Failure("Unavailable", error), true, out);
}
