import type { LeaseId } from "./client.js";

/** Requests of etcd's Lease service. A stream of keep-alives is one request after the other. */
export type LeaseRequest =
  /** `ttl` in seconds. Id absent or "": the member chooses. */
  | { readonly op: "lease-grant"; readonly ttl: number; readonly id?: LeaseId }
  | { readonly op: "lease-revoke"; readonly id: LeaseId }
  | { readonly op: "lease-keep-alive"; readonly id: LeaseId }
  | { readonly op: "lease-time-to-live"; readonly id: LeaseId; readonly keys?: boolean }
  | { readonly op: "lease-list" };

/** What the log carries of leases. */
export type LeaseWrite =
  | { readonly op: "lease-grant"; readonly ttl: number; readonly id: LeaseId }
  | { readonly op: "lease-revoke"; readonly id: LeaseId }
  /** How many seconds leases have left, so that a new leader need not begin anew. */
  | {
      readonly op: "lease-checkpoint";
      readonly checkpoints: readonly { readonly id: LeaseId; readonly remainingTtl: number }[];
    };

export type LeaseResult =
  | { readonly op: "lease-grant"; readonly id: LeaseId; readonly ttl: number }
  | { readonly op: "lease-revoke" }
  | { readonly op: "lease-checkpoint" }
  /** Seconds; 0 for a lease that is not there. */
  | { readonly op: "lease-keep-alive"; readonly id: LeaseId; readonly ttl: number }
  /** `ttl` is -1 for a lease that is not there. */
  | {
      readonly op: "lease-time-to-live";
      readonly id: LeaseId;
      readonly ttl: number;
      readonly grantedTtl: number;
      readonly keys: readonly string[];
    }
  | { readonly op: "lease-list"; readonly leases: readonly LeaseId[] };
