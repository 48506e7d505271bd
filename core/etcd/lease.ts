import { type Micros, SECOND } from "../kernel/index.js";
import type { LeaseId } from "./client.js";
import type { ResolvedEtcdConfig } from "./config.js";
import { type LeaseQueue, popDue, pushLease } from "./lease-queue.js";

/** A lease, as every member knows it. */
export interface Lease {
  readonly id: LeaseId;
  /** Granted time to live in seconds. */
  readonly ttl: number;
  /** Seconds it had left at the last checkpoint; 0 for no checkpoint since it was granted or renewed. */
  remainingTtl: number;
  /** The same, as a snapshot or a restart finds it. */
  savedRemainingTtl: number;
}

/** Times of a lease that runs. */
interface Clock {
  expiresAt: Micros;
  /** When the lessor looks next whether it has expired: later, once its revocation is under way. */
  lookAt: Micros;
}

/**
 * Leases and what hangs on them. Only the leader's lessor is primary: there leases run, everywhere else they last
 * for ever. Source: etcd's lease/lessor.go.
 */
export interface Lessor {
  leases: Map<LeaseId, Lease>;
  /** Lease of every key that has one. */
  byKey: Map<string, LeaseId>;
  keys: Map<LeaseId, Set<string>>;
  primary: boolean;
  clocks: Map<LeaseId, Clock>;
  /** At least one entry for every clock, not after its `lookAt`. */
  expiries: LeaseQueue;
  checkpoints: LeaseQueue;
}

/** Leases as snapshots carry them; the keys follow from the key space. */
export interface LessorImage {
  readonly leases: readonly {
    readonly id: LeaseId;
    readonly ttl: number;
    readonly remainingTtl: number;
  }[];
}

/** What a lessor is told by its member's configuration. */
export interface LeaseSettings {
  /** The shortest time to live, in seconds. */
  readonly minTtl: number;
  /** Time between two checkpoints of a lease; null where none are made. */
  readonly checkpointInterval: Micros | null;
}

/** etcd's bound on a time to live, in seconds. */
export const LEASE_TTL_MAX = 9_000_000_000;

/** Leases whose revocation a lessor asks for in a second. */
export const REVOKES_PER_SECOND = 1000;

export function leaseSettings(config: ResolvedEtcdConfig): LeaseSettings {
  const { electionTicks, tick, leaseCheckpoint, leaseCheckpointInterval } = config;
  return {
    minTtl: Math.ceil((Math.floor((3 * electionTicks) / 2) * tick) / SECOND),
    checkpointInterval: leaseCheckpoint ? leaseCheckpointInterval : null,
  };
}

export function createLessor(): Lessor {
  return {
    leases: new Map(),
    byKey: new Map(),
    keys: new Map(),
    primary: false,
    clocks: new Map(),
    expiries: [],
    checkpoints: [],
  };
}

/** Grants a lease that does not exist yet; returns its time to live in seconds, which is not below the floor. */
export function grantLease(
  lessor: Lessor,
  id: LeaseId,
  ttl: number,
  settings: LeaseSettings,
  now: Micros,
): number {
  const lease = newLease(lessor, id, Math.max(ttl, settings.minTtl), 0);
  if (!lessor.primary) return lease.ttl;
  refresh(lessor, lease, 0, now);
  planCheckpoint(lessor, lease, settings, now);
  return lease.ttl;
}

function newLease(lessor: Lessor, id: LeaseId, ttl: number, remainingTtl: number): Lease {
  const lease: Lease = { id, ttl, remainingTtl, savedRemainingTtl: remainingTtl };
  lessor.leases.set(id, lease);
  lessor.keys.set(id, new Set());
  return lease;
}

/** Drops a lease and returns its keys, ascending, for the caller to delete. */
export function dropLease(lessor: Lessor, id: LeaseId): readonly string[] {
  const keys = keysOfLease(lessor, id);
  for (const key of keys) lessor.byKey.delete(key);
  lessor.keys.delete(id);
  lessor.leases.delete(id);
  lessor.clocks.delete(id);
  return keys;
}

