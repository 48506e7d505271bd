import type { Micros } from "../kernel/index.js";
import { listAlarms } from "./alarm.js";
import { ownRefusal, rootRefusal } from "./apply-admin.js";
import { type Checking, checking, kvRefusal, leaseRefusal } from "./auth-check.js";
import type { LogData } from "./log-data.js";
import { newOrigin, proposeFor, takePending } from "./propose.js";
import { costOf, hasRoomFor, LIMIT_ERROR } from "./quota.js";
import { bareAnswer, type EtcdOut, reply, v3Answer } from "./reply.js";
import type { EtcdState, PendingRequest, Running } from "./state.js";
import type { V3Failure, V3Result, V3Write } from "./v3-api.js";

/** An entry of the v3 API. */
type V3Data = Extract<LogData, { readonly kind: "v3" }>;

/**
 * Applies a request through everything that etcd puts before its store, in etcd's order: what only root may
 * do, the alarms, permissions, the quota. A request that goes beyond the quota is applied, and refused all the same.
 */
export function applyChecked(
  state: EtcdState,
  run: Running,
  data: V3Data,
  apply: (write: V3Write) => V3Result | V3Failure,
): V3Result | V3Failure {
  const { applier, stores } = run;
  const { write } = data;
  const check = checking(stores, state.config.profile, data.auth);
  const refusal =
    (applier.checks ? rootRefusal(check, write) : null) ??
    (applier.corrupt ? corruptRefusal(write) : null) ??
    (applier.capped ? cappedRefusal(check, write) : null) ??
    (applier.checks ? permissionRefusal(check, write) : null);
  if (refusal !== null) return refusal;
  const fits =
    !applier.checks || hasRoomFor(run, state.config.quotaBytes, costOf(write, check.profile));
  const result = apply(write);
  return fits || "ok" in result ? result : LIMIT_ERROR.noSpace;
}

function corruptRefusal({ op }: V3Write): V3Failure | null {
  switch (op) {
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
    case "kv-compact":
    case "lease-grant":
    case "lease-revoke":
      return LIMIT_ERROR.corrupt;
    default:
      return null;
  }
}

function cappedRefusal({ profile }: Checking, write: V3Write): V3Failure | null {
  return costOf(write, profile) > 0 ? LIMIT_ERROR.noSpace : null;
}

function permissionRefusal(check: Checking, write: V3Write): V3Failure | null {
  switch (write.op) {
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
      return kvRefusal(check, write);
    case "lease-revoke":
      return leaseRefusal(check, write.id);
    default:
      return ownRefusal(check, write);
  }
}

/**
 * Tells whoever waits what came of a request. If it went beyond the quota for the first time, the member
 * raises the alarm, and they hear of it once that is applied.
 */
export function answerV3(
  state: EtcdState,
  run: Running,
  data: V3Data,
  result: V3Result | V3Failure,
  isNews: boolean,
  now: Micros,
  out: EtcdOut,
): void {
  const beyond = result === LIMIT_ERROR.noSpace && isNews;
  if (beyond && listAlarms(run.stores.alarms, "nospace").length === 0) {
    const { request, member } = data.origin;
    const release = { kind: "release", request, answer: LIMIT_ERROR.noSpace } as const;
    raiseNoSpace(state, run, member === run.id ? release : undefined, now, out);
    return;
  }
  const pending = takePending(run, data.origin);
  if (pending !== undefined) conclude(state, run, pending, result, out);
}

/** Asks for the alarm of this member that its database is full. */
function raiseNoSpace(
  state: EtcdState,
  run: Running,
  after: PendingRequest["after"],
  now: Micros,
  out: EtcdOut,
): void {
  const write = {
    op: "alarm",
    action: "activate",
    member: run.memberId,
    alarm: "nospace",
  } as const;
  const data = { kind: "v3", origin: newOrigin(run), write } as const;
  proposeFor(state, run, null, "alarm", data, now, out, after);
}

function conclude(
  state: EtcdState,
  run: Running,
  { asker, after }: PendingRequest,
  result: V3Result | V3Failure,
  out: EtcdOut,
): void {
  if (after?.kind === "release") {
    const released = run.requests.get(after.request);
    run.requests.delete(after.request);
    if (released?.asker) reply(released.asker, after.answer, true, out);
    return;
  }
  if (asker === null) return;
  if (after?.kind === "tell") {
    reply(asker, after.answer, true, out);
  } else if ("ok" in result) {
    reply(asker, result, true, out);
  } else if (after?.kind === "login" && after.revision !== run.stores.auth.revision) {
    run.caughtUp.push({ asker, request: after.request });
  } else {
    const isBare = result.op === "alarm" && state.config.profile.alarmHeaderless;
    reply(asker, isBare ? bareAnswer(result) : v3Answer(run, result), true, out);
  }
}
