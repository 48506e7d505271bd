import { expect, test } from "vitest";
import { call, runFor, settleCluster, startCluster, stateOf } from "./testing/cluster.js";

test("a member counts what it answered and applied of the v2 keys, granted and refused", () => {
  const cluster = startCluster({ names: ["a", "b", "c"] });
  settleCluster(cluster);
  const stats = (name: string) => stateOf(cluster, name).run?.stores.v2.stats;
  call(cluster, "a", { op: "put", key: "/k", value: "1" });
  call(cluster, "a", { op: "put", key: "/k", value: "2", prevExist: false });
  call(cluster, "a", { op: "put", key: "/k", value: "2", prevValue: "1" });
  call(cluster, "a", { op: "post", key: "/dir", value: "1" });
  call(cluster, "a", { op: "put", key: "/short", value: "1", ttl: 1 });
  call(cluster, "a", { op: "get", key: "/k" });
  call(cluster, "a", { op: "get", key: "/missing" });
  call(cluster, "a", { op: "delete", key: "/k" });
  runFor(cluster, 3_000_000);
  expect(stats("a")).toEqual({
    counts: {
      get: { success: 1, fail: 1 },
      set: { success: 2, fail: 0 },
      create: { success: 1, fail: 1 },
      update: { success: 0, fail: 0 },
      delete: { success: 1, fail: 0 },
      compareAndSwap: { success: 1, fail: 0 },
      compareAndDelete: { success: 0, fail: 0 },
    },
    expired: 1,
  });
  // Reads are counted where they were asked, writes everywhere.
  const elsewhere = stats("b");
  expect(elsewhere?.counts.get).toEqual({ success: 0, fail: 0 });
  expect(elsewhere?.counts.set).toEqual({ success: 2, fail: 0 });
});

test("a leader counts the append requests it sent to each member, and they what they heard", () => {
  const cluster = startCluster({ names: ["a", "b", "c"] });
  const leader = settleCluster(cluster);
  runFor(cluster, 1_000_000);
  const sent = stateOf(cluster, leader).run?.stats;
  expect(sent?.peers.size).toBe(2);
  for (const { sent: each } of sent?.peers.values() ?? []) expect(each).toBeGreaterThan(0);
  const follower = ["a", "b", "c"].find((name) => name !== leader) ?? "";
  expect(stateOf(cluster, follower).run?.stats.appendsReceived).toBeGreaterThan(0);
});
