import { describe, expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import type { EtcdConfig } from "./config.js";
import type { ClientReply } from "./events.js";
import type { LeaseRequest } from "./lease-api.js";
import {
  ask,
  crash,
  hear,
  runFor,
  runUntil,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
} from "./testing/cluster.js";
import { answerOf, heardInShort, openWatches, put, watch } from "./testing/watching.js";

const NAMES = ["a", "b", "c"];
const ID = "0000000000000007";

interface Trio {
  readonly cluster: TestCluster;
  readonly leader: string;
  readonly others: readonly [string, string];
}

function trio(config: Partial<EtcdConfig> = {}): Trio {
  const cluster = startCluster({ names: NAMES, config });
  const leader = settleCluster(cluster);
  runFor(cluster, SECOND);
  const [one = "", two = ""] = NAMES.filter((name) => name !== leader);
  return { cluster, leader, others: [one, two] };
}

function grant(cluster: TestCluster, member: string, ttl: number, id = ID): number {
  const answer = answerOf(cluster, member, { op: "lease-grant", ttl, id });
  if (!answer.ok || answer.result.op !== "lease-grant") throw new Error(JSON.stringify(answer));
  return answer.result.ttl;
}

/** What a member answers, its header aside. */
function told(cluster: TestCluster, member: string, request: LeaseRequest): unknown {
  const answer = answerOf(cluster, member, request);
  return answer.ok ? answer.result : answer.message;
}

function keepAlive(cluster: TestCluster, member: string, id = ID): unknown {
  return told(cluster, member, { op: "lease-keep-alive", id });
}

function cutOff(cluster: TestCluster, name: string): void {
  for (const other of NAMES) cluster.cut.add(`${name}>${other}`).add(`${other}>${name}`);
}

function firstReply(cluster: TestCluster, id: number): ClientReply | undefined {
  runUntil(cluster, () => cluster.replies.has(id), 20 * SECOND);
  return cluster.replies.get(id)?.[0];
}

describe("a grant", () => {
  test("gives at least one and a half election timeouts, at most 9,000,000,000 s, and each id once", () => {
    const { cluster, leader } = trio();
    expect(grant(cluster, leader, 0)).toBe(2);
    expect(grant(cluster, leader, -5, "ffffffffffffffff")).toBe(2);
    const again = { op: "lease-grant", ttl: 9, id: ID } as const;
    expect(told(cluster, leader, again)).toBe("etcdserver: lease already exists");
    const long = { ...again, id: "01", ttl: 9_000_000_001 };
    expect(told(cluster, leader, long)).toBe("etcdserver: too large lease TTL");
    expect(told(cluster, leader, { ...long, ttl: 9_000_000_000 })).toMatchObject({ ttl: 9e9 });
  });

  test("without an id gets one of the member's bits, its start and a count", () => {
    const { cluster, leader } = trio();
    const free = { op: "lease-grant", ttl: 9 } as const;
    const ids = [free, { ...free, id: "0000000000000000" }].map((request) => {
      const answer = answerOf(cluster, leader, request);
      if (!answer.ok || answer.result.op !== "lease-grant") throw new Error("not granted");
      return BigInt(`0x${answer.result.id}`);
    });
    const member = BigInt(`0x${stateOf(cluster, leader).run?.memberId}`) & 0x7fffn;
    expect(ids.map((id) => id >> 48n)).toEqual([member, member]);
    expect(ids[1]).toBeGreaterThan(ids[0] ?? 0n);
  });
});

describe("a lease", () => {
  test("ends within half a second of its time, with its keys in one revision", () => {
    const { cluster, leader } = trio();
    grant(cluster, leader, 5);
    for (const key of ["y", "x"]) put(cluster, leader, key, "v", ID);
    const stream = openWatches(cluster, leader);
    watch(stream, { key: "a", rangeEnd: "\0" });
    const from = cluster.now;
    runUntil(cluster, () => (cluster.replies.get(stream.id)?.length ?? 0) > 1);
    expect(heardInShort(stream)).toEqual(["0@3 created", "0@4 -x@4 -y@4"]);
    expect(cluster.now - from).toBeLessThan(5.6 * SECOND);
    expect(told(cluster, leader, { op: "lease-list" })).toEqual({ op: "lease-list", leases: [] });
  });

  test("lives on while any member is told that its client does", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 3);
    for (let i = 0; i < 6; i++) {
      runFor(cluster, 2 * SECOND);
      const member = [leader, ...others][i % 3] ?? leader;
      expect(keepAlive(cluster, member)).toEqual({ op: "lease-keep-alive", id: ID, ttl: 3 });
    }
  });

  test("revoked deletes its keys, and is not there any more", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 60);
    put(cluster, leader, "k", "v", ID);
    const revoke = { op: "lease-revoke", id: ID } as const;
    expect(answerOf(cluster, others[0], revoke)).toMatchObject({ header: { revision: 3 } });
    expect(told(cluster, leader, revoke)).toBe("etcdserver: requested lease not found");
  });

  test("runs its full time again under a new leader, and none before that one leads", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 10);
    runFor(cluster, 8 * SECOND);
    crash(cluster, leader);
    const next = settleCluster(cluster);
    expect(others).toContain(next);
    runFor(cluster, 9 * SECOND);
    expect(told(cluster, next, { op: "lease-list" })).toMatchObject({ leases: [ID] });
    runFor(cluster, 4 * SECOND);
    expect(told(cluster, next, { op: "lease-list" })).toMatchObject({ leases: [] });
  });
});

