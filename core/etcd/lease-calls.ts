import { MILLISECOND, type Micros, SECOND } from "../kernel/index.js";
import type { LogIndex, RaftId } from "../raft/index.js";
import type { ClientReply, ClientRequest } from "./events.js";
import { expiryOf, keysOfLease, type Lease, leaseSettings, renewLease } from "./lease.js";
import type { LeaseRequest } from "./lease-api.js";
import { leadsLeases, proposeLeaseWrite, takesItselfForLeader } from "./lease-lead.js";
import { newOrigin, requestTimeout } from "./propose.js";
import { type EtcdOut, headerOf, reply } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { type ResponseHeader, type V3Failure, v3Failure } from "./v3-api.js";
import { KV_ERROR } from "./v3-apply.js";

/** What only the leader's lessor knows: how long leases still run. It does not go through the log. */
export type LeaseCallRequest = Extract<
  LeaseRequest,
  { readonly op: "lease-keep-alive" | "lease-time-to-live" }
>;

export function isLeaseCall(request: ClientRequest): request is LeaseCallRequest {
  return request.op === "lease-keep-alive" || request.op === "lease-time-to-live";
}

/** Where a call about a lease stands. */
type Stage =
  /** Whether this member still leads: its disk is slow. */
  | { readonly at: "doubt"; readonly until: Micros }
  /** Until everything is applied that was committed when the call came, so that a fresh lease is known. */
  | { readonly at: "apply"; readonly index: LogIndex; readonly until: Micros }
  /** Until the expired lease is revoked, or the lead is lost. */
  | { readonly at: "revoke" }
  /** Until the lease's checkpoint is taken back. */
  | { readonly at: "checkpoint"; readonly request: number; readonly lease: Lease }
  /** Until there is a leader to ask, to be looked for at `next`. */
  | { readonly at: "leader"; readonly next: Micros }
  | { readonly at: "peer"; readonly peer: RaftId };

/** A call about a lease that could not be answered at once. */
export interface LeaseCall {
  readonly asker: Asker;
  readonly request: LeaseCallRequest;
  /** As it was when the call came: what etcd puts over the answer to a keep-alive. */
  readonly header: ResponseHeader;
  /** When it gives up on finding and asking the leader. */
  readonly deadline: Micros;
  stage: Stage;
}

/** Calls by number: those this member works on itself, and those another member is, or will be, asked. */
export interface LeaseCalls {
  own: Map<number, LeaseCall>;
  passed: Map<number, LeaseCall>;
}

const APPLY_TIMEOUT: Micros = SECOND;

/** How soon the leader is asked again after it could not answer. */
const ASK_AGAIN: Micros = 50 * MILLISECOND;

/** What Go makes of the longest time there is, in seconds. */
const FOREVER_SECONDS = 9_223_372_036;

const ERROR = {
  noLeader: v3Failure("Unavailable", "etcdserver: no leader"),
  leaderChanged: v3Failure("Unavailable", "etcdserver: leader changed"),
  timeout: v3Failure("Unavailable", "etcdserver: request timed out"),
  applyTimeout: v3Failure(
    "Unavailable",
    "etcdserver: request timed out, waiting for the applied index took too long",
  ),
  notPrimary: v3Failure("Unknown", "not a primary lessor"),
} as const satisfies Record<string, V3Failure>;

export function createLeaseCalls(): LeaseCalls {
  return { own: new Map(), passed: new Map() };
}

/** Takes a keep-alive or a question for the time to live, of a client or as another member passed it on. */
export function takeLeaseCall(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: LeaseCallRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const call: LeaseCall = {
    asker,
    request,
    header: headerOf(run),
    deadline: now + requestTimeout(state),
    stage: firstStage(state, run, asker, request, now),
  };
  const number = newOrigin(run).request;
  if (!goOn(state, run, number, call, now, out)) keep(run, number, call);
}

function firstStage(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: LeaseCallRequest,
  now: Micros,
): Stage {
  if (asker.peer !== 0) return applyStage(run, now);
  if (!takesItselfForLeader(run)) return { at: "leader", next: now };
  if (request.op === "lease-time-to-live" || leadsLeases(state, run, now)) {
    return applyStage(run, now);
  }
  return { at: "doubt", until: now + requestTimeout(state) };
}

function applyStage(run: Running, now: Micros): Stage {
  return { at: "apply", index: run.node.log.committed, until: now + APPLY_TIMEOUT };
}

function keep(run: Running, number: number, call: LeaseCall): void {
  const { own, passed } = run.leaseCalls;
  const isPassed = call.stage.at === "leader" || call.stage.at === "peer";
  (isPassed ? own : passed).delete(number);
  (isPassed ? passed : own).set(number, call);
}

