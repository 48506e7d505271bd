import type { Micros } from "../kernel/index.js";
import type { LeaseId } from "./client.js";
import { forward } from "./forward.js";
import { proposeV3 } from "./kv-requests.js";
import { LEASE_TTL_MAX, renewLease } from "./lease.js";
import type { LeaseRequest } from "./lease-api.js";
import { newOrigin } from "./propose.js";
import { type EtcdOut, reply, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { KV_ERROR } from "./v3-apply.js";

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
      if (request.ttl > LEASE_TTL_MAX) {
        reply(asker, KV_ERROR.leaseTtlTooLarge, true, out);
        return;
      }
      const id = request.id || freeLeaseId(run);
      proposeV3(state, run, asker, { op: "lease-grant", id, ttl: request.ttl }, now, out);
      return;
    }
    case "lease-revoke":
      proposeV3(state, run, asker, request, now, out);
      return;
    case "lease-list": {
      const leases = [...run.stores.lessor.leases.keys()];
      reply(asker, v3Answer(run, { op: "lease-list", leases }), true, out);
      return;
    }
    case "lease-keep-alive":
    case "lease-time-to-live":
      if (run.node.role === "leader") answerLease(run, asker, request, now, out);
      else forward(state, run, asker, request, now, out);
  }
}

/** A lease id no member has given out, positive as etcd's: bits of the member, then the request. */
function freeLeaseId(run: Running): LeaseId {
  const own = BigInt(run.id % 2 ** 15) << 48n;
  const id = own | BigInt(newOrigin(run).request);
  return id.toString(16).padStart(16, "0");
}

/** What only the leader knows: how long leases still run. */
function answerLease(
  run: Running,
  asker: Asker,
  request: Extract<LeaseRequest, { readonly op: "lease-keep-alive" | "lease-time-to-live" }>,
  now: Micros,
  out: EtcdOut,
): void {
  const { id } = request;
  const { lessor } = run.stores;
  if (request.op === "lease-keep-alive") {
    const ttl = renewLease(lessor, id, now) ?? 0;
    reply(asker, v3Answer(run, { op: "lease-keep-alive", id, ttl }), true, out);
    return;
  }
  const lease = lessor.leases.get(id);
  const left = (lessor.expiresAt.get(id) ?? now) - now;
  const ttl = lease === undefined ? -1 : Math.floor(left / 1_000_000);
  const grantedTtl = lease?.ttl ?? 0;
  const keys = request.keys === true ? [...(lessor.keys.get(id) ?? [])].sort() : [];
  reply(asker, v3Answer(run, { op: "lease-time-to-live", id, ttl, grantedTtl, keys }), true, out);
}
