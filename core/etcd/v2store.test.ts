import { expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import type { V2Request, V2Response } from "./client.js";
import { applyV2Command, parseV2Request } from "./v2-request.js";
import { imageOfV2, restoreV2, v2Digest } from "./v2-snapshot.js";
import type { V2Notice } from "./v2-watch.js";
import { createV2Store, hasExpiringKeys, type V2Store, v2Expire, v2Watch } from "./v2store.js";

function request(store: V2Store, asked: V2Request, now = 0, notices: V2Notice[] = []): V2Response {
  const parsed = parseV2Request(asked, now);
  if (!parsed.ok) return parsed.failure;
  const { command } = parsed;
  if (command.op === "watch") throw new Error("not a watch");
  return applyV2Command(store, command, now, notices);
}

function put(store: V2Store, key: string, value = "v", ttl: number | "" = ""): V2Response {
  return request(store, { op: "put", key, value, ttl });
}

test("set replaces a node and begins its createdIndex anew, update keeps it", () => {
  const store = createV2Store();
  expect(put(store, "/k", "1")).toMatchObject({
    status: 201,
    node: { createdIndex: 1, modifiedIndex: 1 },
  });
  expect(put(store, "/k", "2")).toMatchObject({
    status: 200,
    node: { createdIndex: 2, modifiedIndex: 2 },
    prevNode: { value: "1", createdIndex: 1 },
  });
  expect(request(store, { op: "put", key: "/k", value: "3", prevExist: true })).toMatchObject({
    action: "update",
    node: { createdIndex: 2, modifiedIndex: 3 },
  });
});

test("refusals carry etcd's code, status, message and cause", () => {
  const store = createV2Store();
  put(store, "/file");
  put(store, "/dir/k");
  const refusals: readonly [V2Request, number, number, string][] = [
    [{ op: "get", key: "/no/where" }, 404, 100, "/no"],
    [{ op: "put", key: "/file", prevIndex: 9 }, 412, 101, "[9 != 1]"],
    [{ op: "put", key: "/file", prevValue: "x" }, 412, 101, "[x != v]"],
    [{ op: "put", key: "/file", prevValue: "x", prevIndex: 9 }, 412, 101, "[x != v] [9 != 1]"],
    [{ op: "put", key: "/dir", value: "x" }, 403, 102, "/dir"],
    [{ op: "put", key: "/file/below", value: "x" }, 400, 104, "/file"],
    [{ op: "put", key: "/file", prevExist: false }, 412, 105, "/file"],
    [{ op: "put", key: "/", value: "x" }, 400, 107, "/"],
    [{ op: "delete", key: "/dir", dir: true }, 403, 108, "/dir"],
    [{ op: "delete", key: "/dir" }, 403, 102, "/dir"],
    [{ op: "delete", key: "/", prevValue: "x" }, 403, 102, ""],
    [{ op: "put", key: "/file", prevValue: "" }, 400, 201, '"prevValue" cannot be empty'],
    [
      { op: "put", key: "/file", refresh: true, value: "x", ttl: 5 },
      400,
      211,
      "A value was provided on a refresh",
    ],
    [{ op: "put", key: "/file", refresh: true }, 400, 212, "No TTL value set"],
  ];
  for (const [asked, status, errorCode, cause] of refusals) {
    expect(request(store, asked)).toMatchObject({ ok: false, status, errorCode, cause });
  }
  expect(store.index).toBe(2);
});

test("in-order keys are named by the index that makes them, in 20 digits", () => {
  const store = createV2Store();
  put(store, "/x");
  const made = request(store, { op: "post", key: "/queue", value: "job" });
  expect(made).toMatchObject({
    status: 201,
    action: "create",
    node: { key: "/queue/00000000000000000002" },
  });
});

test("a listing leaves out hidden names, and sorts at every level when asked to", () => {
  const store = createV2Store();
  for (const key of ["/d/b", "/d/a", "/d/_h", "/d/s/2", "/d/s/1"]) put(store, key);
  const listed = request(store, { op: "get", key: "/d", recursive: true, sorted: true });
  expect(listed).toMatchObject({
    node: {
      nodes: [
        { key: "/d/a" },
        { key: "/d/b" },
        { key: "/d/s", nodes: [{ key: "/d/s/1" }, { key: "/d/s/2" }] },
      ],
    },
  });
  expect(request(store, { op: "get", key: "/d/_h" })).toMatchObject({ ok: true });
});

test("a ttl is shown in seconds rounded up, a refresh moves it and keeps the value, an empty one ends it", () => {
  const store = createV2Store();
  put(store, "/k", "v", 10);
  const soon = 1_500_000;
  expect(request(store, { op: "get", key: "/k" }, soon)).toMatchObject({
    node: { expiration: 10 * SECOND, ttl: 9 },
  });
  request(store, { op: "put", key: "/k", refresh: true, prevExist: true, ttl: 10 }, soon);
  expect(request(store, { op: "get", key: "/k" }, soon)).toMatchObject({
    node: { value: "v", ttl: 10 },
  });
  request(store, { op: "put", key: "/k", value: "w", ttl: "" }, soon);
  expect(hasExpiringKeys(store)).toBe(false);
});

test("keys expire in order of time and then of key, each at an index of its own", () => {
  const store = createV2Store();
  put(store, "/late", "v", 3);
  put(store, "/b", "v", 1);
  put(store, "/a", "v", 1);
  request(store, { op: "put", key: "/dir", dir: true, ttl: 2 });
  put(store, "/dir/k");
  const notices: V2Notice[] = [];
  expect(v2Watch(store, 1, "/", true, true, 0)).toBeNull();
  expect(v2Watch(store, 2, "/dir/k", false, false, 0)).toBeNull();
  v2Expire(store, 2 * SECOND, 2 * SECOND, notices);
  const seen = notices.map(({ id, response }) => [
    id,
    response.ok ? response.node.key : "",
    response.ok ? response.node.modifiedIndex : 0,
  ]);
  expect(seen).toEqual([
    [1, "/a", 6],
    [1, "/b", 7],
    [2, "/dir", 8],
    [1, "/dir", 8],
  ]);
  expect(hasExpiringKeys(store)).toBe(true);
});

test("many refreshes leave no heap of old deadlines", () => {
  const store = createV2Store();
  for (let i = 0; i < 10_000; i++) put(store, `/machine${i % 5}`, "v", 30);
  expect(store.expiry.live.size).toBe(5);
  expect(store.expiry.heap.length).toBeLessThanOrEqual(64);
});

test("a live watch is not told of hidden keys, a look into history is", () => {
  const store = createV2Store();
  const notices: V2Notice[] = [];
  v2Watch(store, 1, "/d", true, false, 0);
  request(store, { op: "put", key: "/d/_h/k", value: "v" }, 0, notices);
  expect(notices).toEqual([]);
  expect(v2Watch(store, 2, "/d", true, false, 1)).toMatchObject({ node: { key: "/d/_h/k" } });
});

test("history reaches back 1000 changes and no further", () => {
  const store = createV2Store();
  for (let i = 0; i < 1500; i++) put(store, `/k${i}`);
  expect(v2Watch(store, 1, "/k500", false, false, 500)).toMatchObject({
    status: 400,
    errorCode: 401,
    cause: "the requested history has been cleared [501/500]",
    index: 1500,
  });
  expect(v2Watch(store, 1, "/k500", false, false, 501)).toMatchObject({
    node: { modifiedIndex: 501 },
  });
});

test("a restored image is the store it was taken of, and is not changed by what comes after", () => {
  const store = createV2Store();
  put(store, "/d/k", "v", 5);
  put(store, "/d/l");
  request(store, { op: "put", key: "/e", dir: true, prevExist: false });
  const image = imageOfV2(store);
  const before = JSON.stringify(image);
  const copy = createV2Store();
  restoreV2(copy, image);
  expect(v2Digest(copy)).toBe(v2Digest(store));
  for (const one of [store, copy]) {
    request(one, { op: "delete", key: "/d", recursive: true });
    v2Expire(one, 9 * SECOND, 9 * SECOND, []);
  }
  expect(v2Digest(copy)).toBe(v2Digest(store));
  expect(JSON.stringify(image)).toBe(before);
});