function forget(run: Running, number: number): void {
  run.leaseCalls.own.delete(number);
  run.leaseCalls.passed.delete(number);
}

/** Goes on with the calls this member works on itself: something was applied, written or lost. */
export function tendOwnCalls(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  tend(state, run, run.leaseCalls.own, now, out);
}

/** Goes on with the calls that wait for a leader, or for its answer: time has passed. */
export function tendPassedCalls(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  tend(state, run, run.leaseCalls.passed, now, out);
}

function tend(
  state: EtcdState,
  run: Running,
  calls: ReadonlyMap<number, LeaseCall>,
  now: Micros,
  out: EtcdOut,
): void {
  if (calls.size === 0) return;
  for (const [number, call] of [...calls]) {
    if (goOn(state, run, number, call, now, out)) forget(run, number);
    else keep(run, number, call);
  }
}

/** Takes a call as far as it goes now; whether it was answered. */
function goOn(
  state: EtcdState,
  run: Running,
  number: number,
  call: LeaseCall,
  now: Micros,
  out: EtcdOut,
): boolean {
  for (;;) {
    const before = call.stage.at;
    const answer = oneStage(state, run, number, call, now, out);
    if (answer !== null) {
      reply(call.asker, answer, true, out);
      return true;
    }
    if (call.stage.at === before) return false;
  }
}

function oneStage(
  state: EtcdState,
  run: Running,
  number: number,
  call: LeaseCall,
  now: Micros,
  out: EtcdOut,
): ClientReply | null {
  const { stage } = call;
  switch (stage.at) {
    case "doubt":
      if (run.saving === null) {
        if (run.node.role !== "leader") return ERROR.notPrimary;
        call.stage = applyStage(run, now);
      }
      return stage.until <= now ? ERROR.notPrimary : null;
    case "apply":
      if (run.stores.applied.index >= stage.index) return perform(state, run, call, now, out);
      return stage.until <= now ? ERROR.applyTimeout : null;
    case "revoke":
      if (!run.stores.lessor.primary) return notPrimary(call, now);
      return run.stores.lessor.leases.has(call.request.id) ? null : notFound(run, call);
    case "checkpoint":
      if (run.requests.has(stage.request)) return null;
      return renewed(state, run, call, stage.lease, now);
    case "leader":
      return seekLeader(state, run, number, call, stage.next, now, out);
    case "peer":
      return call.deadline <= now ? ERROR.timeout : null;
  }
}

/** Asks this member's own lessor. */
function perform(
  state: EtcdState,
  run: Running,
  call: LeaseCall,
  now: Micros,
  out: EtcdOut,
): ClientReply | null {
  const { lessor } = run.stores;
  const { request } = call;
  const lease = lessor.leases.get(request.id);
  if (request.op === "lease-time-to-live") return timeToLive(state, run, call, lease, now);
  if (!lessor.primary) return notPrimary(call, now);
  if (lease === undefined) return notFound(run, call);
  if ((expiryOf(lessor, lease.id) ?? now) <= now) {
    call.stage = { at: "revoke" };
    return null;
  }
  if (leaseSettings(state.config).checkpointInterval === null || lease.remainingTtl === 0) {
    return renewed(state, run, call, lease, now);
  }
  // A renewal takes the last checkpoint back, or a new leader would let the lease run out too soon.
  if (!leadsLeases(state, run, now)) return notPrimary(call, now);
  const checkpoints = [{ id: lease.id, remainingTtl: 0 }];
  const write = { op: "lease-checkpoint", checkpoints } as const;
  const proposed = proposeLeaseWrite(state, run, write, now, out);
  // etcd asks no more whether that worked.
  if (proposed === null) return renewed(state, run, call, lease, now);
  call.stage = { at: "checkpoint", request: proposed, lease };
  return null;
}

function renewed(
  state: EtcdState,
  run: Running,
  call: LeaseCall,
  found: Lease,
  now: Micros,
): ClientReply {
  const lease = run.stores.lessor.leases.get(found.id);
  if (lease === undefined && !state.config.profile.leaseRenewedOnceRevoked) {
    return notFound(run, call);
  }
  if (lease !== undefined && run.stores.lessor.primary) {
    renewLease(run.stores.lessor, lease, now);
  }
  return aliveFor(call, found.ttl);
}

function aliveFor({ request: { id }, header }: LeaseCall, ttl: number): ClientReply {
  return { ok: true, header, result: { op: "lease-keep-alive", id, ttl } };
}

