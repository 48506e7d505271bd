import { MILLISECOND, type Micros } from "../kernel/index.js";
import { readIndex } from "../raft/index.js";
import { memberReadRefusal } from "./auth-check.js";
import type { LogData } from "./log-data.js";
import { newOrigin } from "./propose.js";
import { type EtcdOut, failRequest, reply, SERVER_ERROR, v3Answer } from "./reply.js";
import type { Asker, EtcdState, HeldRequest, ReadRequest, Running, WaitingRead } from "./state.js";
import type { RangeRequest, TxnRequest } from "./v3-api.js";
import { applyKv, readRange } from "./v3-apply.js";

/** How long a round of reads waits for an index before it asks again. */
const READ_RETRY: Micros = 500 * MILLISECOND;

/**
 * Takes a linearizable read. Reads that come while a round is under way share the next one, since
 * the index of a round is only good for reads that came before it was asked for.
 */
export function takeRead(run: Running, read: WaitingRead, now: Micros, out: EtcdOut): void {
  run.reads.next.push(read);
  if (run.reads.current === null) beginRound(run, now, out);
}

function beginRound(run: Running, now: Micros, out: EtcdOut): void {
  const { reads } = run;
  if (reads.next.length === 0) return;
  const origin = newOrigin(run);
  reads.current = { id: origin.request, askedAt: now, index: null, waiting: reads.next };
  reads.next = [];
  ask(run, origin.request, out);
}

function ask(run: Running, request: number, out: EtcdOut): void {
  const context: LogData = { kind: "read", origin: { member: run.id, request } };
  readIndex(run.node, context, out.facts);
}

/** Takes in the index that raft confirmed for a round. Indexes of earlier rounds are too old. */
export function confirmRound(run: Running, context: LogData | null, index: number): void {
  const { current } = run.reads;
  if (current === null || context === null) return;
  if (context.origin.request === current.id) current.index = index;
}

/** Answers the round once everything up to its index is applied, and begins the next. */
export function answerRound(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  const { current } = run.reads;
  if (current === null || current.index === null) return;
  if (run.stores.applied.index < current.index) return;
  for (const { asker, request } of current.waiting) {
    if (asker === null) continue;
    if (isHeld(request)) {
      run.caughtUp.push({ asker, request });
    } else {
      answerRead(state, run, asker, request, now, out);
    }
  }
  run.reads.current = null;
  beginRound(run, now, out);
}

function isHeld(request: ReadRequest): request is HeldRequest {
  return request.op !== "kv-range" && request.op !== "kv-txn";
}

/** Answers a range, or a transaction of ranges only, from the member's own store. */
export function answerRead(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: RangeRequest | TxnRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const refusal = memberReadRefusal(run, state.config.profile, asker, request, now);
  if (refusal !== null) {
    reply(asker, refusal, true, out);
    return;
  }
  const { mvcc, lessor } = run.stores;
  const result =
    request.op === "kv-range"
      ? readRange(mvcc, request)
      : applyKv(mvcc, lessor, state.config.profile, request, { push: () => {} });
  reply(asker, "ok" in result ? result : v3Answer(run, result), true, out);
}

/** Fails reads whose time is up, and asks again for a round that got no index. */
export function tendReads(run: Running, now: Micros, out: EtcdOut): void {
  const { reads } = run;
  reads.next = failLate(reads.next, now, out);
  const { current } = reads;
  if (current === null) return;
  current.waiting = failLate(current.waiting, now, out);
  if (current.waiting.length === 0) {
    reads.current = null;
    beginRound(run, now, out);
    return;
  }
  // etcd 3.4.23 asks again under the same id, so that an answer to the first question still counts.
  if (current.index !== null || now - current.askedAt < READ_RETRY) return;
  current.askedAt = now;
  ask(run, current.id, out);
}

function failLate(waiting: WaitingRead[], now: Micros, out: EtcdOut): WaitingRead[] {
  if (waiting.every((read) => read.deadline > now)) return waiting;
  for (const { asker, deadline } of waiting) {
    if (asker !== null && deadline <= now) failRequest(asker, "v3", SERVER_ERROR.timeout, out);
  }
  return waiting.filter((read) => read.deadline > now);
}