/** The keys of a lease, ascending. */
export function keysOfLease(lessor: Lessor, id: LeaseId): string[] {
  return [...(lessor.keys.get(id) ?? [])].sort();
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

/**
 * Begins a leader's time: every lease runs the time it has left by its last checkpoint, or its full time, and
 * `extend` more. Where too many would expire at once, they are spread out.
 */
export function promoteLessor(
  lessor: Lessor,
  extend: Micros,
  settings: LeaseSettings,
  now: Micros,
): void {
  lessor.primary = true;
  for (const lease of lessor.leases.values()) {
    refresh(lessor, lease, extend, now);
    planCheckpoint(lessor, lease, settings, now);
  }
  if (lessor.leases.size >= REVOKES_PER_SECOND) spread(lessor, extend, settings, now);
}

/** Three quarters of what can be revoked may expire within a window of a second; each lease more waits longer. */
function spread(lessor: Lessor, extend: Micros, settings: LeaseSettings, now: Micros): void {
  const rate = (3 * REVOKES_PER_SECOND) / 4;
  const leases = leasesByExpiry(lessor);
  let base = leftOf(lessor, leases[0], now);
  let windowEnd = base + SECOND;
  let expiring = 0;
  for (const lease of leases) {
    const left = leftOf(lessor, lease, now);
    if (left > windowEnd) {
      base = left;
      windowEnd = base + SECOND;
      expiring = 1;
      continue;
    }
    expiring++;
    if (expiring <= rate) continue;
    const delay = Math.floor((SECOND * expiring) / rate) - (left - base);
    windowEnd = base + delay;
    refresh(lessor, lease, delay + extend, now);
    planCheckpoint(lessor, lease, settings, now);
  }
}

function leftOf(lessor: Lessor, lease: Lease | undefined, now: Micros): Micros {
  return (lessor.clocks.get(lease?.id ?? "")?.expiresAt ?? now) - now;
}

/** Ends it: only a leader lets leases expire. */
export function demoteLessor(lessor: Lessor): void {
  lessor.primary = false;
  if (lessor.clocks.size > 0) lessor.clocks.clear();
  lessor.expiries = [];
  lessor.checkpoints = [];
}

/** Leases by the time they have left; of those that last for ever, and of equals, by id. */
export function leasesByExpiry(lessor: Lessor): Lease[] {
  const at = ({ id }: Lease): number =>
    lessor.clocks.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY;
  const leases = [...lessor.leases.values()].map((lease) => ({ lease, at: at(lease) }));
  leases.sort((left, right) => {
    if (left.at !== right.at) return left.at - right.at;
    return left.lease.id < right.lease.id ? -1 : 1;
  });
  return leases.map(({ lease }) => lease);
}

/** When a lease expires; null for one that lasts for ever here, or is not there. */
export function expiryOf(lessor: Lessor, id: LeaseId): Micros | null {
  return lessor.clocks.get(id)?.expiresAt ?? null;
}

/** Lets a lease of a primary lessor run anew. */
export function renewLease(lessor: Lessor, lease: Lease, now: Micros): void {
  refresh(lessor, lease, 0, now);
}

function refresh(lessor: Lessor, lease: Lease, extend: Micros, now: Micros): void {
  const expiresAt = now + extend + (lease.remainingTtl || lease.ttl) * SECOND;
  const clock = lessor.clocks.get(lease.id);
  lessor.clocks.set(lease.id, { expiresAt, lookAt: expiresAt });
  // An entry of an earlier time finds the later one when it comes up.
  if (clock === undefined || expiresAt < clock.lookAt) {
    pushLease(lessor.expiries, { id: lease.id, at: expiresAt });
  }
}

/** At most `limit` leases whose time is up; each is named again after `retry` if it is still there then. */
export function expiredLeases(
  lessor: Lessor,
  limit: number,
  retry: Micros,
  now: Micros,
): LeaseId[] {
  const expired: LeaseId[] = [];
  while (expired.length < limit) {
    const due = popDue(lessor.expiries, now);
    if (due === null) break;
    const clock = lessor.clocks.get(due.id);
    if (clock === undefined) continue;
    if (clock.lookAt <= now) {
      clock.lookAt = now + retry;
      if (clock.expiresAt <= now) expired.push(due.id);
    }
    pushLease(lessor.expiries, { id: due.id, at: clock.lookAt });
  }
  return expired;
}

/** Only what lasts longer than the interval is worth a checkpoint. */
function planCheckpoint(
  lessor: Lessor,
  lease: Lease,
  { checkpointInterval }: LeaseSettings,
  now: Micros,
): void {
  if (checkpointInterval === null) return;
  if ((lease.remainingTtl || lease.ttl) * SECOND <= checkpointInterval) return;
  pushLease(lessor.checkpoints, { id: lease.id, at: now + checkpointInterval });
}

/** At most `limit` leases that are due for a checkpoint, with the seconds they have left. */
export function dueCheckpoints(
  lessor: Lessor,
  limit: number,
  now: Micros,
): { readonly id: LeaseId; readonly remainingTtl: number }[] {
  const due: { id: LeaseId; remainingTtl: number }[] = [];
  while (due.length < limit) {
    const item = popDue(lessor.checkpoints, now);
    if (item === null) break;
    const lease = lessor.leases.get(item.id);
    const expiresAt = expiryOf(lessor, item.id);
    if (lease === undefined || expiresAt === null || expiresAt <= now) continue;
    const remainingTtl = Math.ceil((expiresAt - now) / SECOND);
    if (remainingTtl < lease.ttl) due.push({ id: lease.id, remainingTtl });
  }
  return due;
}

/** Takes in a checkpoint, which counts when a lessor becomes primary; `saved` if it also outlasts a restart. */
export function checkpointLease(
  lessor: Lessor,
  id: LeaseId,
  remainingTtl: number,
  saved: boolean,
  settings: LeaseSettings,
  now: Micros,
): void {
  const lease = lessor.leases.get(id);
  if (lease === undefined) return;
  lease.remainingTtl = remainingTtl;
  if (saved) lease.savedRemainingTtl = remainingTtl;
  if (lessor.primary) planCheckpoint(lessor, lease, settings, now);
}

export function imageOfLessor(lessor: Lessor): LessorImage {
  const leases = [...lessor.leases.values()];
  return {
    leases: leases.map(({ id, ttl, savedRemainingTtl }) => ({
      id,
      ttl,
      remainingTtl: savedRemainingTtl,
    })),
  };
}

/** Puts an image in the place of all leases. Keys are attached again by the caller. */
export function restoreLessor(lessor: Lessor, image: LessorImage): void {
  lessor.leases = new Map();
  lessor.byKey = new Map();
  lessor.keys = new Map();
  for (const { id, ttl, remainingTtl } of image.leases) newLease(lessor, id, ttl, remainingTtl);
  demoteLessor(lessor);
}
