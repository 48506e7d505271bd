import type { Micros } from "../kernel/index.js";
import type { LeaseId } from "./client.js";
import { proposeV3 } from "./kv-requests.js";
import { leasesByExpiry } from "./lease.js";
import type { LeaseRequest } from "./lease-api.js";
import { isLeaseId } from "./lease-apply.js";
import { takeLeaseCall } from "./lease-calls.js";
import { newOrigin, REQUESTS_PER_START } from "./propose.js";
import { type EtcdOut, reply, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";

/** Takes a request about leases. */
export function takeLease(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: LeaseRequest,
  now: Micros,
  out: EtcdOut,
): void {
  switch (request.op) {
    case "lease-grant": {
      const { ttl } = request;
      const id = isLeaseId(request.id) ? request.id : freeLeaseId(run);
      proposeV3(state, run, asker, { op: "lease-grant", id, ttl }, now, out);
      return;
    }
    case "lease-revoke":
      proposeV3(state, run, asker, request, now, out);
      return;
    case "lease-list": {
      const leases = leasesByExpiry(run.stores.lessor).map(({ id }) => id);
      reply(asker, v3Answer(run, { op: "lease-list", leases }), true, out);
      return;
    }
    case "lease-keep-alive":
    case "lease-time-to-live":
      takeLeaseCall(state, run, asker, { ...request, id: known(request.id) }, now, out);
  }
}

function known(id: LeaseId): LeaseId {
  return isLeaseId(id) ? id : "";
}

/**
 * A lease id that no member has given out, made as etcd makes numbers of requests (idutil): 16 bits of the
 * member, 40 bits of the milliseconds when it started, 8 bits that count and overflow into the time; positive.
 */
function freeLeaseId(run: Running): LeaseId {
  const member = BigInt(`0x${run.memberId}`) & 0xffffn;
  const started = BigInt(Math.floor(run.watches.startedAt / 1000)) & ((1n << 40n) - 1n);
  const count = BigInt(newOrigin(run).request % REQUESTS_PER_START);
  const suffix = ((started << 8n) + count) & ((1n << 48n) - 1n);
  const id = ((member << 48n) | suffix) & ((1n << 63n) - 1n);
  return id.toString(16).padStart(16, "0");
}
