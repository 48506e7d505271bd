import type { Micros } from "../kernel/index.js";
import { asRoot } from "./auth-check.js";
import type { LeaseWrite } from "./lease-api.js";
import { newOrigin, proposeFor } from "./propose.js";
import type { EtcdOut } from "./reply.js";
import type { EtcdState, Running } from "./state.js";

/** A leader whose loop has not turned for so many ticks asks the others whether it still leads. */
const ACTIVE_TICKS = 3;

/**
 * Whether the server takes itself for the leader. While it writes to a slow disk it learns nothing from raft,
 * and so not that it has lost the lead: its lessor stays primary.
 */
export function takesItselfForLeader(run: Running): boolean {
  return run.node.role === "leader" || (run.saving !== null && run.stores.lessor.primary);
}

/** Whether it may let leases expire and renew them; where the release has #17465 it never doubts that. */
export function leadsLeases(state: EtcdState, run: Running, now: Micros): boolean {
  if (!takesItselfForLeader(run)) return false;
  const { profile, tick } = state.config;
  if (profile.leasesKeptByOldLeader || run.saving === null) return true;
  return now - run.saving.since < ACTIVE_TICKS * tick;
}

/** Proposes what the lessor wants of itself; the number of the request, or null if raft did not take it. */
export function proposeLeaseWrite(
  state: EtcdState,
  run: Running,
  write: LeaseWrite,
  now: Micros,
  out: EtcdOut,
): number | null {
  const origin = newOrigin(run);
  const auth = write.op === "lease-revoke" ? asRoot(run) : null;
  const data = { kind: "v3", origin, write, ...(auth && { auth }) } as const;
  const error = proposeFor(state, run, null, "lease", data, now, out);
  if (error === null) return origin.request;
  run.requests.delete(origin.request);
  return null;
}
