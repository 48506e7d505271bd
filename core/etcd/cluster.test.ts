import { expect, test } from "vitest";
import { hashState, stepInPlace } from "../kernel/index.js";
import type { ClientReply, RaftMessage } from "./events.js";
import { etcd } from "./member.js";
import {
  addHost,
  ask,
  call,
  crash,
  hear,
  leaderOf,
  peerUrl,
  runFor,
  runUntil,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
  unsynced,
} from "./testing/cluster.js";
import { v2Digest } from "./v2-snapshot.js";

const THREE = ["a", "b", "c"];
const FIVE = ["a", "b", "c", "d", "e"];

function others(cluster: TestCluster, name: string): string[] {
  return [...cluster.hosts.keys()].filter((other) => other !== name);
}

function ok(reply: ClientReply | null): Extract<ClientReply, { readonly ok: true }> {
  if (reply === null || !reply.ok) throw new Error(`refused: ${JSON.stringify(reply)}`);
  return reply;
}

/** Every running member has applied the same and holds the same. */
function expectAgreement(cluster: TestCluster): void {
  runFor(cluster, 2_000_000);
  const seen = [...cluster.hosts.values()].flatMap(({ state: { run } }) =>
    run === null
      ? []
      : [
          {
            ...run.stores.applied,
            v2: v2Digest(run.stores.v2),
            revision: run.stores.mvcc.revision,
          },
        ],
  );
  expect(seen.length).toBeGreaterThan(0);
  for (const one of seen) expect(one).toEqual(seen[0]);
}

for (const names of [["a"], THREE, FIVE]) {
  test(`a new cluster of ${names.length} elects a leader, and a put through any member is read by all`, () => {
    const cluster = startCluster({ names });
    settleCluster(cluster);
    for (const name of names) {
      expect(call(cluster, name, { op: "put", key: `/${name}`, value: name })).toMatchObject({
        ok: true,
        status: 201,
        action: "set",
      });
    }
    for (const name of names) {
      const reply = call(cluster, name, { op: "get", key: "/", quorum: true, sorted: true });
      expect(reply).toMatchObject({ node: { nodes: names.map((value) => ({ value })) } });
    }
    expectAgreement(cluster);
  });
}

test("X-Etcd-Index starts at 3 in a cluster of one and at 7 in one of three, as in etcd", () => {
  for (const [names, index] of [
    [["a"], 3],
    [THREE, 7],
  ] as const) {
    const cluster = startCluster({ names });
    settleCluster(cluster);
    runFor(cluster, 1_000_000);
    expect(call(cluster, "a", { op: "get", key: "/" })).toMatchObject({ etcdIndex: index });
  }
});

test("a linearizable read sees a put that another member acknowledged, a serializable one need not", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  const [follower = ""] = others(cluster, leader);
  ok(call(cluster, leader, { op: "kv-put", key: "k", value: "1" }));
  // The follower learns of the commit with the next heartbeat; until then it is behind.
  const stale = call(cluster, follower, { op: "kv-range", key: "k", serializable: true });
  expect(stale).toMatchObject({ ok: true, result: { count: 0 } });
  const fresh = call(cluster, follower, { op: "kv-range", key: "k" });
  expect(fresh).toMatchObject({ ok: true, result: { kvs: [{ value: "1", version: 1 }] } });
});

test("a leader cut off from its quorum steps down, and its unanswered put times out", () => {
  const cluster = startCluster({ names: THREE });
  const old = settleCluster(cluster);
  for (const other of others(cluster, old)) {
    cluster.cut.add(`${old}>${other}`);
    cluster.cut.add(`${other}>${old}`);
  }
  const id = ask(cluster, old, { op: "put", key: "/lost", value: "x" });
  runUntil(cluster, () => leaderOf(cluster) !== null && leaderOf(cluster) !== old);
  expect(leaderOf(cluster)).not.toBe(old);
  runUntil(cluster, () => cluster.replies.has(id));
  expect(cluster.replies.get(id)).toMatchObject([
    { ok: false, status: 500, errorCode: 300, cause: "etcdserver: request timed out" },
  ]);
  cluster.cut.clear();
  settleCluster(cluster);
  expect(call(cluster, old, { op: "get", key: "/lost", quorum: true })).toMatchObject({
    errorCode: 100,
  });
  expectAgreement(cluster);
});

