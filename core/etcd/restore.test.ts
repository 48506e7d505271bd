import { expect, test } from "vitest";
import { hashState } from "../kernel/index.js";
import { bucketsOf, contentOf } from "./backend-rows.js";
import type { ClientReply, ClientRequest } from "./events.js";
import { call, settleCluster, startCluster, stateOf, type TestCluster } from "./testing/cluster.js";

const LEASE = "fffffffffffffffe";

const REQUESTS: readonly ClientRequest[] = [
  { op: "lease-grant", ttl: 1000, id: LEASE },
  { op: "kv-put", key: "k", value: "\0\xff", lease: LEASE },
  { op: "kv-put", key: "k2", value: "" },
  { op: "kv-delete-range", key: "k2" },
  { op: "kv-compact", revision: 3 },
  { op: "alarm", action: "activate", member: "00000000000000aa", alarm: "corrupt" },
  { op: "auth-user-add", name: "root", password: "root's" },
  { op: "auth-user-add", name: "zoë", password: "", noPassword: true },
  { op: "auth-user-grant-role", user: "root", role: "root" },
  { op: "auth-role-add", name: "r" },
  {
    op: "auth-role-grant-permission",
    name: "r",
    permission: { type: "read-write", key: "k", rangeEnd: "\0" },
  },
  { op: "auth-user-grant-role", user: "zoë", role: "r" },
  { op: "auth-enable" },
  { op: "authenticate", name: "root", password: "root's" },
];

function play(cluster: TestCluster): readonly (ClientReply | null)[] {
  settleCluster(cluster);
  return REQUESTS.map((request) => call(cluster, "a", request));
}

test("a cluster that begins with another's data holds its keys, leases, alarms and users, and members of its own", () => {
  const before = startCluster({ names: ["a"], config: { version: "3.6.16" } });
  for (const reply of play(before)) expect(reply?.ok).toBe(true);
  const image = stateOf(before, "a").run?.stores;
  if (image === undefined) throw new Error("down");
  const root = call(before, "a", { op: "authenticate", name: "root", password: "root's" });
  const token =
    root?.ok === true && "result" in root && root.result.op === "authenticate"
      ? root.result.token
      : "";
  const taken = call(before, "a", { op: "snapshot" }, token);
  if (taken?.ok !== true || !("result" in taken) || taken.result.op !== "snapshot") {
    throw new Error(`no snapshot: ${JSON.stringify(taken)}`);
  }
  const restore = contentOf(bucketsOf(taken.result.image, { line: "3.6" }));
  const after = startCluster({ names: ["x", "y", "z"], config: { version: "3.6.16", restore } });
  settleCluster(after);
  for (const name of ["x", "y", "z"]) {
    const stores = stateOf(after, name).run?.stores;
    expect(stores?.mvcc.revision).toBe(image.mvcc.revision);
    expect(stores?.mvcc.compactRevision).toBe(3);
    expect([...(stores?.lessor.keys.get(LEASE) ?? [])]).toEqual(["k"]);
    expect([...(stores?.alarms.values() ?? [])]).toEqual([...image.alarms.values()]);
    expect(stores?.auth.enabled).toBe(true);
    expect(stores?.auth.roles).toEqual(image.auth.roles);
    expect(stores?.auth.users.get("zoë")).toEqual(image.auth.users.get("zoë"));
    expect(stores?.membership.members.size).toBe(3);
  }
  expect(call(after, "x", { op: "kv-put", key: "k", value: "" })).toMatchObject({
    code: "DataLoss",
  });
});

test("in place and under immer, users, alarms and logins come to the same", () => {
  const outcomes = (["in-place", "immutable"] as const).map((mode) => {
    const cluster = startCluster({ names: ["a", "b", "c"], mode });
    const replies = play(cluster);
    return { replies, states: ["a", "b", "c"].map((name) => hashState(stateOf(cluster, name))) };
  });
  expect(outcomes[0]).toEqual(outcomes[1]);
});