function timeToLive(
  state: EtcdState,
  run: Running,
  call: LeaseCall,
  lease: Lease | undefined,
  now: Micros,
): ClientReply | null {
  if (lease === undefined) return notFound(run, call);
  const { id } = lease;
  const { lessor } = run.stores;
  const expiresAt = expiryOf(lessor, id);
  if (expiresAt === null && !state.config.profile.leaseEndlessBeforePromotion) {
    return call.asker.peer === 0 ? ERROR.leaderChanged : ERROR.notPrimary;
  }
  const ttl = expiresAt === null ? FOREVER_SECONDS : Math.trunc((expiresAt - now) / SECOND) + 0;
  const wantsKeys = call.request.op === "lease-time-to-live" && call.request.keys === true;
  const keys = wantsKeys ? keysOfLease(lessor, id) : [];
  return {
    ok: true,
    header: headerOf(run),
    result: { op: "lease-time-to-live", id, ttl, grantedTtl: lease.ttl, keys },
  };
}

/** To another member the bare fact; a client hears of a lease without time. */
function notFound(run: Running, call: LeaseCall): ClientReply {
  if (call.asker.peer !== 0) return KV_ERROR.leaseNotFound;
  const { id, op } = call.request;
  if (op === "lease-keep-alive") return aliveFor(call, 0);
  const result = { op, id, ttl: -1, grantedTtl: 0, keys: [] } as const;
  return { ok: true, header: headerOf(run), result };
}

/** Another member asks again; for a client this member looks for who leads now. */
function notPrimary(call: LeaseCall, now: Micros): ClientReply | null {
  if (call.asker.peer !== 0) return ERROR.notPrimary;
  call.stage = { at: "leader", next: now };
  return null;
}

function seekLeader(
  state: EtcdState,
  run: Running,
  number: number,
  call: LeaseCall,
  next: Micros,
  now: Micros,
  out: EtcdOut,
): ClientReply | null {
  const { lead } = run.node;
  if (call.deadline <= now) return lead === 0 ? ERROR.noLeader : ERROR.timeout;
  if (next > now) return null;
  if (lead === 0) {
    const { electionTicks, tick } = state.config;
    call.stage = { at: "leader", next: now + electionTicks * tick };
    return null;
  }
  if (lead === run.id) {
    // etcd asks itself by HTTP, until its lessor is primary.
    if (run.stores.lessor.primary) call.stage = applyStage(run, now);
    else call.stage = { at: "leader", next: now + ASK_AGAIN };
    return null;
  }
  call.stage = { at: "peer", peer: lead };
  const message = { type: "forward", id: number, request: call.request } as const;
  out.effects.push({ kind: "send", to: lead, message, sizeBytes: 256 });
  return null;
}

/** Takes in what another member answered; whether it was to a call about a lease. */
export function hearLeaseAnswer(
  run: Running,
  number: number,
  answer: ClientReply,
  now: Micros,
  out: EtcdOut,
): boolean {
  const call = run.leaseCalls.passed.get(number);
  if (call === undefined) return false;
  const mine = clientAnswer(run, call, answer);
  if (mine === null) {
    call.stage = { at: "leader", next: now + ASK_AGAIN };
    return true;
  }
  forget(run, number);
  reply(call.asker, mine, true, out);
  return true;
}

/** The answer under this member's own header; null for one that did not help. */
function clientAnswer(run: Running, call: LeaseCall, answer: ClientReply): ClientReply | null {
  if (!answer.ok) {
    return "code" in answer && answer.code === "NotFound" ? notFound(run, call) : null;
  }
  if (!("result" in answer)) return null;
  const { result } = answer;
  if (result.op === "lease-keep-alive") return aliveFor(call, result.ttl);
  return result.op === "lease-time-to-live" ? { ok: true, header: headerOf(run), result } : null;
}

/** A member cannot be reached: who waits for its answer looks for a leader again. */
export function peerLost(run: Running, peer: RaftId, now: Micros): void {
  for (const call of run.leaseCalls.passed.values()) {
    if (call.stage.at === "peer" && call.stage.peer === peer) {
      call.stage = { at: "leader", next: now + ASK_AGAIN };
    }
  }
}

/** Forgets the calls of some; who that was. */
export function dropLeaseCalls(run: Running, isMeant: (asker: Asker) => boolean): Asker[] {
  const { own, passed } = run.leaseCalls;
  const dropped: Asker[] = [];
  for (const [number, { asker }] of [...own, ...passed]) {
    if (!isMeant(asker)) continue;
    forget(run, number);
    dropped.push(asker);
  }
  return dropped;
}
