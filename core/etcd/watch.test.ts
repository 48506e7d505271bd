import { describe, expect, test } from "vitest";
import type { EtcdConfig } from "./config.js";
import {
  ask,
  hear,
  runFor,
  runUntil,
  settleCluster,
  startCluster,
  type TestCluster,
} from "./testing/cluster.js";
import {
  answerOf,
  block,
  heard,
  heardInShort,
  openWatches,
  places,
  put,
  say,
  type TestStream,
  watch,
} from "./testing/watching.js";

const A = "a";
const OLD = "3.4.23";
const NEW = "3.6.16";

function single(version = NEW, config: Partial<EtcdConfig> = {}): TestCluster {
  const cluster = startCluster({ names: [A], config: { version, ...config } });
  settleCluster(cluster);
  return cluster;
}

/** A cluster of one with a stream, after some puts of `k`. */
function withStream(
  version = NEW,
  puts = 0,
  config: Partial<EtcdConfig> = {},
): [TestCluster, TestStream] {
  const cluster = single(version, config);
  for (let i = 1; i <= puts; i++) put(cluster, A, "k", `${i}`);
  return [cluster, openWatches(cluster, A)];
}

function compact(cluster: TestCluster, revision: number): void {
  expect(answerOf(cluster, A, { op: "kv-compact", revision })).toMatchObject({ ok: true });
}

function remove(cluster: TestCluster, key: string): void {
  expect(answerOf(cluster, A, { op: "kv-delete-range", key })).toMatchObject({ ok: true });
}

describe("a stream", () => {
  test("numbers watches from 0, leaves out ids in use, and takes ids that clients choose", () => {
    const [, stream] = withStream();
    for (const watchId of [0, 1, 0, 7]) watch(stream, { key: "k", watchId });
    expect(heardInShort(stream)).toEqual([
      "0@1 created",
      "1@1 created",
      "2@1 created",
      "7@1 created",
    ]);
  });

  test("refuses an id twice and a range without keys, under the id of no watch, with etcd's reason", () => {
    const [, stream] = withStream();
    watch(stream, { key: "k", watchId: 3 });
    watch(stream, { key: "k", watchId: 3 });
    watch(stream, { key: "k", rangeEnd: "k" });
    const refused = { watchId: -1, created: true, canceled: true };
    expect(heard(stream).slice(1)).toMatchObject([
      { ...refused, cancelReason: "mvcc: duplicate watch ID provided on the WatchStream" },
      { ...refused, cancelReason: "mvcc: watcher range is empty" },
    ]);
  });

  test("says nothing of a cancellation of what it does not know, and lets a cancelled id be taken again", () => {
    const [cluster, stream] = withStream();
    say(stream, { type: "cancel", watchId: 4 });
    watch(stream, { key: "k", watchId: 4 });
    say(stream, { type: "cancel", watchId: 4 });
    put(cluster, A, "k");
    watch(stream, { key: "k", watchId: 4 });
    expect(heardInShort(stream)).toEqual(["4@1 created", "4@1 canceled", "4@2 created"]);
  });

  test("takes no key for the smallest key, and its range for everything", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "" });
    watch(stream, { key: "", rangeEnd: "\0" });
    heard(stream);
    put(cluster, A, "\0");
    put(cluster, A, "z");
    expect(heardInShort(stream)).toEqual(["0@2 \0=v@2", "1@2 \0=v@2", "1@3 z=v@3"]);
  });

  test("ends with all its watches when the client hangs up", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "k" });
    hear(cluster, A, { kind: "client-cancel", id: stream.id });
    heard(stream);
    put(cluster, A, "k");
    expect(heard(stream)).toEqual([]);
    expect(places(cluster, A)).toEqual({ synced: 0, unsynced: 0, victims: 0 });
  });
});

