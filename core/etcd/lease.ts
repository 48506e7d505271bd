import { type Micros, SECOND } from "../kernel/index.js";
import type { LeaseId } from "./client.js";

/** A lease, as every member knows it. */
export interface Lease {
  readonly id: LeaseId;
  /** Granted time to live in seconds. */
  readonly ttl: number;
}

/** Leases and what hangs on them. `expiresAt` is known to the leader only (etcd: the primary lessor). */
export interface Lessor {
  leases: Map<LeaseId, Lease>;
  /** Lease of every key that has one. */
  byKey: Map<string, LeaseId>;
  keys: Map<LeaseId, Set<string>>;
  expiresAt: Map<LeaseId, Micros>;
  /** No lease expires before this; null while none can. */
  nextExpiry: Micros | null;
}

/** Leases as snapshots carry them; the keys follow from the key space. */
export interface LessorImage {
  readonly leases: readonly Lease[];
}

/** etcd's bound on a time to live, in seconds. */
export const LEASE_TTL_MAX = 9_000_000_000;

export function createLessor(): Lessor {
  return {
    leases: new Map(),
    byKey: new Map(),
    keys: new Map(),
    expiresAt: new Map(),
    nextExpiry: null,
  };
}

/** Grants a lease that does not exist yet; the leader lets it run from `now`. */
export function grantLease(lessor: Lessor, lease: Lease, primary: boolean, now: Micros): void {
  lessor.leases.set(lease.id, lease);
  lessor.keys.set(lease.id, new Set());
  if (primary) setExpiry(lessor, lease.id, now + lease.ttl * SECOND);
}

/** Drops a lease and returns its keys, ascending, for the caller to delete. */
export function dropLease(lessor: Lessor, id: LeaseId): readonly string[] {
  const keys = [...(lessor.keys.get(id) ?? [])].sort();
  for (const key of keys) lessor.byKey.delete(key);
  lessor.keys.delete(id);
  lessor.leases.delete(id);
  lessor.expiresAt.delete(id);
  return keys;
}

/** Hangs a key on a lease, or ("") on none. */
export function attachKey(lessor: Lessor, key: string, id: LeaseId): void {
  const old = lessor.byKey.get(key);
  if (old !== undefined) {
    lessor.keys.get(old)?.delete(key);
    lessor.byKey.delete(key);
  }
  if (id === "") return;
  lessor.byKey.set(key, id);
  lessor.keys.get(id)?.add(key);
}

/** Begins a leader's time: every lease runs its full time again, and one election timeout more. */
export function promoteLessor(lessor: Lessor, extend: Micros, now: Micros): void {
  for (const lease of lessor.leases.values()) {
    setExpiry(lessor, lease.id, now + lease.ttl * SECOND + extend);
  }
}

/** Ends it: only a leader lets leases expire. */
export function demoteLessor(lessor: Lessor): void {
  if (lessor.expiresAt.size > 0) lessor.expiresAt.clear();
  lessor.nextExpiry = null;
}

/** Lets a lease run its full time again; its time to live in seconds, or null if it is not there. */
export function renewLease(lessor: Lessor, id: LeaseId, now: Micros): number | null {
  const lease = lessor.leases.get(id);
  if (lease === undefined) return null;
  setExpiry(lessor, id, now + lease.ttl * SECOND);
  return lease.ttl;
}

/** Leases whose time is up, the earliest first, at most `limit`. */
export function expiredLeases(lessor: Lessor, now: Micros, limit: number): LeaseId[] {
  if (lessor.nextExpiry === null || lessor.nextExpiry > now) return [];
  const due: { id: LeaseId; at: Micros }[] = [];
  let next: Micros | null = null;
  for (const [id, at] of lessor.expiresAt) {
    if (at <= now) due.push({ id, at });
    else if (next === null || at < next) next = at;
  }
  due.sort((left, right) => left.at - right.at || (left.id < right.id ? -1 : 1));
  if (due.length === 0) lessor.nextExpiry = next;
  return due.slice(0, limit).map(({ id }) => id);
}

function setExpiry(lessor: Lessor, id: LeaseId, at: Micros): void {
  lessor.expiresAt.set(id, at);
  if (lessor.nextExpiry === null || at < lessor.nextExpiry) lessor.nextExpiry = at;
}

export function imageOfLessor(lessor: Lessor): LessorImage {
  return { leases: [...lessor.leases.values()].map(({ id, ttl }) => ({ id, ttl })) };
}

/** Puts an image in the place of all leases. Keys are attached again by the caller. */
export function restoreLessor(lessor: Lessor, image: LessorImage): void {
  const fresh = createLessor();
  for (const lease of image.leases) {
    fresh.leases.set(lease.id, lease);
    fresh.keys.set(lease.id, new Set());
  }
  lessor.leases = fresh.leases;
  lessor.byKey = fresh.byKey;
  lessor.keys = fresh.keys;
  demoteLessor(lessor);
}
