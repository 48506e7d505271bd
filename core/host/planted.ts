import type { ClientReply, ClientRequest } from "../etcd/index.js";
import type { HostBugs } from "./state.js";

/**
 * Deliberate bugs of the etcd process that lie before its member: between it and its clients. A host
 * without bugs comes here, too; it gets back what it gave.
 */
export function takenAs(bugs: HostBugs, request: ClientRequest): ClientRequest {
  if (!bugs.staleReads || request.op !== "kv-range") return request;
  return { ...request, serializable: true };
}

/** One watch response in so many loses its first event. */
const LOST_EVERY = 64;

/** The reply as its client gets it; null if it gets none. */
export function toldAs(bugs: HostBugs, id: number, reply: ClientReply): ClientReply | null {
  if (!bugs.lostEvents || !("result" in reply) || reply.result.op !== "watch-response") {
    return reply;
  }
  const [first, ...events] = reply.result.events;
  if (first === undefined || (first.kv.modRevision + id) % LOST_EVERY !== 0) return reply;
  return events.length === 0 ? null : { ...reply, result: { ...reply.result, events } };
}