describe("a watch", () => {
  test("hears of the changes of one revision in one response, in the order they were made", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "a", rangeEnd: "c" });
    heard(stream);
    const ops = ["b", "a", "c"].map((key) => ({ op: "kv-put", key, value: "v" }) as const);
    answerOf(cluster, A, { op: "kv-txn", compare: [], success: ops, failure: [] });
    expect(heardInShort(stream)).toEqual(["0@2 b=v@2 a=v@2"]);
  });

  test("is told with prev_kv what was there before, of a deletion else only key and revision", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "k", prevKv: true });
    watch(stream, { key: "k" });
    heard(stream);
    put(cluster, A, "k", "1");
    put(cluster, A, "k", "2");
    remove(cluster, "k");
    const told = heard(stream);
    expect(told[0]?.events[0]).not.toHaveProperty("prevKv");
    expect(told[2]?.events[0]?.prevKv).toMatchObject({ value: "1" });
    expect(told[4]?.events[0]).toMatchObject({ type: "delete", prevKv: { value: "2" } });
    const gone = { key: "k", createRevision: 0, modRevision: 4, version: 0, value: "", lease: "" };
    expect(told[5]?.events).toEqual([{ type: "delete", kv: gone }]);
  });

  test("hears nothing of what its filters leave out", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "k", noPut: true });
    watch(stream, { key: "k", noDelete: true });
    watch(stream, { key: "k", noPut: true, noDelete: true });
    heard(stream);
    put(cluster, A, "k");
    remove(cluster, "k");
    expect(heardInShort(stream)).toEqual(["1@2 k=v@2", "0@3 -k@3"]);
  });

  test("from the past is created at once and reads history within 100 ms, under the revision of now", () => {
    const [cluster, stream] = withStream(NEW, 3);
    watch(stream, { key: "k", startRevision: 2, prevKv: true });
    expect(heardInShort(stream)).toEqual(["0@4 created"]);
    expect(places(cluster, A)).toMatchObject({ unsynced: 1 });
    runFor(cluster, 100_000);
    expect(heardInShort(stream)).toEqual(["0@4 k=1@2 k=2@3<1 k=3@4<2"]);
    expect(places(cluster, A)).toMatchObject({ synced: 1, unsynced: 0 });
    runFor(cluster, 500_000);
    expect(heard(stream)).toEqual([]);
  });

  test("from a revision to come hears nothing before it", () => {
    const [cluster, stream] = withStream(NEW, 1);
    watch(stream, { key: "k", startRevision: 4 });
    for (const value of ["x", "y", "z"]) put(cluster, A, "k", value);
    expect(heardInShort(stream)).toEqual(["0@2 created", "0@4 k=y@4", "0@5 k=z@5"]);
  });

  test("from compacted history is created, and cancelled with the compact revision and no revision of its own", () => {
    const [cluster, stream] = withStream(NEW, 3);
    compact(cluster, 3);
    watch(stream, { key: "k", startRevision: 2 });
    watch(stream, { key: "k", startRevision: 3 });
    runFor(cluster, 200_000);
    expect(heardInShort(stream)).toEqual([
      "0@4 created",
      "1@4 created",
      "0@0 compacted 3",
      "1@4 k=2@3 k=3@4",
    ]);
  });

  test("that a compaction has ended keeps its id until the client cancels it", () => {
    const [cluster, stream] = withStream(NEW, 3);
    compact(cluster, 3);
    watch(stream, { key: "k", startRevision: 1, watchId: 9 });
    runFor(cluster, 200_000);
    watch(stream, { key: "k", watchId: 9 });
    say(stream, { type: "cancel", watchId: 9 });
    watch(stream, { key: "k", watchId: 9 });
    expect(heardInShort(stream).slice(2)).toEqual([
      "-1@4 created canceled",
      "9@4 canceled",
      "9@4 created",
    ]);
  });

  test("finds prev_kv gone if it was compacted by the time the response goes out", () => {
    const [cluster, stream] = withStream(NEW, 2);
    watch(stream, { key: "k", startRevision: 3, prevKv: true });
    compact(cluster, 3);
    runFor(cluster, 100_000);
    expect(heardInShort(stream)).toEqual(["0@3 created", "0@3 k=2@3"]);
  });

  test("reads a long history in batches of 1000 revisions, a transaction whole", () => {
    const [cluster, stream] = withStream(NEW, 999);
    const ops = ["k", "l"].map((key) => ({ op: "kv-put", key, value: "t" }) as const);
    answerOf(cluster, A, { op: "kv-txn", compare: [], success: ops, failure: [] });
    put(cluster, A, "k", "last");
    watch(stream, { key: "k", rangeEnd: "z", startRevision: 2 });
    heard(stream);
    runFor(cluster, 100_000);
    expect(heard(stream).map(({ events }) => events.length)).toEqual([1001]);
    runFor(cluster, 100_000);
    expect(heardInShort(stream)).toEqual(["0@1002 k=last@1002"]);
  });

  test("comes in parts if the client allows it and the response is too large", () => {
    const [cluster, stream] = withStream();
    const value = "x".repeat(700 * 1024);
    for (let i = 0; i < 5; i++) put(cluster, A, `k${i}`, value);
    const past = { key: "k", rangeEnd: "l", startRevision: 2 };
    watch(stream, { ...past, fragment: true });
    watch(stream, past);
    heard(stream);
    runFor(cluster, 100_000);
    const parts = heard(stream).map(({ events, fragment }) => [events.length, fragment]);
    expect(parts).toEqual([
      [2, true],
      [2, true],
      [1, false],
      [5, false],
    ]);
  });
});