test("what was acknowledged outlives a crash of the leader that loses every unsynced write", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = startCluster({ names: THREE, seed });
    const leader = settleCluster(cluster);
    const ids = Array.from({ length: 20 }, (_, i) =>
      ask(cluster, leader, { op: "put", key: `/k${i}`, value: `${i}` }),
    );
    runUntil(cluster, () => ids.some((id) => cluster.replies.has(id)) || cluster.now > 20_000_000);
    const acknowledged = ids.flatMap((id, i) => (cluster.replies.has(id) ? [i] : []));
    crash(cluster, leader, 0);
    const next = settleCluster(cluster);
    for (const i of acknowledged) {
      ok(call(cluster, next, { op: "get", key: `/k${i}`, quorum: true }));
    }
    hear(cluster, leader, { kind: "start" });
    settleCluster(cluster);
    expectAgreement(cluster);
  }
});

test("a crash loses what was not synced, unless it survives", () => {
  for (const survives of [true, false]) {
    const cluster = startCluster({ names: ["a"] });
    settleCluster(cluster);
    runFor(cluster, 1_000_000);
    const before = stateOf(cluster, "a").disk.durable.entries.length;
    ask(cluster, "a", { op: "put", key: "/k", value: "v" });
    const pending = unsynced(cluster, "a");
    expect(pending).toBeGreaterThan(0);
    crash(cluster, "a", survives ? pending : 0);
    expect(stateOf(cluster, "a").disk.durable.entries.length).toBe(before + (survives ? 1 : 0));
    expect(unsynced(cluster, "a")).toBe(0);
    hear(cluster, "a", { kind: "start" });
    settleCluster(cluster);
    const found = call(cluster, "a", { op: "get", key: "/k", quorum: true });
    expect(found).toMatchObject({ ok: survives });
  }
});

test("a quiet cluster has no news, and asks for nothing but its ticks and heartbeats", () => {
  const cluster = startCluster({ names: THREE });
  settleCluster(cluster);
  runFor(cluster, 2_000_000);
  const facts = cluster.facts.length;
  const written = [...cluster.hosts.values()].map(({ state }) => state.disk.written);
  runFor(cluster, 20_000_000);
  expect(cluster.facts.slice(facts)).toEqual([]);
  expect([...cluster.hosts.values()].map(({ state }) => state.disk.written)).toEqual(written);
});

test("a member restarted from its disk has what it had, and serves again", () => {
  const cluster = startCluster({ names: ["a"] });
  settleCluster(cluster);
  ok(call(cluster, "a", { op: "put", key: "/k", value: "v", ttl: 1000 }));
  ok(call(cluster, "a", { op: "kv-put", key: "k", value: "v" }));
  hear(cluster, "a", { kind: "stop" });
  expect(stateOf(cluster, "a").run).toBeNull();
  hear(cluster, "a", { kind: "start" });
  settleCluster(cluster);
  expect(call(cluster, "a", { op: "get", key: "/k" })).toMatchObject({ node: { value: "v" } });
  expect(call(cluster, "a", { op: "kv-range", key: "k" })).toMatchObject({ result: { count: 1 } });
});

test("the log is shortened after a snapshot, and a member that was away catches up from one", () => {
  const config = { snapshotCount: 50, catchUpEntries: 10 };
  const cluster = startCluster({ names: THREE, config });
  const leader = settleCluster(cluster);
  const [away = ""] = others(cluster, leader);
  crash(cluster, away);
  for (let i = 0; i < 200; i++)
    ok(call(cluster, leader, { op: "put", key: `/k${i % 30}`, value: `${i}` }));
  const { run, disk } = stateOf(cluster, leader);
  expect(run?.node.log.storage.entries.length).toBeLessThan(100);
  expect(disk.durable.entries.length).toBeLessThan(100);
  hear(cluster, away, { kind: "start" });
  settleCluster(cluster);
  expectAgreement(cluster);
  const restored = cluster.facts.filter(({ fact }) => fact.kind === "etcd.restored");
  expect(restored).toMatchObject([{ member: away, fact: { from: leader } }]);
  crash(cluster, away);
  hear(cluster, away, { kind: "start" });
  settleCluster(cluster);
  expectAgreement(cluster);
});