describe("time to live", () => {
  test("is told by every member as the leader has it, with keys in order, under the member's own header", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 60);
    for (const key of ["y", "x"]) put(cluster, leader, key, "v", ID);
    runFor(cluster, 9 * SECOND);
    const request = { op: "lease-time-to-live", id: ID, keys: true } as const;
    for (const member of [leader, ...others]) {
      expect(answerOf(cluster, member, request)).toMatchObject({
        header: { memberId: stateOf(cluster, member).run?.memberId, revision: 3 },
        result: { ttl: 50, grantedTtl: 60, keys: ["x", "y"] },
      });
    }
  });

  test("of an unknown lease is -1, and its renewal 0", () => {
    const { cluster, leader, others } = trio();
    for (const member of [leader, others[0]]) {
      expect(keepAlive(cluster, member)).toEqual({ op: "lease-keep-alive", id: ID, ttl: 0 });
      expect(told(cluster, member, { op: "lease-time-to-live", id: ID })).toMatchObject({
        ttl: -1,
      });
    }
  });

  test("of a leader that is not at work yet is endless in 3.4; since then the leader has just changed", () => {
    for (const version of ["3.4.23", "3.6.16"]) {
      const { cluster, leader } = trio({ version });
      grant(cluster, leader, 60);
      const lessor = stateOf(cluster, leader).run?.stores.lessor;
      if (lessor === undefined) throw new Error("no lessor");
      lessor.clocks.clear();
      const answer = told(cluster, leader, { op: "lease-time-to-live", id: ID });
      if (version === "3.4.23") expect(answer).toMatchObject({ ttl: 9_223_372_036 });
      else expect(answer).toBe("etcdserver: leader changed");
    }
  });
});