describe("negative start revisions", () => {
  test("are refused at once since 3.6", () => {
    const [, stream] = withStream(NEW, 2);
    watch(stream, { key: "k", startRevision: -1 });
    expect(heard(stream)).toMatchObject([
      {
        watchId: -1,
        created: true,
        canceled: true,
        cancelReason: "etcdserver: mvcc: required revision has been compacted",
      },
    ]);
  });

  test("are taken by 3.4, which then finds them compacted, or hides history from whoever is in the same round", () => {
    const [cluster, stream] = withStream(OLD, 2);
    watch(stream, { key: "k", startRevision: -2 });
    runFor(cluster, 100_000);
    expect(heardInShort(stream)).toEqual(["0@3 created", "0@0 compacted -1"]);
    watch(stream, { key: "k", startRevision: -1 });
    watch(stream, { key: "k", startRevision: 2 });
    runFor(cluster, 300_000);
    put(cluster, A, "k", "3");
    expect(heardInShort(stream)).toEqual(["1@3 created", "2@3 created", "1@4 k=3@4", "2@4 k=3@4"]);
  });
});

describe("progress", () => {
  test("is told of a quiet watch every interval and a bit, and put off by changes", () => {
    const [cluster, stream] = withStream(NEW, 0, { watchProgressInterval: 1_000_000 });
    watch(stream, { key: "k", progressNotify: true });
    watch(stream, { key: "k" });
    put(cluster, A, "other");
    heard(stream);
    runFor(cluster, 1_200_000);
    expect(heardInShort(stream)).toEqual(["0@2 progress"]);
    put(cluster, A, "k");
    runFor(cluster, 1_100_000);
    expect(heardInShort(stream)).toEqual(["0@3 k=v@3", "1@3 k=v@3"]);
    runFor(cluster, 1_100_000);
    expect(heardInShort(stream)).toEqual(["0@3 progress"]);
  });

  test("asked for is told once for all watches of the stream, when all have seen everything", () => {
    const [cluster, stream] = withStream(NEW, 2);
    say(stream, { type: "progress" });
    watch(stream, { key: "k" });
    say(stream, { type: "progress" });
    watch(stream, { key: "k", startRevision: 2 });
    say(stream, { type: "progress" });
    expect(heardInShort(stream)).toEqual(["0@3 created", "-1@3 progress", "1@3 created"]);
    runFor(cluster, 100_000);
    say(stream, { type: "progress" });
    expect(heardInShort(stream)).toEqual(["1@3 k=1@2 k=2@3", "-1@3 progress"]);
  });

  test("overtakes in 3.4 what watches are yet to see (#15220)", () => {
    const [cluster, stream] = withStream(OLD, 2);
    watch(stream, { key: "k", startRevision: 2 });
    say(stream, { type: "progress" }, 100_000);
    expect(heardInShort(stream)).toEqual(["0@3 created", "-1@3 progress", "0@3 k=1@2 k=2@3"]);
    expect(places(cluster, A)).toMatchObject({ synced: 1 });
  });

  test("is told in 3.4, and not since, of a watch whose start is yet to come (#20221)", () => {
    for (const [version, told] of [
      [OLD, ["0@2 created", "0@2 progress"]],
      [NEW, ["0@2 created"]],
    ] as const) {
      const [cluster, stream] = withStream(version, 1, { watchProgressInterval: 100_000 });
      watch(stream, { key: "k", startRevision: 9, progressNotify: true });
      runFor(cluster, 115_000);
      expect(heardInShort(stream)).toEqual(told);
    }
  });
});