test("a watcher gets every change after its index once, also through a follower", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  const [follower = ""] = others(cluster, leader);
  const live = ask(cluster, follower, { op: "watch", key: "/d", recursive: true });
  const v3 = watch(cluster, follower, { key: "d", rangeEnd: "e" });
  const first = ok(call(cluster, leader, { op: "put", key: "/d/k", value: "1" }));
  ok(call(cluster, leader, { op: "kv-put", key: "d1", value: "1" }));
  ok(call(cluster, leader, { op: "kv-put", key: "x", value: "1" }));
  runFor(cluster, 1_000_000);
  expect(cluster.replies.get(live)).toMatchObject([
    { ok: true, status: 200, action: "set", node: { key: "/d/k", value: "1" } },
  ]);
  expect(cluster.replies.get(v3)).toMatchObject([
    { result: { op: "watch-response", created: true } },
    { result: { op: "watch-response", events: [{ type: "put", kv: { key: "d1" } }] } },
  ]);
  const since = "node" in first ? first.node.modifiedIndex : 0;
  const late = call(cluster, follower, { op: "watch", key: "/d/k", waitIndex: since });
  expect(late).toMatchObject({ node: { value: "1" } });
});

test("keys with a ttl expire on every member at the same index, and the waiting client hears it", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  ok(call(cluster, leader, { op: "put", key: "/lock", value: "x", ttl: 2 }));
  const waiting = ask(cluster, leader, { op: "watch", key: "/lock" });
  runFor(cluster, 1_900_000);
  expect(cluster.replies.has(waiting)).toBe(false);
  runFor(cluster, 1_000_000);
  expect(cluster.replies.get(waiting)).toMatchObject([
    { action: "expire", node: { key: "/lock" }, prevNode: { value: "x" } },
  ]);
  expectAgreement(cluster);
});

test("a lease takes its keys with it when no one keeps it alive", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  const [follower = ""] = others(cluster, leader);
  ok(call(cluster, follower, { op: "lease-grant", id: LEASE, ttl: 5 }));
  ok(call(cluster, follower, { op: "kv-put", key: "k", value: "v", lease: LEASE }));
  runFor(cluster, 4_000_000);
  expect(call(cluster, follower, { op: "lease-keep-alive", id: LEASE })).toMatchObject({
    result: { ttl: 5 },
  });
  runFor(cluster, 4_000_000);
  expect(call(cluster, follower, { op: "kv-range", key: "k" })).toMatchObject({
    result: { count: 1 },
  });
  runFor(cluster, 2_000_000);
  expect(call(cluster, follower, { op: "kv-range", key: "k" })).toMatchObject({
    result: { count: 0 },
  });
  expect(call(cluster, leader, { op: "lease-time-to-live", id: LEASE })).toMatchObject({
    result: { ttl: -1 },
  });
  expectAgreement(cluster);
});

const LEASE = "0000000000000007";

function watch(
  cluster: TestCluster,
  name: string,
  range: { readonly key: string; readonly rangeEnd: string },
): number {
  const id = ask(cluster, name, { op: "watch-stream" });
  hear(cluster, name, { kind: "client-message", id, message: { type: "create", ...range } });
  return id;
}

function addedMember(reply: ClientReply): string {
  if (!reply.ok || !("result" in reply) || reply.result.op !== "member-add") return "";
  return reply.result.member?.id ?? "";
}

function join(cluster: TestCluster, name: string, memberId: string): void {
  const clusterId = stateOf(cluster, "a").run?.clusterId ?? "";
  addHost(cluster, {
    name,
    seed: 9,
    clusterState: "existing",
    initialCluster: [],
    existing: { memberId, clusterId },
  });
  hear(cluster, name, { kind: "start" });
}

test("a learner is added, catches up, is promoted and votes; a removed member stops for good", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  ok(call(cluster, leader, { op: "put", key: "/k", value: "v" }));
  runFor(cluster, 6_000_000);
  const added = ok(
    call(cluster, leader, { op: "member-add", peerUrls: [peerUrl("d")], learner: true }),
  );
  const member = addedMember(added);
  expect(call(cluster, leader, { op: "member-promote", member })).toMatchObject({
    message: "etcdserver: can only promote a learner member which is in sync with leader",
  });
  join(cluster, "d", member);
  settleCluster(cluster);
  expect(call(cluster, "d", { op: "get", key: "/k" })).toMatchObject({ node: { value: "v" } });
  const [follower = ""] = others(cluster, leader);
  ok(call(cluster, follower, { op: "member-promote", member }));
  runFor(cluster, 1_000_000);
  expect(stateOf(cluster, "d").run?.node.isLearner).toBe(false);
  ok(call(cluster, leader, { op: "member-remove", member }));
  runFor(cluster, 3_000_000);
  expect(stateOf(cluster, "d").run).toBeNull();
  expect(call(cluster, leader, { op: "member-remove", member })).toMatchObject({
    message: "etcdserver: member not found",
  });
  hear(cluster, "d", { kind: "start" });
  runFor(cluster, 3_000_000);
  expect(stateOf(cluster, "d").run).toBeNull();
  expectAgreement(cluster);
});

