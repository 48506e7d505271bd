import type { Micros } from "../kernel/index.js";
import { raftIdOf } from "./membership.js";
import { connectedSince } from "./messages.js";
import { SERVER_ERROR } from "./reply.js";
import type { Running } from "./state.js";

/**
 * Why a request timed out, as far as etcd tells: a leader elected after it began is the suspect, or a connection
 * to the leader, or of the leader to a quorum, that has not stood all the time.
 */
export function timeoutText(
  run: Running,
  since: Micros,
  electionTimeout: Micros,
  now: Micros,
): string {
  const { electedAt } = run;
  if (electedAt !== null && since < electedAt && since > electedAt - 2 * electionTimeout) {
    return SERVER_ERROR.timeoutLeaderFail;
  }
  const { lead } = run.node;
  if (lead === 0) return SERVER_ERROR.timeout;
  const members = [...run.stores.membership.members.keys()].map(raftIdOf);
  const isConnected =
    lead === run.id
      ? connectedSince(run, members, since, now) > Math.floor(members.length / 2)
      : connectedSince(run, [lead], since, now) === 1;
  return isConnected ? SERVER_ERROR.timeout : SERVER_ERROR.timeoutConnectionLost;
}