describe("a client that does not read", () => {
  test("holds back 129 responses; then its watch is a victim, and is told the rest in order when it reads again", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "k" });
    heard(stream);
    block(stream, true);
    for (let i = 2; i <= 129; i++) put(cluster, A, "k");
    expect(places(cluster, A)).toMatchObject({ synced: 1, victims: 0 });
    put(cluster, A, "k");
    expect(places(cluster, A)).toMatchObject({ synced: 1, victims: 0 });
    put(cluster, A, "k");
    put(cluster, A, "k");
    expect(places(cluster, A)).toMatchObject({ synced: 0, victims: 1 });
    expect(heard(stream)).toEqual([]);
    block(stream, false);
    runFor(cluster, 200_000);
    const revisions = heard(stream).flatMap(({ events }) => events.map(({ kv }) => kv.modRevision));
    expect(revisions).toEqual(Array.from({ length: 131 }, (_, i) => i + 2));
    expect(places(cluster, A)).toMatchObject({ synced: 1, victims: 0 });
  });

  test("does not hold back the watches of other streams", () => {
    const [cluster, slow] = withStream();
    const fast = openWatches(cluster, A);
    for (const stream of [slow, fast]) watch(stream, { key: "k" });
    block(slow, true);
    heard(fast);
    for (let i = 0; i < 200; i++) put(cluster, A, "k");
    expect(heard(fast)).toHaveLength(200);
  });

  test("is not read either, once 16 answers wait for it", () => {
    const [cluster, stream] = withStream();
    block(stream, true);
    for (let i = 0; i < 30; i++) watch(stream, { key: "k" });
    // One on its way, 16 in the buffer, and one at the hand of who reads.
    expect(places(cluster, A)).toMatchObject({ synced: 18 });
    block(stream, false);
    expect(heard(stream)).toHaveLength(30);
  });

  test("may be told of changes before it is told of their watch only after that", () => {
    const [cluster, stream] = withStream();
    watch(stream, { key: "other" });
    heard(stream);
    for (let round = 0; round < 10; round++) {
      block(stream, true);
      put(cluster, A, "other");
      watch(stream, { key: `k${round}`, watchId: 100 + round });
      put(cluster, A, `k${round}`);
      block(stream, false);
    }
    const mine = heard(stream).filter(({ watchId }) => watchId >= 100);
    expect(mine.map(({ created, watchId }) => `${watchId} ${created}`)).toEqual(
      Array.from({ length: 10 }, (_, i) => [`${100 + i} true`, `${100 + i} false`]).flat(),
    );
  });

  test("misses changes in 3.4 if they are compacted meanwhile, and is told so since (#17529)", () => {
    for (const [version, told] of [
      [OLD, ["9@142 k=end@142"]],
      [NEW, ["9@0 compacted 141"]],
    ] as const) {
      const [cluster, stream] = withStream(version);
      watch(stream, { key: "k" });
      block(stream, true);
      for (let i = 0; i < 140; i++) put(cluster, A, "k");
      watch(stream, { key: "k", startRevision: 10, watchId: 9 });
      compact(cluster, 141);
      runFor(cluster, 300_000);
      block(stream, false);
      runFor(cluster, 300_000);
      put(cluster, A, "k", "end");
      const mine = heardInShort(stream).filter((line) => line.startsWith("9@"));
      expect(mine.slice(1)).toEqual(told);
    }
  });
});

describe("a client that requires a leader", () => {
  test("gets no stream from a member that has none, and loses those it has after three election timeouts", () => {
    const cluster = startCluster({ names: ["a", "b", "c"] });
    const leader = settleCluster(cluster);
    const request = { op: "watch-stream" } as const;
    const open = (id: number, requireLeader: boolean): void =>
      hear(cluster, leader, { kind: "client-request", id, from: "test", request, requireLeader });
    open(901, true);
    open(902, false);
    for (const other of ["a", "b", "c"].filter((name) => name !== leader)) {
      cluster.cut.add(`${leader}>${other}`).add(`${other}>${leader}`);
    }
    expect(runUntil(cluster, () => cluster.replies.has(901), 10_000_000)).toBe(true);
    const noLeader = { ok: false, code: "Unavailable", message: "etcdserver: no leader" };
    expect(cluster.replies.get(901)).toEqual([noLeader]);
    expect(cluster.replies.has(902)).toBe(false);
    open(903, true);
    expect(cluster.replies.get(903)).toEqual([noLeader]);
  });
});