test("with a second of three members down, adding a member is refused as unhealthy", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  const [down = ""] = others(cluster, leader);
  runFor(cluster, 6_000_000);
  crash(cluster, down);
  runFor(cluster, 6_000_000);
  expect(call(cluster, leader, { op: "member-add", peerUrls: [peerUrl("d")] })).toEqual({
    ok: false,
    code: "Unavailable",
    message: "etcdserver: unhealthy cluster",
  });
});

test("the leader hands its lead over when asked", () => {
  const cluster = startCluster({ names: THREE });
  const leader = settleCluster(cluster);
  const [next = ""] = others(cluster, leader);
  const to = stateOf(cluster, next).run?.memberId ?? "";
  ok(call(cluster, leader, { op: "move-leader", to }));
  expect(leaderOf(cluster)).toBe(next);
});

test("in place and under immer a cluster goes the same way", () => {
  const trace = (mode: "in-place" | "immutable"): unknown => {
    const cluster = startCluster({
      names: THREE,
      seed: 5,
      mode,
      config: { snapshotCount: 20, catchUpEntries: 5 },
    });
    const leader = settleCluster(cluster);
    const [follower = ""] = others(cluster, leader);
    ask(cluster, follower, { op: "watch", key: "/", recursive: true });
    watch(cluster, follower, { key: "a", rangeEnd: "\0" });
    for (let i = 0; i < 15; i++) {
      call(cluster, follower, { op: "put", key: `/k${i % 4}`, value: `${i}`, ttl: 2 });
      call(cluster, leader, { op: "kv-put", key: `k${i % 3}`, value: `${i}` });
    }
    call(cluster, leader, { op: "delete", key: "/k1" });
    crash(cluster, follower, 1);
    for (let i = 0; i < 40; i++) call(cluster, leader, { op: "post", key: "/q", value: `${i}` });
    hear(cluster, follower, { kind: "start" });
    settleCluster(cluster);
    runFor(cluster, 4_000_000);
    const states = [...cluster.hosts.values()].map(({ state }) => hashState(state));
    return { states, facts: cluster.facts, replies: [...cluster.replies] };
  };
  expect(trace("immutable")).toEqual(trace("in-place"));
});

test("a member that does not write down its vote votes twice in a term, any other does not", () => {
  const grants = (voteNotPersisted: boolean): boolean[] => {
    const cluster = startCluster({ names: THREE, config: { bugs: { voteNotPersisted } } });
    runFor(cluster, 500_000);
    const [a, b, c] = THREE.map((name) => stateOf(cluster, name).run?.id ?? 0);
    for (const name of ["b", "c"]) crash(cluster, name);
    const asked = (from = 0): boolean => {
      const message: RaftMessage = { ...VOTE_REQUEST, from, to: a ?? 0 };
      const { effects } = stepInPlace(
        etcd,
        stateOf(cluster, "a"),
        { kind: "peer-message", from, message },
        cluster.now,
      );
      const synced = effects.flatMap((effect) =>
        effect.kind === "fsync"
          ? stepInPlace(
              etcd,
              stateOf(cluster, "a"),
              { kind: "disk-synced", token: effect.token },
              cluster.now,
            ).effects
          : [],
      );
      return [...effects, ...synced].some(
        (effect) =>
          effect.kind === "send" && effect.message.type === "MsgVoteResp" && !effect.message.reject,
      );
    };
    const first = asked(b);
    crash(cluster, "a", 100);
    hear(cluster, "a", { kind: "start" });
    return [first, asked(c)];
  };
  expect(grants(false)).toEqual([true, false]);
  expect(grants(true)).toEqual([true, true]);
});

const VOTE_REQUEST: RaftMessage = {
  type: "MsgVote",
  to: 0,
  from: 0,
  term: 9,
  logTerm: 9,
  index: 100,
  commit: 0,
  vote: 0,
  reject: false,
  rejectHint: 0,
  entries: [],
  snapshot: null,
  readPosition: 0,
  campaignTransfer: false,
  responses: [],
};
