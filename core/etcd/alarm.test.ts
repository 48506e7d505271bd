import { expect, test } from "vitest";
import { addRows, createBackendSize, fileBytes, recountRows } from "./backend.js";
import type { EtcdConfig } from "./config.js";
import type { ClientReply } from "./events.js";
import type { AlarmRequest } from "./maintenance-api.js";
import type { Row } from "./mvcc.js";
import {
  ask,
  call,
  crash,
  hear,
  runFor,
  runUntil,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
} from "./testing/cluster.js";

const KIB = 1024;
const NO_SPACE = {
  ok: false,
  code: "ResourceExhausted",
  message: "etcdserver: mvcc: database space exceeded",
};
const CORRUPT = { ok: false, code: "DataLoss", message: "etcdserver: corrupt cluster" };

function clusterOf(config: Partial<EtcdConfig>, names: readonly string[] = ["a"]): TestCluster {
  const cluster = startCluster({ names, config });
  settleCluster(cluster);
  return cluster;
}

function put(cluster: TestCluster, key: string, bytes = 10, name = "a"): ClientReply | null {
  return call(cluster, name, { op: "kv-put", key, value: "x".repeat(bytes) });
}

function alarms(cluster: TestCluster, name = "a"): readonly string[] {
  const asked: AlarmRequest = { op: "alarm", action: "get", member: "", alarm: "none" };
  const reply = call(cluster, name, asked);
  if (reply?.ok !== true || !("result" in reply) || reply.result.op !== "alarm") {
    throw new Error(`no alarms: ${JSON.stringify(reply)}`);
  }
  return reply.result.alarms.map(({ member, alarm }) => `${alarm} ${member}`);
}

function memberOf(cluster: TestCluster, name: string): string {
  return stateOf(cluster, name).run?.memberId ?? "";
}

/** Fills the database until it is refused. */
function fill(cluster: TestCluster): void {
  for (let i = 0; i < 100; i++) {
    const reply = put(cluster, `fill${i}`, KIB);
    if (reply?.ok === true) continue;
    expect(reply).toEqual(NO_SPACE);
    return;
  }
  throw new Error("never full");
}

test("a member whose database is full refuses, raises the alarm, and then nobody writes", () => {
  const cluster = clusterOf({ quotaBytes: 64 * KIB }, ["a", "b", "c"]);
  fill(cluster);
  expect(alarms(cluster, "b")).toEqual([`nospace ${memberOf(cluster, "a")}`]);
  // A deletion needs no room, a put of one byte does.
  for (const name of ["a", "b", "c"]) expect(put(cluster, "k", 1, name)).toEqual(NO_SPACE);
  expect(call(cluster, "b", { op: "lease-grant", ttl: 60 })).toEqual(NO_SPACE);
  expect(call(cluster, "b", { op: "kv-delete-range", key: "fill0" })).toMatchObject({ ok: true });
  expect(call(cluster, "b", { op: "status" })).toMatchObject({
    result: {
      errors: expect.arrayContaining([expect.stringMatching(/^memberID:\d+ alarm:NOSPACE $/)]),
    },
  });
});

test("compaction alone does not make room, defragmentation and disarming do", () => {
  const cluster = clusterOf({ quotaBytes: 64 * KIB });
  fill(cluster);
  const raised = { member: memberOf(cluster, "a"), alarm: "nospace" } as const;
  const disarm = { op: "alarm", action: "deactivate", ...raised } as const;
  const deleted = call(cluster, "a", { op: "kv-delete-range", key: "fill", rangeEnd: "film" });
  expect(deleted).toMatchObject({ ok: true });
  const revision = stateOf(cluster, "a").run?.stores.mvcc.revision ?? 0;
  expect(call(cluster, "a", { op: "kv-compact", revision })).toMatchObject({ ok: true });
  expect(call(cluster, "a", disarm)).toMatchObject({ result: { alarms: [raised] } });
  expect(put(cluster, "k", KIB)).toEqual(NO_SPACE);
  expect(call(cluster, "a", { op: "defragment" })).toMatchObject({ ok: true });
  expect(call(cluster, "a", disarm)).toMatchObject({ ok: true });
  expect(alarms(cluster)).toEqual([]);
  expect(put(cluster, "k", KIB)).toMatchObject({ ok: true });
});

test("what is in the log already is applied and refused all the same, and raises the alarm", () => {
  const cluster = clusterOf({ quotaBytes: 64 * KIB });
  for (let i = 0; i < 10; i++) put(cluster, `k${i}`, KIB);
  const ids = Array.from({ length: 40 }, (_, i) =>
    ask(cluster, "a", { op: "kv-put", key: `late${i}`, value: "x".repeat(KIB) }),
  );
  runUntil(cluster, () => ids.every((id) => cluster.replies.has(id)));
  const refused = ids.filter((id) => cluster.replies.get(id)?.[0]?.ok === false);
  expect(refused.length).toBeGreaterThan(0);
  const { stores } = stateOf(cluster, "a").run ?? {};
  const written = stores?.mvcc.revision ?? 0;
  expect(written).toBeGreaterThan(1 + 10 + ids.length - refused.length);
  expect(alarms(cluster)).toEqual([`nospace ${memberOf(cluster, "a")}`]);
});