describe("after a snapshot of the leader", () => {
  /** A follower with a watch, cut off until it needs a snapshot. */
  function afterSnapshot(version: string, startRevision: number): string[] {
    const config = { version, snapshotCount: 20, catchUpEntries: 5 };
    const cluster = startCluster({ names: ["a", "b", "c"], config });
    const leader = settleCluster(cluster);
    const others = ["a", "b", "c"].filter((name) => name !== leader);
    const [follower = ""] = others;
    const stream = openWatches(cluster, follower);
    watch(stream, { key: "k", startRevision });
    for (let i = 1; i <= 2; i++) put(cluster, leader, "k", `${i}`);
    runFor(cluster, 100_000);
    for (const name of ["a", "b", "c"])
      cluster.cut.add(`${name}>${follower}`).add(`${follower}>${name}`);
    for (let i = 3; i <= 40; i++) put(cluster, leader, i === 3 ? "k" : "other", `${i}`);
    cluster.cut.clear();
    const restored = (): boolean =>
      cluster.facts.some(
        ({ member, fact }) => member === follower && fact.kind === "etcd.restored",
      );
    expect(runUntil(cluster, restored)).toBe(true);
    runFor(cluster, 1_000_000);
    put(cluster, leader, "k", "end");
    runFor(cluster, 100_000);
    return heardInShort(stream);
  }

  test("a watch sees what it missed, and in 3.4 once more what it has seen (#15271)", () => {
    const before = ["0@1 created", "0@2 k=1@2", "0@3 k=2@3"];
    expect(afterSnapshot(NEW, 0)).toEqual([...before, "0@41 k=3@4", "0@42 k=end@42"]);
    expect(afterSnapshot(OLD, 0)).toEqual([...before, "0@41 k=1@2 k=2@3 k=3@4", "0@42 k=end@42"]);
  });

  test("a watch from a revision to come waits on, but in 3.4 it forgets what it waits for (#20221)", () => {
    expect(afterSnapshot(NEW, 100)).toEqual(["0@1 created"]);
    expect(afterSnapshot(OLD, 100)).toEqual(["0@1 created", "0@42 k=end@42"]);
  });
});

test("a round looks after at most 512 watchers that are behind, and the next follows at once", () => {
  const [cluster, stream] = withStream(NEW, 1);
  for (let i = 0; i < 700; i++) watch(stream, { key: "k", startRevision: 2 });
  heard(stream);
  runUntil(cluster, () => places(cluster, A).synced !== 0, 100_000);
  expect(places(cluster, A)).toMatchObject({ synced: 512, unsynced: 188 });
  runFor(cluster, 1_000);
  expect(places(cluster, A)).toMatchObject({ synced: 700, unsynced: 0 });
  expect(heard(stream)).toHaveLength(700);
});

test("a deletion at the compact revision is seen from there since 3.6, and lost in 3.4 (#18089, #19179)", () => {
  for (const [version, told] of [
    [OLD, ["0@4 created"]],
    [NEW, ["0@4 created", "0@4 -a@4"]],
  ] as const) {
    const cluster = single(version);
    put(cluster, A, "a");
    put(cluster, A, "b");
    remove(cluster, "a");
    compact(cluster, 4);
    const stream = openWatches(cluster, A);
    watch(stream, { key: "a", rangeEnd: "z", startRevision: 4 });
    runFor(cluster, 200_000);
    expect(heardInShort(stream)).toEqual(told);
  }
});

test("in place and under immer watches go the same way", () => {
  const logs = (["in-place", "immutable"] as const).map((mode) => {
    const cluster = startCluster({ names: [A], mode, config: { watchProgressInterval: 200_000 } });
    settleCluster(cluster);
    const stream = openWatches(cluster, A);
    put(cluster, A, "k", "1");
    watch(stream, { key: "k", progressNotify: true, startRevision: 1 });
    watch(stream, { key: "a", rangeEnd: "\0", prevKv: true });
    runFor(cluster, 300_000);
    block(stream, true);
    for (let i = 0; i < 140; i++) put(cluster, A, `k${i % 3}`);
    put(cluster, A, "k", "2");
    say(stream, { type: "progress" });
    watch(stream, { key: "k", startRevision: 2 });
    block(stream, false);
    runFor(cluster, 500_000);
    say(stream, { type: "cancel", watchId: 1 });
    const other = ask(cluster, A, { op: "watch-stream" });
    hear(cluster, A, { kind: "client-cancel", id: other });
    return heardInShort(stream);
  });
  expect(logs[1]).toEqual(logs[0]);
  expect(logs[0]?.length).toBeGreaterThan(140);
});
