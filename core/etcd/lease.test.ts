import { describe, expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import {
  attachKey,
  checkpointLease,
  createLessor,
  demoteLessor,
  dropLease,
  dueCheckpoints,
  expiredLeases,
  expiryOf,
  grantLease,
  imageOfLessor,
  type Lessor,
  leasesByExpiry,
  promoteLessor,
  renewLease,
  restoreLessor,
} from "./lease.js";

const SETTINGS = { minTtl: 2, checkpointInterval: null };
const WITH_CHECKPOINTS = { minTtl: 2, checkpointInterval: 300 * SECOND };
const RETRY = 7 * SECOND;

function id(number: number): string {
  return number.toString(16).padStart(16, "0");
}

/** A leader's lessor with leases of the given times to live, numbered from 1. */
function primary(...ttls: readonly number[]): Lessor {
  const lessor = createLessor();
  promoteLessor(lessor, 0, SETTINGS, 0);
  for (const [i, ttl] of ttls.entries()) grantLease(lessor, id(i + 1), ttl, SETTINGS, 0);
  return lessor;
}

describe("expiry", () => {
  test("names leases whose time is up, the earliest first, and again while they are not revoked", () => {
    const lessor = primary(5, 3, 9);
    expect(expiredLeases(lessor, 500, RETRY, 3 * SECOND - 1)).toEqual([]);
    expect(expiredLeases(lessor, 500, RETRY, 5 * SECOND)).toEqual([id(2), id(1)]);
    expect(expiredLeases(lessor, 500, RETRY, 6 * SECOND)).toEqual([]);
    dropLease(lessor, id(2));
    expect(expiredLeases(lessor, 500, RETRY, 12 * SECOND)).toEqual([id(3), id(1)]);
  });

  test("names no more than asked for", () => {
    const lessor = primary(...Array.from({ length: 10 }, () => 5));
    expect(expiredLeases(lessor, 4, RETRY, 5 * SECOND)).toHaveLength(4);
    expect(expiredLeases(lessor, 10, RETRY, 5 * SECOND)).toHaveLength(6);
  });

  test("is put off by a renewal", () => {
    const lessor = primary(5);
    const lease = lessor.leases.get(id(1));
    if (lease === undefined) throw new Error("no lease");
    for (let at = 4; at < 40; at += 4) renewLease(lessor, lease, at * SECOND);
    expect(expiredLeases(lessor, 1, RETRY, 40 * SECOND)).toEqual([]);
    expect(lessor.expiries).toHaveLength(1);
    expect(expiredLeases(lessor, 1, RETRY, 41 * SECOND)).toEqual([id(1)]);
  });

  test("comes to no lease of a lessor that is not primary", () => {
    const lessor = primary(5);
    demoteLessor(lessor);
    grantLease(lessor, id(2), 5, SETTINGS, 0);
    expect(expiredLeases(lessor, 9, RETRY, 99 * SECOND)).toEqual([]);
    expect(expiryOf(lessor, id(1))).toBeNull();
  });
});

describe("a new leader", () => {
  test("lets every lease run its full time again, and one election timeout more", () => {
    const lessor = primary(5);
    demoteLessor(lessor);
    promoteLessor(lessor, SECOND, SETTINGS, 100 * SECOND);
    expect(expiryOf(lessor, id(1))).toBe(106 * SECOND);
  });

  test("spreads out leases that would expire together, where there are a thousand", () => {
    const many = (count: number): number[] => {
      const lessor = primary(...Array.from({ length: count }, () => 10));
      demoteLessor(lessor);
      promoteLessor(lessor, 0, SETTINGS, 0);
      const perSecond: number[] = [];
      for (const { id: lease } of leasesByExpiry(lessor)) {
        const second = Math.floor((expiryOf(lessor, lease) ?? 0) / SECOND);
        perSecond[second] = (perSecond[second] ?? 0) + 1;
      }
      return perSecond.filter((leases) => leases > 0);
    };
    expect(many(999)).toEqual([999]);
    const spread = many(3000);
    expect(spread.length).toBeGreaterThanOrEqual(4);
    expect(Math.max(...spread)).toBeLessThanOrEqual(1000);
  });
});

describe("checkpoints", () => {
  /** A lessor with a lease of an hour, as it is after `seconds` on the leader. */
  function lessorAt(seconds: number): Lessor {
    const lessor = createLessor();
    promoteLessor(lessor, 0, WITH_CHECKPOINTS, 0);
    grantLease(lessor, id(1), 3600, WITH_CHECKPOINTS, 0);
    for (let at = 0; at <= seconds; at += 50) {
      for (const { id: lease, remainingTtl } of dueCheckpoints(lessor, 1000, at * SECOND)) {
        checkpointLease(lessor, lease, remainingTtl, false, WITH_CHECKPOINTS, at * SECOND);
      }
    }
    return lessor;
  }

  test("are made every five minutes while more than that is left", () => {
    expect(lessorAt(299).leases.get(id(1))?.remainingTtl).toBe(0);
    expect(lessorAt(300).leases.get(id(1))?.remainingTtl).toBe(3300);
    expect(lessorAt(950).leases.get(id(1))?.remainingTtl).toBe(2700);
    expect(lessorAt(3500).leases.get(id(1))?.remainingTtl).toBe(300);
  });

  test("tell a new leader how long leases still run", () => {
    const lessor = lessorAt(1250);
    demoteLessor(lessor);
    promoteLessor(lessor, SECOND, WITH_CHECKPOINTS, 1300 * SECOND);
    expect(expiryOf(lessor, id(1))).toBe((1300 + 2400 + 1) * SECOND);
  });

  test("outlast a snapshot only if they are saved", () => {
    for (const saved of [false, true]) {
      const lessor = createLessor();
      grantLease(lessor, id(1), 3600, WITH_CHECKPOINTS, 0);
      checkpointLease(lessor, id(1), 100, saved, WITH_CHECKPOINTS, 0);
      const restored = createLessor();
      restoreLessor(restored, imageOfLessor(lessor));
      promoteLessor(restored, 0, WITH_CHECKPOINTS, 0);
      expect(expiryOf(restored, id(1))).toBe((saved ? 100 : 3600) * SECOND);
    }
  });

  test("are not made of what ends sooner", () => {
    const lessor = createLessor();
    promoteLessor(lessor, 0, WITH_CHECKPOINTS, 0);
    grantLease(lessor, id(1), 300, WITH_CHECKPOINTS, 0);
    expect(lessor.checkpoints).toEqual([]);
  });
});

test("a key hangs on one lease at a time, and a dropped lease gives its keys in order", () => {
  const lessor = primary(5, 5);
  for (const key of ["b", "a", "c"]) attachKey(lessor, key, id(1));
  attachKey(lessor, "c", id(2));
  attachKey(lessor, "a", "");
  attachKey(lessor, "a", id(1));
  expect(dropLease(lessor, id(1))).toEqual(["a", "b"]);
  expect([...lessor.byKey]).toEqual([["c", id(2)]]);
});
