import type { Micros } from "../kernel/index.js";
import { dueCheckpoints, expiredLeases, REVOKES_PER_SECOND } from "./lease.js";
import { leadsLeases, proposeLeaseWrite } from "./lease-lead.js";
import { requestTimeout } from "./propose.js";
import type { EtcdOut } from "./reply.js";
import type { EtcdState, Running } from "./state.js";

/** Revocations of one round that are under way at a time. */
const REVOKES_PENDING = 16;

/** Checkpoints in one entry. */
const CHECKPOINTS_PER_ENTRY = 1000;
const CHECKPOINT_ENTRIES_PER_ROUND = 500;

/** How many rounds a second look for expired leases. */
const ROUNDS_PER_SECOND = 2;

/** Looks for leases that have expired or want a checkpoint. Source: the lessor's loop, each 500 ms. */
export function tendLeases(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  const { lessor } = run.stores;
  if (!lessor.primary) return;
  if (leadsLeases(state, run, now)) {
    const limit = REVOKES_PER_SECOND / ROUNDS_PER_SECOND;
    const waiting = expiredLeases(lessor, limit, requestTimeout(state), now);
    if (waiting.length > 0) run.revokes.push({ waiting, pending: [] });
    proposeCheckpoints(state, run, now, out);
  }
  continueRevokes(state, run, now, out);
}

/** Proposes revocations while fewer than 16 of their round wait to be applied. */
export function continueRevokes(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  if (run.revokes.length === 0) return;
  for (const round of run.revokes) {
    round.pending = round.pending.filter((request) => run.requests.has(request));
    while (round.pending.length < REVOKES_PENDING) {
      const id = round.waiting.shift();
      if (id === undefined) break;
      const request = proposeLeaseWrite(state, run, { op: "lease-revoke", id }, now, out);
      if (request !== null) round.pending.push(request);
    }
  }
  run.revokes = run.revokes.filter((round) => round.pending.length > 0);
}

function proposeCheckpoints(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  for (let entries = 0; entries < CHECKPOINT_ENTRIES_PER_ROUND; entries++) {
    const checkpoints = dueCheckpoints(run.stores.lessor, CHECKPOINTS_PER_ENTRY, now);
    if (checkpoints.length === 0) return;
    proposeLeaseWrite(state, run, { op: "lease-checkpoint", checkpoints }, now, out);
  }
}