describe("a renewal", () => {
  test("of a lease that has expired waits for its revocation", () => {
    const { cluster, leader } = trio();
    grant(cluster, leader, 2);
    const expiresAt = stateOf(cluster, leader).run?.stores.lessor.clocks.get(ID)?.expiresAt ?? 0;
    runUntil(cluster, () => cluster.now >= expiresAt);
    const id = ask(cluster, leader, { op: "lease-keep-alive", id: ID });
    expect(firstReply(cluster, id)).toMatchObject({ result: { ttl: 0 } });
  });

  test("without a leader fails after 7 s, and one that a member passed on in vain too, with other words", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 60);
    cutOff(cluster, others[0]);
    const early = ask(cluster, others[0], { op: "lease-keep-alive", id: ID });
    runFor(cluster, 4 * SECOND);
    const late = ask(cluster, others[0], { op: "lease-keep-alive", id: ID });
    const from = cluster.now;
    const timeout = { ok: false, code: "Unavailable", message: "etcdserver: request timed out" };
    expect(firstReply(cluster, early)).toEqual(timeout);
    expect(firstReply(cluster, late)).toEqual({ ...timeout, message: "etcdserver: no leader" });
    expect(Math.floor((cluster.now - from) / SECOND)).toBe(7);
  });

  test("finds the new leader once there is one", () => {
    const { cluster, leader, others } = trio();
    grant(cluster, leader, 60);
    crash(cluster, leader);
    hear(cluster, others[0], {
      kind: "peer-unreachable",
      peer: stateOf(cluster, others[0]).run?.node.lead ?? 0,
    });
    runUntil(cluster, () => stateOf(cluster, others[0]).run?.node.lead === 0);
    const id = ask(cluster, others[0], { op: "lease-keep-alive", id: ID });
    expect(firstReply(cluster, id)).toMatchObject({ result: { ttl: 60 } });
  });

  test("of a client that requires a leader ends when the member has none for three election timeouts", () => {
    const { cluster, leader } = trio();
    grant(cluster, leader, 60);
    cutOff(cluster, leader);
    runUntil(cluster, () => stateOf(cluster, leader).run?.node.lead === 0);
    const lead = stateOf(cluster, leader).run;
    if (lead === null || lead === undefined) throw new Error("not running");
    const request = { op: "lease-keep-alive", id: ID } as const;
    const noLeader = { ok: false, code: "Unavailable", message: "etcdserver: no leader" };
    hear(cluster, leader, {
      kind: "client-request",
      id: 900,
      from: "t",
      request,
      requireLeader: true,
    });
    expect(cluster.replies.get(900)).toEqual([noLeader]);
    ask(cluster, leader, request);
    for (const call of lead.leaseCalls.passed.values()) {
      expect(call.stage.at).toBe("leader");
    }
  });
});

describe("a leader whose disk hangs", () => {
  /** The old leader, cut off and writing, after a new one was elected; the lease is about to expire. */
  function hanging(version: string): {
    readonly cluster: TestCluster;
    readonly old: string;
    readonly next: string;
  } {
    const { cluster, leader, others } = trio({ version });
    grant(cluster, leader, 4);
    cutOff(cluster, leader);
    ask(cluster, leader, { op: "kv-put", key: "k", value: "never" });
    // Nothing it writes from now on is ever done.
    for (let i = cluster.queue.length - 1; i >= 0; i--) {
      const { member, stimulus } = cluster.queue[i] ?? { member: "", stimulus: { kind: "stop" } };
      if (member === leader && stimulus.kind === "disk-synced") cluster.queue.splice(i, 1);
    }
    expect(stateOf(cluster, leader).run?.saving).not.toBeNull();
    const elected = (): boolean =>
      others.some((name) => stateOf(cluster, name).run?.stores.lessor.primary === true);
    expect(runUntil(cluster, elected)).toBe(true);
    cluster.cut.clear();
    runUntil(cluster, () => stateOf(cluster, leader).run?.node.role === "follower");
    const next = others.find((name) => stateOf(cluster, name).run?.node.role === "leader") ?? "";
    return { cluster, old: leader, next };
  }

  test("revokes in 3.4 leases that its successor renews, and since then asks first (#17465)", () => {
    for (const [version, leases] of [
      ["3.4.23", []],
      ["3.6.16", [ID]],
    ] as const) {
      const { cluster, old, next } = hanging(version);
      for (let i = 0; i < 4; i++) {
        keepAlive(cluster, next);
        runFor(cluster, SECOND);
      }
      // What it asked its raft for meanwhile leaves it once its disk goes on.
      const token = stateOf(cluster, old).run?.saving?.token ?? 0;
      hear(cluster, old, { kind: "disk-synced", token });
      runFor(cluster, SECOND);
      expect(told(cluster, next, { op: "lease-list" })).toMatchObject({ leases });
    }
  });

  test("renews in 3.4 what it has no say in any more, and since then does not (#17425)", () => {
    const outcomes = ["3.4.23", "3.6.16"].map((version) => {
      const { cluster, old } = hanging(version);
      return firstReply(cluster, ask(cluster, old, { op: "lease-keep-alive", id: ID }));
    });
    expect(outcomes).toMatchObject([
      { ok: true, result: { ttl: 4 } },
      { ok: false, code: "Unknown", message: "not a primary lessor" },
    ]);
  });
});

