import { type Micros, unreachable } from "../kernel/index.js";
import { admitted } from "./admit.js";
import { accessRefusal, looksAtToken } from "./auth-access.js";
import { waitsForToken } from "./auth-check.js";
import { logIn, takeAuth } from "./auth-requests.js";
import type { V2Request } from "./client.js";
import { answerMemberList, arePeerUrls, takeClusterRequest } from "./cluster-requests.js";
import { decideDowngrade } from "./downgrade.js";
import type { ClientRequest } from "./events.js";
import { isSerializable, proposeV3, takeKv } from "./kv-requests.js";
import { dropLeaseCalls } from "./lease-calls.js";
import { takeLease } from "./lease-requests.js";
import { takeMaintenance } from "./maintenance-requests.js";
import { MEMBERSHIP_ERROR } from "./membership.js";
import { newOrigin, proposeFor } from "./propose.js";
import { costOf, hasRoomFor, LIMIT_ERROR } from "./quota.js";
import { type EtcdOut, reply, SERVER_ERROR, v2Answer } from "./reply.js";
import type { Asker, EtcdState, HeldRequest, Running } from "./state.js";
import { applyV2Command, parseV2Request } from "./v2-request.js";
import { removeWatcher } from "./v2-watch.js";
import { v2Watch } from "./v2store.js";
import { type V3Request, v3Failure } from "./v3-api.js";
import { closeStream, openStream } from "./watch-requests.js";

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
    default:
      takeV3(state, run, asker, request, now, out);
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
  const { profile, quotaBytes } = state.config;
  if (run.node.isLearner && !isForLearner(request)) {
    const code = profile.learnerUnavailable ? "Unavailable" : "FailedPrecondition";
    reply(asker, v3Failure(code, SERVER_ERROR.notForLearner), true, out);
    return;
  }
  if (looksAtToken(profile, request) && waitsForToken(run, profile, asker)) {
    run.waiting.push({ asker, request });
    return;
  }
  if (takesRoom(request) && !hasRoomFor(run, quotaBytes, costOf(request, profile))) {
    raiseNoSpaceFor(state, run, asker, now, out);
    return;
  }
  const isMalformed = request.op === "member-add" && !arePeerUrls(request.peerUrls);
  const refusal = isMalformed
    ? MEMBERSHIP_ERROR.badUrls
    : accessRefusal(run, profile, asker, request, now);
  if (refusal !== null) {
    reply(asker, refusal, true, out);
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
    case "watch-stream":
      openStream(run, asker, now);
      return;
    case "lease-grant":
    case "lease-revoke":
    case "lease-keep-alive":
    case "lease-time-to-live":
    case "lease-list":
      takeLease(state, run, asker, request, now, out);
      return;
    case "member-list":
    case "member-add":
    case "member-remove":
    case "member-update":
    case "member-promote":
      takeClusterRequest(state, run, asker, request, now, out);
      return;
    case "alarm":
    case "status":
    case "defragment":
    case "hash":
    case "hash-kv":
    case "snapshot":
    case "move-leader":
    case "downgrade":
      takeMaintenance(state, run, asker, request, now, out);
      return;
    case "auth-enable":
    case "auth-disable":
    case "auth-status":
    case "authenticate":
    case "auth-user-add":
    case "auth-user-get":
    case "auth-user-list":
    case "auth-user-delete":
    case "auth-user-change-password":
    case "auth-user-grant-role":
    case "auth-user-revoke-role":
    case "auth-role-add":
    case "auth-role-get":
    case "auth-role-list":
    case "auth-role-delete":
    case "auth-role-grant-permission":
    case "auth-role-revoke-permission":
      takeAuth(state, run, asker, request, now, out);
      return;
    default:
      unreachable(request);
  }
}

/** A learner serves nothing but its status and reads of its own store. */
function isForLearner(request: V3Request): boolean {
  return request.op === "status" || (request.op === "kv-range" && isSerializable(request));
}

function takesRoom(
  request: V3Request,
): request is Extract<V3Request, { readonly op: "kv-put" | "kv-txn" | "lease-grant" }> {
  const { op } = request;
  return op === "kv-put" || op === "kv-txn" || op === "lease-grant";
}

/** There is no room: the alarm is raised, once more if need be, before the client hears of it. */
function raiseNoSpaceFor(
  state: EtcdState,
  run: Running,
  asker: Asker,
  now: Micros,
  out: EtcdOut,
): void {
  const write = {
    op: "alarm",
    action: "activate",
    member: run.memberId,
    alarm: "nospace",
  } as const;
  const data = admitted(state, run, asker, write, now);
  const answer = LIMIT_ERROR.noSpace;
  if ("ok" in data) reply(asker, answer, true, out);
  else proposeFor(state, run, asker, "v3", data, now, out, { kind: "tell", answer });
}

/** Goes on with requests whose moment has come; whether there were any. */
export function resumeRequests(state: EtcdState, run: Running, now: Micros, out: EtcdOut): boolean {
  if (run.caughtUp.length === 0 && run.waiting.length === 0) return false;
  const { caughtUp } = run;
  const { profile } = state.config;
  const ready = run.waiting.filter(({ asker }) => !waitsForToken(run, profile, asker));
  run.caughtUp = [];
  run.waiting = run.waiting.filter(({ asker }) => waitsForToken(run, profile, asker));
  for (const { asker, request } of caughtUp) {
    goOn(state, run, asker, request, now, out);
  }
  for (const { asker, request } of ready) takeV3(state, run, asker, request, now, out);
  return caughtUp.length > 0 || ready.length > 0;
}

function goOn(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: HeldRequest,
  now: Micros,
  out: EtcdOut,
): void {
  switch (request.op) {
    case "authenticate":
      logIn(state, run, asker, request, now, out);
      return;
    case "member-list":
      answerMemberList(run, asker, out);
      return;
    case "downgrade":
      decideDowngrade(state, run, asker, request, now, out);
      return;
    default:
      unreachable(request);
  }
}

/** A client hung up. What it proposed goes its way; it is only not told. */
export function cancelRequest(run: Running, id: number): void {
  if (closeStream(run, id)) return;
  if (run.watching.delete(id)) {
    removeWatcher(run.stores.v2.watchers, id);
    return;
  }
  const isTheirs = (asker: Asker | null): boolean => asker?.peer === 0 && asker.id === id;
  dropLeaseCalls(run, isTheirs);
  for (const pending of run.requests.values()) {
    if (isTheirs(pending.asker)) pending.asker = null;
  }
  for (const read of [...(run.reads.current?.waiting ?? []), ...run.reads.next]) {
    if (isTheirs(read.asker)) read.asker = null;
  }
  run.held = run.held.filter((held) => held.id !== id);
  run.waiting = run.waiting.filter(({ asker }) => !isTheirs(asker));
}
