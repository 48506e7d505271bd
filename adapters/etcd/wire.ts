import type { ResponseHeader, V3Response, V3Result } from "../../core/etcd/v3-api.js";
import { authCalls } from "./wire-auth.js";
import type { CallName, CallRequest, CallResult, Calls } from "./wire-calls.js";
import { clusterCalls } from "./wire-cluster.js";
import { headerMessage, readHeader, type Wire } from "./wire-fields.js";
import { kvCalls } from "./wire-kv.js";
import { leaseCalls } from "./wire-lease.js";
import { maintenanceCalls } from "./wire-maintenance.js";

/**
 * etcd's v3 API in both of its shapes: the values of `core/etcd` and the messages of its protos. One row
 * for each call. Watches are in wire-watch.ts; the parts of a snapshot are bytes and need no words.
 */
const CALLS: Calls<CallName> = {
  ...kvCalls,
  ...leaseCalls,
  ...authCalls,
  ...clusterCalls,
  ...maintenanceCalls,
};

const NAMES = new Map<string, CallName>(
  Object.entries(CALLS).flatMap(([name, call]) => (isCall(name) ? [[call.path, name]] : [])),
);

/** The call that a gRPC path asks for; null when it is none of etcd's, or a stream. */
export function callAt(path: string): CallName | null {
  return NAMES.get(path) ?? null;
}

/** gRPC path of a call, such as `/etcdserverpb.KV/Range`. */
export function pathOf(name: CallName): string {
  return CALLS[name].path;
}

/** A client's side: a request as the message of its method. */
export function writeRequest<Name extends CallName>(name: Name, request: CallRequest<Name>): Wire {
  return CALLS[name].writeRequest(request);
}

/**
 * A server's side: the request in a message. Throws a `WireRefusal` for what etcd refuses and no value
 * can say.
 */
export function readRequest<Name extends CallName>(name: Name, message: Wire): CallRequest<Name> {
  return CALLS[name].readRequest(message);
}

/** A server's side: a result as the message of its method, with its header. */
export function writeResult<Name extends CallName>(
  name: Name,
  header: ResponseHeader,
  result: CallResult<Name>,
): Wire {
  const answer = CALLS[name].writeResult(result, header);
  return hasHeader(header) ? { header: headerMessage(header), ...answer } : answer;
}

/** Some answers of etcd have none. */
function hasHeader({ clusterId, memberId, revision, raftTerm }: ResponseHeader): boolean {
  return clusterId !== "" || memberId !== "" || revision !== 0 || raftTerm !== 0;
}

/** A client's side: the answer in a message. */
export function readResponse(name: CallName, message: Wire): V3Response {
  return { ok: true, header: readHeader(message), result: CALLS[name].readResult(message) };
}

/** Whether a result answers a call of one message, so that `writeResult` takes it. */
export function isCallResult(result: V3Result): result is CallResult<CallName> {
  return isCall(result.op);
}

function isCall(name: string): name is CallName {
  return Object.hasOwn(CALLS, name);
}
