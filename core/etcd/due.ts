import { MILLISECOND, type Micros } from "../kernel/index.js";
import { reportSnapshot } from "../raft/index.js";
import { tendClusterVersion } from "./downgrade.js";
import { dropLeaseCalls } from "./lease-calls.js";
import { tendLeases } from "./lease-expiry.js";
import { keepConnected } from "./messages.js";
import { newOrigin, proposeFor, submit } from "./propose.js";
import { tendReads } from "./reads.js";
import { type EtcdOut, failRequest, reply, SERVER_ERROR } from "./reply.js";
import type { EtcdState, Running } from "./state.js";
import { timeoutText } from "./timeout.js";
import { hasExpiringKeys } from "./v2store.js";
import { v3Failure } from "./v3-api.js";
import { endLeaderlessStreams, NO_LEADER } from "./watch-requests.js";

/** How often a leader looks for expired keys and leases. */
const EXPIRY_INTERVAL: Micros = 500 * MILLISECOND;

/** How often in a row a member finds no leader before it ends the streams of clients that require one. */
const LEADERLESS_MAX = 3;

/** Does what became due since the last time; a tick calls it only when `run.nextDue` has come. */
export function tendDue(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  seekLeader(state, run, now, out);
  run.nextDue = Math.min(now + EXPIRY_INTERVAL, run.leaderless.checkAt);
  keepConnected(run, now, out);
  tendClusterVersion(state, run, now, out);
  failLateRequests(state, run, now, out);
  tendReads(run, now, out);
  if (run.node.role === "leader") proposeExpiry(run, now, out);
  tendLeases(state, run, now, out);
  for (const [peer, deadline] of run.snapshotsSent) {
    if (deadline > now) continue;
    run.snapshotsSent.delete(peer);
    reportSnapshot(run.node, peer, "failed", out.facts);
  }
  const { transfer } = run;
  if (transfer !== null && transfer.deadline <= now) {
    run.transfer = null;
    reply(transfer.asker, v3Failure("Unknown", SERVER_ERROR.timeoutTransfer), true, out);
  }
}

/** Looks for a leader every election timeout; when it is missed too often, streams that require it end. */
function seekLeader(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  const { leaderless } = run;
  if (leaderless.checkAt > now) return;
  leaderless.checkAt = now + state.config.electionTicks * state.config.tick;
  leaderless.count = run.node.lead === 0 ? leaderless.count + 1 : 0;
  if (leaderless.count < LEADERLESS_MAX) return;
  endLeaderlessStreams(run, out);
  for (const asker of dropLeaseCalls(run, ({ requireLeader }) => requireLeader === true)) {
    reply(asker, NO_LEADER, true, out);
  }
}

function failLateRequests(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  const { config } = state;
  const before = run.requests.size;
  // All wait equally long, so the oldest is due first.
  for (const [request, { asker, purpose, since, deadline, after }] of run.requests) {
    if (deadline > now) break;
    run.requests.delete(request);
    if (asker !== null && after?.kind === "tell") {
      reply(asker, after.answer, true, out);
    } else if (asker !== null && purpose === "v3" && isUnsent(run, request)) {
      // Without a leader it was never proposed: the error is that of Go's context, and not of etcd.
      const code = config.profile.contextErrorsUnknown ? "Unknown" : "DeadlineExceeded";
      reply(asker, v3Failure(code, "context deadline exceeded"), true, out);
    } else if (asker !== null) {
      const error = timeoutText(run, since, config.electionTicks * config.tick, now);
      failRequest(asker, purpose, error, out);
    } else if (purpose === "publish") {
      proposePublish(state, run, now, out);
    }
  }
  if (before === run.requests.size || run.unsent.length === 0) return;
  run.unsent = run.unsent.filter(({ data }) => run.requests.has(data.origin.request));
}

function isUnsent(run: Running, request: number): boolean {
  return run.unsent.some(({ data }) => data.origin.request === request);
}

/** Tells the cluster the member's name and client URLs, over and over until it is heard. */
export function proposePublish(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  const { name, clientUrls } = state.config;
  const origin = newOrigin(run);
  const data = { kind: "publish", origin, member: run.memberId, name, clientUrls } as const;
  proposeFor(state, run, null, "publish", data, now, out);
}

function proposeExpiry(run: Running, now: Micros, out: EtcdOut): void {
  if (hasExpiringKeys(run.stores.v2)) {
    submit(run, { kind: "v2-sync", origin: newOrigin(run), cutoff: now }, out);
  }
}
