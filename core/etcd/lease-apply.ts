import type { Micros, Sink } from "../kernel/index.js";
import type { LeaseId } from "./client.js";
import { checkpointLease, dropLease, grantLease, LEASE_TTL_MAX, leaseSettings } from "./lease.js";
import type { LeaseResult, LeaseWrite } from "./lease-api.js";
import type { Row } from "./mvcc.js";
import type { EtcdState, Running } from "./state.js";
import type { V3Failure } from "./v3-api.js";
import { deleteLeasedKeys, KV_ERROR } from "./v3-apply.js";

/** Whether an id names a lease: 0 is none. */
export function isLeaseId(id: LeaseId | undefined): id is LeaseId {
  return id !== undefined && /[^0]/.test(id);
}

/** Applies what the log says of leases. `isNews`: this member had not applied it before it last stopped. */
export function applyLease(
  state: EtcdState,
  run: Running,
  write: LeaseWrite,
  isNews: boolean,
  now: Micros,
  changed: Sink<readonly Row[]>,
): LeaseResult | V3Failure {
  const { mvcc, lessor, clusterVersion } = run.stores;
  const settings = leaseSettings(state.config);
  switch (write.op) {
    case "lease-grant": {
      const { id } = write;
      if (!isLeaseId(id)) return KV_ERROR.leaseNotFound;
      if (write.ttl > LEASE_TTL_MAX) return KV_ERROR.leaseTtlTooLarge;
      if (lessor.leases.has(id)) return KV_ERROR.leaseExists;
      const ttl = grantLease(lessor, id, write.ttl, settings, now);
      return { op: "lease-grant", id, ttl };
    }
    case "lease-revoke":
      if (!lessor.leases.has(write.id)) return KV_ERROR.leaseNotFound;
      deleteLeasedKeys(mvcc, dropLease(lessor, write.id), changed);
      return { op: "lease-revoke" };
    case "lease-checkpoint": {
      const saved = state.config.leaseCheckpointPersist || isAtLeast36(clusterVersion);
      // What was not saved is forgotten with the process, though the entry is still in the log.
      if (!saved && !isNews) return { op: "lease-checkpoint" };
      for (const { id, remainingTtl } of write.checkpoints) {
        checkpointLease(lessor, id, remainingTtl, saved, settings, now);
      }
      return { op: "lease-checkpoint" };
    }
  }
}

/** Since 3.6 checkpoints are saved whatever the members are told. */
function isAtLeast36(clusterVersion: string): boolean {
  const [major = 0, minor = 0] = clusterVersion.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 6);
}
