import { expect, test } from "vitest";
import type { EtcdBugs } from "./config.js";
import type { ClientRequest } from "./events.js";
import {
  call,
  crash,
  hear,
  runFor,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
} from "./testing/cluster.js";

const THREE = ["a", "b", "c"];
const SECOND = 1_000_000;

function clusterWith(bugs: EtcdBugs, config: object = {}): TestCluster {
  const cluster = startCluster({ names: THREE, config: { bugs, ...config } });
  settleCluster(cluster);
  return cluster;
}

function must(cluster: TestCluster, name: string, request: ClientRequest): void {
  const reply = call(cluster, name, request);
  if (reply?.ok !== true) throw new Error(`refused: ${JSON.stringify(reply)}`);
}

/** What every member holds of a key, in the order of their names. */
function held(cluster: TestCluster, key: string): readonly (string | undefined)[] {
  return THREE.map((name) => {
    const request = { op: "kv-range", key, serializable: true } as const;
    const reply = call(cluster, name, request);
    if (reply?.ok !== true || !("result" in reply) || reply.result.op !== "kv-range") return "?";
    return reply.result.kvs[0]?.value;
  });
}

function restart(cluster: TestCluster, name: string): void {
  crash(cluster, name);
  hear(cluster, name, { kind: "start" });
  settleCluster(cluster);
  runFor(cluster, 2 * SECOND);
}

function put(cluster: TestCluster, value: string): void {
  must(cluster, "a", { op: "kv-put", key: "k", value });
  runFor(cluster, 20_000);
}

test("a crash costs nothing that was answered, whenever the database was committed", () => {
  const cluster = clusterWith({});
  put(cluster, "1");
  put(cluster, "2");
  restart(cluster, "b");
  expect(held(cluster, "k")).toEqual(["2", "2", "2"]);
});

test("with #13766 a crash loses the last entry on one member for good, and the others do not know", () => {
  const cluster = clusterWith({ indexBeforeData: true });
  put(cluster, "1");
  runFor(cluster, SECOND);
  put(cluster, "2");
  restart(cluster, "b");
  expect(held(cluster, "k")).toEqual(["2", "1", "2"]);
  restart(cluster, "b");
  expect(held(cluster, "k")).toEqual(["2", "1", "2"]);
  // Revisions are apart from now on, and with them all that hangs on them.
  put(cluster, "3");
  runFor(cluster, SECOND);
  const revisions = THREE.map((name) => stateOf(cluster, name).run?.stores.mvcc.revision);
  expect(revisions).toEqual([4, 3, 4]);
});

test("with #13766 a crash at rest loses nothing", () => {
  const cluster = clusterWith({ indexBeforeData: true });
  put(cluster, "1");
  runFor(cluster, SECOND);
  restart(cluster, "b");
  expect(held(cluster, "k")).toEqual(["1", "1", "1"]);
});

test("with #14685 a crash after defragmenting loses what was applied just before it", () => {
  const cluster = clusterWith({ defragLosesData: true });
  put(cluster, "1");
  runFor(cluster, SECOND);
  put(cluster, "2");
  put(cluster, "3");
  must(cluster, "b", { op: "defragment" });
  restart(cluster, "b");
  expect(held(cluster, "k")).toEqual(["3", "1", "3"]);
});

test("with #17780 a crash after compacting the newest deletion takes the revision back", () => {
  for (const compactionUnfinished of [false, true]) {
    const cluster = clusterWith({ compactionUnfinished });
    put(cluster, "1");
    must(cluster, "a", { op: "kv-delete-range", key: "k" });
    must(cluster, "a", { op: "kv-compact", revision: 3 });
    runFor(cluster, 20_000);
    restart(cluster, "b");
    const revision = stateOf(cluster, "b").run?.stores.mvcc.revision;
    expect(revision).toBe(compactionUnfinished ? 1 : 3);
  }
});

test("a snapshot from the leader heals what crashes did to a member", () => {
  const cluster = clusterWith({ indexBeforeData: true }, { snapshotCount: 20, catchUpEntries: 1 });
  put(cluster, "1");
  runFor(cluster, SECOND);
  put(cluster, "2");
  crash(cluster, "b");
  for (let i = 0; i < 60; i++) must(cluster, "a", { op: "kv-put", key: `other${i}`, value: "" });
  hear(cluster, "b", { kind: "start" });
  settleCluster(cluster);
  runFor(cluster, 3 * SECOND);
  expect(held(cluster, "k")).toEqual(["2", "2", "2"]);
  expect(stateOf(cluster, "b").disk.durable.scars).toEqual([]);
});

test("with #14571 a member that caught up by a snapshot denies what the others permit", () => {
  for (const permissionsNotRestored of [false, true]) {
    const cluster = clusterWith(
      { permissionsNotRestored },
      { snapshotCount: 20, catchUpEntries: 1 },
    );
    crash(cluster, "c");
    const range = { key: "k", rangeEnd: "l" };
    for (const request of [
      { op: "auth-user-add", name: "root", password: "root's" },
      { op: "auth-user-grant-role", user: "root", role: "root" },
      { op: "auth-user-add", name: "u", password: "u's" },
      { op: "auth-role-add", name: "r" },
      { op: "auth-role-grant-permission", name: "r", permission: { type: "write", ...range } },
      { op: "auth-user-grant-role", user: "u", role: "r" },
      { op: "auth-enable" },
    ] as const) {
      must(cluster, "a", request);
    }
    const login = { op: "authenticate", name: "u", password: "u's" } as const;
    const reply = call(cluster, "a", login);
    const token =
      reply?.ok === true && "result" in reply && reply.result.op === "authenticate"
        ? reply.result.token
        : "";
    const write = { op: "kv-put", key: "k", value: "v" } as const;
    for (let i = 0; i < 60; i++) call(cluster, "a", write, token);
    hear(cluster, "c", { kind: "start" });
    settleCluster(cluster);
    runFor(cluster, 3 * SECOND);
    call(cluster, "a", write, token);
    runFor(cluster, SECOND);
    const [a, , c] = THREE.map((name) => stateOf(cluster, name).run?.stores.mvcc.revision ?? 0);
    expect(c).toBe((a ?? 0) - (permissionsNotRestored ? 1 : 0));
  }
});

test("in 3.4 an alarm drops a member's checks until it starts again, and playing the log again repeats both", () => {
  const cluster = startCluster({ names: ["a"], config: { version: "3.4.23" } });
  settleCluster(cluster);
  for (const request of [
    { op: "auth-user-add", name: "root", password: "root's" },
    { op: "auth-user-grant-role", user: "root", role: "root" },
    { op: "auth-enable" },
    { op: "alarm", action: "activate", member: "00000000000000aa", alarm: "nospace" },
  ] as const) {
    must(cluster, "a", request);
  }
  // Nobody has logged in, and yet may delete.
  must(cluster, "a", { op: "kv-delete-range", key: "k" });
  const again = (): void => {
    crash(cluster, "a");
    hear(cluster, "a", { kind: "start" });
    settleCluster(cluster);
    expect(call(cluster, "a", { op: "kv-delete-range", key: "k" })).toMatchObject({
      message: "etcdserver: user name is empty",
    });
  };
  again();
  again();
});