describe("with checkpoints", () => {
  const config = { leaseCheckpoint: true, leaseCheckpointInterval: 10 * SECOND };

  test("a new leader goes on where the last one checkpointed", () => {
    const { cluster, leader } = trio(config);
    grant(cluster, leader, 100);
    runFor(cluster, 35 * SECOND);
    crash(cluster, leader);
    const next = settleCluster(cluster);
    runFor(cluster, SECOND);
    const answer = told(cluster, next, { op: "lease-time-to-live", id: ID });
    expect(answer).toMatchObject({ ttl: expect.closeTo(70, -0.5), grantedTtl: 100 });
  });

  test("a renewal takes the checkpoint back before it is answered", () => {
    const { cluster, leader, others } = trio(config);
    grant(cluster, leader, 100);
    runFor(cluster, 15 * SECOND);
    expect(keepAlive(cluster, others[0])).toMatchObject({ ttl: 100 });
    expect(stateOf(cluster, leader).run?.stores.lessor.leases.get(ID)?.remainingTtl).toBe(0);
  });

  test("a renewal succeeds in 3.4 though the lease was revoked meanwhile, and fails since (#20615)", () => {
    for (const [version, ttl] of [
      ["3.4.23", 100],
      ["3.6.16", 0],
    ] as const) {
      const { cluster, leader } = trio({ ...config, version });
      grant(cluster, leader, 100);
      runFor(cluster, 15 * SECOND);
      ask(cluster, leader, { op: "lease-revoke", id: ID });
      const renewal = ask(cluster, leader, { op: "lease-keep-alive", id: ID });
      expect(firstReply(cluster, renewal)).toMatchObject({ result: { ttl } });
    }
  });

  test("a restart forgets them unless they are saved, which they are since 3.6", () => {
    for (const [version, ttl] of [
      ["3.4.23", 100],
      ["3.6.16", 80],
    ] as const) {
      const cluster = startCluster({ names: ["a"], config: { ...config, version } });
      settleCluster(cluster);
      grant(cluster, "a", 100);
      runFor(cluster, 25 * SECOND);
      crash(cluster, "a", 99);
      hear(cluster, "a", { kind: "start" });
      settleCluster(cluster);
      const answer = told(cluster, "a", { op: "lease-time-to-live", id: ID });
      expect(answer).toMatchObject({ ttl: expect.closeTo(ttl, -0.5) });
    }
  });
});

test("thousands of leases that expire together are revoked 16 at a time, and all within their seconds", () => {
  const cluster = startCluster({ names: ["a"] });
  settleCluster(cluster);
  for (let i = 1; i <= 300; i++) {
    ask(cluster, "a", { op: "lease-grant", ttl: 5, id: i.toString(16).padStart(16, "0") });
  }
  const lessor = stateOf(cluster, "a").run?.stores.lessor;
  runUntil(cluster, () => lessor?.leases.size === 300);
  let most = 0;
  runUntil(cluster, () => {
    const pending = stateOf(cluster, "a").run?.revokes.flatMap((round) => round.pending) ?? [];
    most = Math.max(most, pending.length);
    return lessor?.leases.size === 0;
  });
  expect(most).toBe(16);
  expect(lessor?.leases.size).toBe(0);
});

test("in place and under immer leases go the same way", () => {
  const logs = (["in-place", "immutable"] as const).map((mode) => {
    const cluster = startCluster({
      names: NAMES,
      mode,
      config: { leaseCheckpoint: true, leaseCheckpointInterval: 3 * SECOND },
    });
    const leader = settleCluster(cluster);
    const follower = NAMES.find((name) => name !== leader) ?? "";
    grant(cluster, leader, 5);
    grant(cluster, leader, 2, "0000000000000008");
    put(cluster, leader, "k", "v", ID);
    runFor(cluster, 4 * SECOND);
    const answers = [keepAlive(cluster, follower), told(cluster, follower, { op: "lease-list" })];
    runFor(cluster, 9 * SECOND);
    return [
      ...answers,
      told(cluster, leader, { op: "lease-list" }),
      stateOf(cluster, leader).run?.stores.lessor,
    ];
  });
  expect(logs[1]).toEqual(logs[0]);
});