test("an alarm outlives a crash, and the member goes on refusing", () => {
  const cluster = clusterOf({ quotaBytes: 64 * KIB });
  fill(cluster);
  crash(cluster, "a");
  hear(cluster, "a", { kind: "start" });
  settleCluster(cluster);
  expect(alarms(cluster)).toHaveLength(1);
  expect(put(cluster, "k", 1)).toEqual(NO_SPACE);
});

test("a negative quota is none", () => {
  const cluster = clusterOf({ quotaBytes: -1 });
  for (let i = 0; i < 70; i++) expect(put(cluster, `k${i}`, KIB)).toMatchObject({ ok: true });
});

test("the alarm CORRUPT stops writes, deletions, transactions, compaction and leases, not reads", () => {
  for (const version of ["3.4.23", "3.6.16"]) {
    const cluster = clusterOf({ version });
    put(cluster, "k");
    const corrupt = { op: "alarm", member: memberOf(cluster, "a"), alarm: "corrupt" } as const;
    expect(call(cluster, "a", { ...corrupt, action: "activate" })).toMatchObject({ ok: true });
    expect(put(cluster, "k")).toEqual(CORRUPT);
    expect(call(cluster, "a", { op: "kv-delete-range", key: "k" })).toEqual(CORRUPT);
    expect(call(cluster, "a", { op: "kv-compact", revision: 2 })).toEqual(CORRUPT);
    expect(call(cluster, "a", { op: "lease-grant", ttl: 60 })).toEqual(CORRUPT);
    expect(call(cluster, "a", { op: "kv-range", key: "k" })).toMatchObject({ ok: true });
    expect(call(cluster, "a", { ...corrupt, action: "deactivate" })).toMatchObject({ ok: true });
    expect(put(cluster, "k")).toMatchObject({ ok: true });
  }
});

test("3.4 forgets a second alarm when the first goes, and its checks while one is there", () => {
  const raise = (version: string): ClientReply | null => {
    const cluster = clusterOf({ version });
    const member = memberOf(cluster, "a");
    for (const alarm of ["nospace", "corrupt"] as const) {
      call(cluster, "a", { op: "alarm", action: "activate", member, alarm });
    }
    call(cluster, "a", { op: "alarm", action: "deactivate", member, alarm: "corrupt" });
    return put(cluster, "k");
  };
  expect(raise("3.4.23")).toMatchObject({ ok: true });
  expect(raise("3.6.16")).toEqual(NO_SPACE);
});

test("an alarm of a member that has none is disarmed without a word; NONE is kept by 3.4 only", () => {
  for (const [version, kept] of [
    ["3.4.23", 1],
    ["3.6.16", 0],
  ] as const) {
    const cluster = clusterOf({ version });
    const none = { op: "alarm", member: "00000000000000aa", alarm: "none" } as const;
    expect(call(cluster, "a", { ...none, action: "deactivate" })).toMatchObject({
      result: { alarms: [] },
    });
    call(cluster, "a", { ...none, action: "activate" });
    expect(alarms(cluster)).toHaveLength(kept);
  }
});

test("a request of more than 1.5 MiB is refused before it goes to the log", () => {
  const cluster = clusterOf({});
  expect(put(cluster, "k", 1.5 * KIB * KIB)).toEqual({
    ok: false,
    code: "InvalidArgument",
    message: "etcdserver: request is too large",
  });
  expect(put(cluster, "k", 1.5 * KIB * KIB - 200)).toMatchObject({ ok: true });
});

test("the size of the database grows with rows, and stays when they go", () => {
  const rows = Array.from({ length: 10_000 }, (_, i): Row => {
    const key = `k10-10000-${String(i).padStart(6, "0")}`;
    const main = 1102 + Math.floor(i / 100);
    const value = "x".repeat(10);
    const kv = { key, createRevision: main, modRevision: main, version: 1, value, lease: "" };
    return { main, sub: i % 100, key, kv };
  });
  const size = createBackendSize();
  addRows(size, rows);
  const full = fileBytes(size);
  // A real etcd 3.4.23 takes 198 pages for them, besides the 5 of an empty database.
  expect(full / 4096).toBeGreaterThan(198);
  expect(full / 4096).toBeLessThan(208);
  recountRows(size, []);
  expect(fileBytes(size)).toBe(full);
});

test("however many writes are refused at once, every client hears of it once", () => {
  const cluster = clusterOf({ quotaBytes: 40 * KIB }, ["a", "b", "c"]);
  const ids = Array.from({ length: 30 }, (_, i) =>
    ask(cluster, ["a", "b", "c"][i % 3] ?? "a", {
      op: "kv-put",
      key: `k${i}`,
      value: "x".repeat(2 * KIB),
    }),
  );
  runFor(cluster, 10_000_000);
  for (const id of ids) expect(cluster.replies.get(id)).toHaveLength(1);
});
