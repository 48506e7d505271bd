import { type Micros, unreachable } from "../kernel/index.js";
import { STEP_ERROR_TEXT } from "../raft/index.js";
import type { LeaseId, V2Request } from "./client.js";
import { takeClusterRequest } from "./cluster-requests.js";
import type { ClientRequest } from "./events.js";
import { forward } from "./forward.js";
import { LEASE_TTL_MAX, renewLease } from "./lease.js";
import { newOrigin, proposeFor, requestTimeout } from "./propose.js";
import { answerRead, takeRead } from "./reads.js";
import { type EtcdOut, reply, SERVER_ERROR, v2Answer, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { applyV2Command, parseV2Request } from "./v2-request.js";
import { removeWatcher } from "./v2-watch.js";
import { v2Watch } from "./v2store.js";
import {
  type LeaseRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type V3Request,
  type V3Write,
  v3Failure,
  type WatchRequest,
} from "./v3-api.js";
import { KV_ERROR } from "./v3-apply.js";
import { checkKvRequest } from "./v3-check.js";
import { startWatch } from "./watch.js";

/** Takes a request of a client, or of a member that passed it on to its leader. */
export function takeRequest(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: ClientRequest,
  now: Micros,
  out: EtcdOut,
): void {
  switch (request.op) {
    case "get":
    case "put":
    case "post":
    case "delete":
    case "watch":
      takeV2(state, run, asker, request, now, out);
      return;
    case "kv-range":
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
    case "kv-compact":
    case "lease-grant":
    case "lease-revoke":
    case "lease-keep-alive":
    case "lease-time-to-live":
    case "lease-list":
    case "kv-watch":
      takeV3(state, run, asker, request, now, out);
      return;
    case "member-list":
    case "member-add":
    case "member-remove":
    case "member-update":
    case "member-promote":
    case "move-leader":
      takeClusterRequest(state, run, asker, request, now, out);
      return;
    default:
      unreachable(request);
  }
}

function takeV2(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: V2Request,
  now: Micros,
  out: EtcdOut,
): void {
  const parsed = parseV2Request(request, now);
  if (!parsed.ok) {
    reply(asker, parsed.failure, true, out);
    return;
  }
  const { command } = parsed;
  const { v2 } = run.stores;
  if (command.op === "watch") {
    const { key, recursive, stream, sinceIndex } = command;
    const response = v2Watch(v2, asker.id, key, recursive, stream, sinceIndex);
    if (response === null) run.watching.set(asker.id, asker);
    else reply(asker, v2Answer(run, response), true, out);
    return;
  }
  if (parsed.local) {
    reply(asker, v2Answer(run, applyV2Command(v2, command, now, NO_NOTICES)), true, out);
    return;
  }
  const origin = newOrigin(run);
  proposeFor(state, run, asker, "v2", { kind: "v2", origin, command }, now, out);
}

/** Reads tell no watcher. */
const NO_NOTICES = { push: (): void => {} };

function takeV3(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: V3Request,
  now: Micros,
  out: EtcdOut,
): void {
  // A learner serves nothing but reads of its own store.
  if (run.node.isLearner && (request.op !== "kv-range" || !isSerializable(request))) {
    reply(asker, v3Failure("Unavailable", SERVER_ERROR.notForLearner), true, out);
    return;
  }
  switch (request.op) {
    case "kv-range":
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
      takeKv(state, run, asker, request, now, out);
      return;
    case "kv-compact":
      proposeV3(state, run, asker, request, now, out);
      return;
    case "kv-watch":
      beginV3Watch(run, asker, request, out);
      return;
    default:
      takeLease(state, run, asker, request, now, out);
  }
}

function takeKv(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: RequestOp,
  now: Micros,
  out: EtcdOut,
): void {
  const malformed = checkKvRequest(request);
  if (malformed !== null) {
    reply(asker, malformed, true, out);
    return;
  }
  if (request.op !== "kv-range" && (request.op !== "kv-txn" || !isReadOnly(request))) {
    proposeV3(state, run, asker, request, now, out);
  } else if (isSerializable(request)) {
    answerRead(run, asker, request, out);
  } else {
    takeRead(run, { asker, request, deadline: now + requestTimeout(state) }, now, out);
  }
}

/** Only ranges; a nested transaction counts as a write. */
function isReadOnly(txn: TxnRequest): boolean {
  return [...txn.success, ...txn.failure].every((op) => op.op === "kv-range");
}

function isSerializable(request: RangeRequest | TxnRequest): boolean {
  if (request.op === "kv-range") return request.serializable === true;
  const ops = [...request.success, ...request.failure];
  return ops.every((op) => op.op === "kv-range" && op.serializable === true);
}

function proposeV3(
  state: EtcdState,
  run: Running,
  asker: Asker,
  write: V3Write,
  now: Micros,
  out: EtcdOut,
): void {
  const origin = newOrigin(run);
  const error = proposeFor(state, run, asker, "v3", { kind: "v3", origin, write }, now, out);
  if (error === null) return;
  run.requests.delete(origin.request);
  reply(asker, v3Failure("Unknown", STEP_ERROR_TEXT[error]), true, out);
}

function takeLease(
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
      else forward(state, run, asker, "v3", request, now, out);
  }
}

/** A lease id no member has given out: the member's own bits, then the number of the request. */
function freeLeaseId(run: Running): LeaseId {
  const own = (run.id % 2 ** 15) + 1;
  return own * 2 ** 36 + (newOrigin(run).request % 2 ** 36);
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

function beginV3Watch(run: Running, asker: Asker, request: WatchRequest, out: EtcdOut): void {
  const started = startWatch(run.v3Watchers, run.stores.mvcc, asker.id, request);
  reply(asker, v3Answer(run, { op: "watch-created" }), false, out);
  if (started.compacted !== null) {
    const compactRevision = started.compacted;
    reply(asker, v3Answer(run, { op: "watch-cancelled", compactRevision }), true, out);
    return;
  }
  run.watching.set(asker.id, asker);
  const { events } = started;
  if (events.length > 0) reply(asker, v3Answer(run, { op: "watch-events", events }), false, out);
}

/** A client hung up. What it proposed goes its way; it is only not told. */
export function cancelRequest(run: Running, id: number): void {
  if (run.watching.delete(id)) {
    removeWatcher(run.stores.v2.watchers, id);
    run.v3Watchers.delete(id);
    return;
  }
  const isTheirs = (asker: Asker | null): boolean => asker?.peer === 0 && asker.id === id;
  for (const pending of run.requests.values()) {
    if (isTheirs(pending.asker)) pending.asker = null;
  }
  for (const read of [...(run.reads.current?.waiting ?? []), ...run.reads.next]) {
    if (isTheirs(read.asker)) read.asker = null;
  }
  run.held = run.held.filter(({ asker }) => !isTheirs(asker));
}
