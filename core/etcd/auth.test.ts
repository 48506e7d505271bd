import { describe, expect, test } from "vitest";
import type { AuthRequest, Permission } from "./auth-api.js";
import { permitsRange } from "./auth-range.js";
import { indexOfToken } from "./auth-token.js";
import type { ClientReply, ClientRequest } from "./events.js";
import {
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

const SECOND = 1_000_000;

function clusterOf(version: string, names: readonly string[] = ["a"]): TestCluster {
  const cluster = startCluster({ names, config: { version } });
  settleCluster(cluster);
  return cluster;
}

/** Asks with a token and waits for the first reply; null if none comes within 10 s. */
function callAs(
  cluster: TestCluster,
  token: string,
  request: ClientRequest,
  name = "a",
): ClientReply | null {
  const id = cluster.nextId++;
  hear(cluster, name, { kind: "client-request", id, from: "test", request, token });
  runUntil(cluster, () => cluster.replies.has(id), 10 * SECOND);
  return cluster.replies.get(id)?.[0] ?? null;
}

function must(reply: ClientReply | null): void {
  if (reply === null || !reply.ok) throw new Error(`refused: ${JSON.stringify(reply)}`);
}

function tokenOf(cluster: TestCluster, user: string, name = "a"): string {
  const reply = call(cluster, name, { op: "authenticate", name: user, password: `${user}'s` });
  if (reply?.ok !== true || !("result" in reply) || reply.result.op !== "authenticate") {
    throw new Error(`no token: ${JSON.stringify(reply)}`);
  }
  return reply.result.token;
}

/** Root, and `reader` and `writer` who may read and write keys from "k" up to "l"; auth is on. */
function withUsers(version: string, names?: readonly string[]): TestCluster {
  const cluster = clusterOf(version, names);
  const range = { key: "k", rangeEnd: "l" };
  const requests: AuthRequest[] = [
    { op: "auth-user-add", name: "root", password: "root's" },
    { op: "auth-user-grant-role", user: "root", role: "root" },
    { op: "auth-user-add", name: "reader", password: "reader's" },
    { op: "auth-user-add", name: "writer", password: "writer's" },
    { op: "auth-role-add", name: "reads" },
    { op: "auth-role-add", name: "writes" },
    { op: "auth-role-grant-permission", name: "reads", permission: { type: "read", ...range } },
    { op: "auth-role-grant-permission", name: "writes", permission: { type: "write", ...range } },
    { op: "auth-user-grant-role", user: "reader", role: "reads" },
    { op: "auth-user-grant-role", user: "writer", role: "writes" },
    { op: "auth-enable" },
  ];
  for (const request of requests) must(call(cluster, "a", request));
  return cluster;
}

const DENIED = { code: "PermissionDenied", message: "etcdserver: permission denied" };
const USER_EMPTY = { code: "InvalidArgument", message: "etcdserver: user name is empty" };
const PUT = { op: "kv-put", key: "k1", value: "v" } as const;
const READ = { op: "kv-range", key: "k1" } as const;

test("auth can be enabled only when there is a user root with the role root, made or not", () => {
  const cluster = clusterOf("3.4.23");
  expect(call(cluster, "a", { op: "auth-enable" })).toMatchObject({
    code: "FailedPrecondition",
    message: "etcdserver: root user does not exist",
  });
  must(call(cluster, "a", { op: "auth-user-add", name: "root", password: "root's" }));
  expect(call(cluster, "a", { op: "auth-enable" })).toMatchObject({
    message: "etcdserver: root user does not have root role",
  });
  must(call(cluster, "a", { op: "auth-user-grant-role", user: "root", role: "root" }));
  must(call(cluster, "a", { op: "auth-enable" }));
  expect(call(cluster, "a", { op: "kv-range", key: "k" })).toMatchObject(USER_EMPTY);
});

test("users and roles are refused for what etcd refuses, in its words", () => {
  const cluster = clusterOf("3.4.23");
  const refused = (request: AuthRequest, code: string, text: string): void =>
    expect(call(cluster, "a", request)).toEqual({
      ok: false,
      code,
      message: `etcdserver: ${text}`,
    });
  const failed = "FailedPrecondition";
  refused({ op: "auth-user-add", name: "", password: "" }, "InvalidArgument", "user name is empty");
  refused({ op: "auth-role-add", name: "" }, "InvalidArgument", "role name is empty");
  refused({ op: "auth-user-get", name: "x" }, failed, "user name not found");
  refused({ op: "auth-role-get", role: "x" }, failed, "role name not found");
  must(call(cluster, "a", { op: "auth-user-add", name: "u", password: "p" }));
  must(call(cluster, "a", { op: "auth-role-add", name: "r" }));
  refused({ op: "auth-user-add", name: "u", password: "p" }, failed, "user name already exists");
  refused({ op: "auth-role-add", name: "r" }, failed, "role name already exists");
  refused({ op: "auth-user-grant-role", user: "u", role: "x" }, failed, "role name not found");
  refused(
    { op: "auth-user-revoke-role", name: "u", role: "r" },
    failed,
    "role is not granted to the user",
  );
  refused(
    { op: "auth-role-revoke-permission", role: "r", key: "k", rangeEnd: "" },
    failed,
    "permission is not granted to the role",
  );
  refused(
    { op: "authenticate", name: "u", password: "p" },
    failed,
    "authentication is not enabled",
  );
});

test("while auth is on, root cannot be deleted, nor lose the role root", () => {
  const cluster = withUsers("3.4.23");
  const root = tokenOf(cluster, "root");
  const refusal = { code: "InvalidArgument", message: "etcdserver: invalid auth management" };
  for (const request of [
    { op: "auth-user-delete", name: "root" },
    { op: "auth-user-revoke-role", name: "root", role: "root" },
    { op: "auth-role-delete", role: "root" },
  ] as const) {
    expect(callAs(cluster, root, request)).toMatchObject(refusal);
  }
});

test("a token has sixteen letters and the index of its entry; since 3.5 of the entry before", () => {
  for (const [version, before] of [
    ["3.4.23", 0],
    ["3.6.16", 1],
  ] as const) {
    const cluster = withUsers(version);
    const token = tokenOf(cluster, "reader");
    expect(token).toMatch(/^[a-zA-Z]{16}\.\d+$/);
    const index = stateOf(cluster, "a").run?.stores.applied.index ?? 0;
    expect(indexOfToken(token)).toBe(index - before);
  }
});

test("a wrong password and an unknown user are told the same", () => {
  const cluster = withUsers("3.6.16");
  const failed = {
    code: "InvalidArgument",
    message: "etcdserver: authentication failed, invalid user ID or password",
  };
  const tries = [
    ["reader", "writer's"],
    ["nobody", "nobody's"],
  ] as const;
  for (const [name, password] of tries) {
    expect(call(cluster, "a", { op: "authenticate", name, password })).toMatchObject(failed);
  }
});

test("readers read and writers write their range, and nothing else; root does everything", () => {
  for (const version of ["3.4.23", "3.6.16"]) {
    const cluster = withUsers(version);
    const [root, reader, writer] = ["root", "reader", "writer"].map((user) =>
      tokenOf(cluster, user),
    ) as [string, string, string];
    expect(callAs(cluster, reader, PUT)).toMatchObject(DENIED);
    must(callAs(cluster, writer, PUT));
    must(callAs(cluster, reader, READ));
    must(callAs(cluster, reader, { ...READ, serializable: true }));
    expect(callAs(cluster, writer, READ)).toMatchObject(DENIED);
    expect(callAs(cluster, writer, { ...PUT, prevKv: true })).toMatchObject(DENIED);
    expect(callAs(cluster, reader, { op: "kv-range", key: "k", rangeEnd: "m" })).toMatchObject(
      DENIED,
    );
    expect(callAs(cluster, reader, { op: "kv-range", key: "k", rangeEnd: "\0" })).toMatchObject(
      DENIED,
    );
    expect(callAs(cluster, writer, { op: "kv-delete-range", key: "l" })).toMatchObject(DENIED);
    must(callAs(cluster, root, { op: "kv-range", key: "\0", rangeEnd: "\0" }));
    must(callAs(cluster, root, { op: "auth-user-list" }));
    expect(callAs(cluster, reader, { op: "auth-user-list" })).toMatchObject(DENIED);
    must(callAs(cluster, reader, { op: "auth-user-get", name: "reader" }));
    must(callAs(cluster, reader, { op: "auth-role-get", role: "reads" }));
    expect(callAs(cluster, reader, { op: "auth-role-get", role: "writes" })).toMatchObject(DENIED);
    // Compacting asks for no right at all.
    const revision = stateOf(cluster, "a").run?.stores.mvcc.revision ?? 0;
    must(call(cluster, "a", { op: "kv-compact", revision }));
  }
});

test("what is nested in a transaction is checked, but for the releases that have #21681", () => {
  const nested = (op: Extract<ClientRequest, { readonly op: "kv-put" | "kv-range" }>) =>
    ({
      op: "kv-txn",
      compare: [],
      success: [{ op: "kv-txn", compare: [], success: [op], failure: [] }],
      failure: [],
    }) as const;
  const before = withUsers("3.4.23");
  must(callAs(before, tokenOf(before, "reader"), nested(PUT)));
  const since = withUsers("3.6.16");
  expect(callAs(since, tokenOf(since, "reader"), nested(PUT))).toMatchObject(DENIED);
});

test("a change of users voids what was checked before it, and the tokens of whom it concerns", () => {
  const cluster = withUsers("3.4.23", ["a", "b", "c"]);
  const [root, writer] = [tokenOf(cluster, "root"), tokenOf(cluster, "writer")];
  // Both are on their way to the log at once, the change of users first.
  const ids = [cluster.nextId++, cluster.nextId++] as const;
  const ask = (id: number, token: string, request: ClientRequest): void =>
    hear(cluster, "a", { kind: "client-request", id, from: "test", request, token });
  ask(ids[0], root, { op: "auth-role-add", name: "more" });
  ask(ids[1], writer, PUT);
  runUntil(cluster, () => cluster.replies.has(ids[1]));
  expect(cluster.replies.get(ids[1])?.[0]).toEqual({
    ok: false,
    code: "InvalidArgument",
    message: "etcdserver: revision of auth store is old",
  });
  must(callAs(cluster, writer, PUT));
  must(callAs(cluster, root, { op: "auth-user-change-password", name: "writer", password: "new" }));
  expect(callAs(cluster, writer, PUT)).toMatchObject({
    code: "Unauthenticated",
    message: "etcdserver: invalid auth token",
  });
});

test("a token is good with every member, for 300 s after it was last used there", () => {
  const cluster = withUsers("3.4.23", ["a", "b", "c"]);
  const token = tokenOf(cluster, "writer", "b");
  for (const name of ["a", "b", "c"]) must(callAs(cluster, token, PUT, name));
  runFor(cluster, 250 * SECOND);
  must(callAs(cluster, token, PUT, "a"));
  runFor(cluster, 250 * SECOND);
  must(callAs(cluster, token, PUT, "a"));
  expect(callAs(cluster, token, PUT, "b")).toMatchObject({ code: "Unauthenticated" });
});

test("a request with the token of an entry that is not applied yet waits for it", () => {
  const cluster = withUsers("3.4.23");
  const applied = stateOf(cluster, "a").run?.stores.applied.index ?? 0;
  const id = cluster.nextId++;
  const token = `abcdefghijklmnop.${applied + 2}`;
  hear(cluster, "a", { kind: "client-request", id, from: "test", request: PUT, token });
  runFor(cluster, SECOND);
  expect(cluster.replies.has(id)).toBe(false);
  const root = tokenOf(cluster, "root");
  must(callAs(cluster, root, PUT));
  expect(cluster.replies.get(id)?.[0]).toMatchObject({ code: "Unauthenticated" });
});

test("users, roles and permissions outlive a crash, and logins do not", () => {
  const cluster = withUsers("3.4.23");
  const token = tokenOf(cluster, "writer");
  must(callAs(cluster, token, PUT));
  crash(cluster, "a");
  hear(cluster, "a", { kind: "start" });
  settleCluster(cluster);
  expect(callAs(cluster, token, PUT)).toMatchObject({ code: "Unauthenticated" });
  must(callAs(cluster, tokenOf(cluster, "writer"), PUT));
  expect(callAs(cluster, tokenOf(cluster, "reader"), PUT)).toMatchObject(DENIED);
});

test("a member that catches up by a snapshot checks as the others do", () => {
  const cluster = startCluster({
    names: ["a", "b", "c"],
    config: { version: "3.4.23", snapshotCount: 20, catchUpEntries: 1 },
  });
  settleCluster(cluster);
  crash(cluster, "c");
  const requests: AuthRequest[] = [
    { op: "auth-user-add", name: "root", password: "root's" },
    { op: "auth-user-grant-role", user: "root", role: "root" },
    { op: "auth-user-add", name: "writer", password: "writer's" },
    { op: "auth-enable" },
  ];
  for (const request of requests) must(call(cluster, "a", request));
  const root = tokenOf(cluster, "root");
  for (let i = 0; i < 50; i++) must(callAs(cluster, root, PUT));
  hear(cluster, "c", { kind: "start" });
  settleCluster(cluster);
  runFor(cluster, 3 * SECOND);
  expect(stateOf(cluster, "c").run?.stores.auth).toEqual(stateOf(cluster, "a").run?.stores.auth);
  expect(callAs(cluster, tokenOf(cluster, "writer", "c"), PUT, "c")).toMatchObject(DENIED);
});

describe("what asks for a login", () => {
  const table = [
    ["status", { op: "status" }, null, USER_EMPTY.message],
    ["member-list", { op: "member-list" }, null, USER_EMPTY.message],
    ["lease-list", { op: "lease-list" }, null, USER_EMPTY.message],
    ["lease-grant", { op: "lease-grant", ttl: 60 }, null, USER_EMPTY.message],
    ["alarms", { op: "alarm", action: "get", member: "", alarm: "none" }, null, USER_EMPTY.message],
    ["defragment", { op: "defragment" }, "auth: user name is empty", USER_EMPTY.message],
    ["snapshot", { op: "snapshot" }, "auth: user name is empty", USER_EMPTY.message],
    [
      "member-remove",
      { op: "member-remove", member: "00000000000000aa" },
      USER_EMPTY.message,
      USER_EMPTY.message,
    ],
  ] as const satisfies readonly (readonly [string, ClientRequest, string | null, string])[];
  for (const [name, request, before, since] of table) {
    test(`${name}: ${before ?? "nothing"} in 3.4, ${since} in 3.6`, () => {
      for (const [version, text] of [
        ["3.4.23", before],
        ["3.6.16", since],
      ] as const) {
        const reply = call(withUsers(version), "a", request);
        if (text === null) must(reply);
        else expect(reply).toMatchObject({ ok: false, message: text });
      }
    });
  }
});

test("the leader revokes leases that ran out, whoever may write their keys", () => {
  for (const version of ["3.4.23", "3.6.16"]) {
    const cluster = withUsers(version);
    const root = tokenOf(cluster, "root");
    const lease = "00000000000000aa";
    must(callAs(cluster, root, { op: "lease-grant", ttl: 2, id: lease }));
    must(callAs(cluster, root, { ...PUT, lease }));
    runFor(cluster, 5 * SECOND);
    expect(callAs(cluster, root, READ)).toMatchObject({ result: { count: 0 } });
  }
});

test("who may not write every key of a lease may not revoke it, nor hang a key on it", () => {
  const cluster = withUsers("3.4.23");
  const [root, writer] = [tokenOf(cluster, "root"), tokenOf(cluster, "writer")];
  const lease = "00000000000000aa";
  must(callAs(cluster, root, { op: "lease-grant", ttl: 60, id: lease }));
  must(callAs(cluster, writer, { ...PUT, lease }));
  must(callAs(cluster, root, { op: "kv-put", key: "x", value: "", lease }));
  expect(callAs(cluster, writer, { op: "lease-revoke", id: lease })).toMatchObject(DENIED);
  expect(callAs(cluster, writer, { ...PUT, lease })).toMatchObject(DENIED);
  must(callAs(cluster, root, { op: "lease-revoke", id: lease }));
});

test("permissions side by side add up to a range, a gap between them does not", () => {
  const read = (key: string, rangeEnd: string): Permission => ({ type: "read", key, rangeEnd });
  const touching = [read("a", "c"), read("c", "f")];
  expect(permitsRange(touching, "read", "b", "e")).toBe(true);
  expect(permitsRange(touching, "read", "b", "g")).toBe(false);
  expect(permitsRange([read("a", "c"), read("d", "f")], "read", "b", "e")).toBe(false);
  expect(permitsRange([read("a", "\0")], "read", "b", "\0")).toBe(true);
  expect(permitsRange([read("a", "z")], "read", "b", "\0")).toBe(false);
  expect(permitsRange([read("a", "")], "read", "a", "")).toBe(true);
  // A single key is a range up to the next possible one.
  expect(permitsRange([read("a", ""), read("a\0", "b")], "read", "a", "b")).toBe(true);
  expect(permitsRange([{ type: "write", key: "a", rangeEnd: "" }], "read", "a", "")).toBe(false);
});
