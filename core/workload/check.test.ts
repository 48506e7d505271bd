import { expect, test } from "vitest";
import { checkHistory, type HistoryCheckName } from "./check.js";
import type { WatchTold } from "./facts.js";
import { Script } from "./testing/script.js";

const ALL = { key: "\0", rangeEnd: "\0", startRevision: 1, prevKv: true } as const;

function broken(script: Script): HistoryCheckName[] {
  return checkHistory(script.history()).findings.map(({ check }) => check);
}

/** Puts, a transaction of two keys, a deletion: revisions 2 to 6. */
function busy(): Script {
  const two = [
    { op: "kv-put", key: "/a", value: "a2" },
    { op: "kv-put", key: "/b", value: "b1" },
  ] as const;
  return new Script()
    .put("/a", "a1")
    .call("writer", { op: "kv-txn", compare: [], success: two, failure: [] })
    .put("/c", "c1")
    .call("writer", { op: "kv-delete-range", key: "/b" })
    .put("/a", "a3");
}

test("a right history breaks nothing, whatever is asked", () => {
  const script = busy()
    .call("reader", { op: "kv-range", key: "/a", rangeEnd: "/z" })
    .call("reader", { op: "kv-range", key: "/a", serializable: true }, { at: 3 })
    .call("reader", { op: "kv-range", key: "/a", rangeEnd: "/z", revision: 4 })
    .call("reader", { op: "kv-range", key: "/a", revision: 99 })
    .call("writer", { op: "kv-compact", revision: 3 })
    .watch(ALL)
    .watch({ key: "/a", startRevision: 3 });
  expect(broken(script)).toEqual([]);
});

test("a lease's keys go with it in one revision, and a put with a lease that is gone is refused", () => {
  const granted = new Script().call("owner", { op: "lease-grant", ttl: 60 });
  const [id = ""] = granted.state.leases;
  const script = granted
    .call("owner", { op: "kv-put", key: "/a", value: "1", lease: id })
    .call("owner", { op: "kv-put", key: "/b", value: "2", lease: id })
    .call("owner", { op: "lease-revoke", id })
    .call("owner", { op: "kv-put", key: "/a", value: "3", lease: id })
    .call("reader", { op: "kv-range", key: "/a", rangeEnd: "/z" });
  expect(script.state.revision).toBe(4);
  expect(script.state.keys.size).toBe(0);
  expect(broken(script)).toEqual([]);
});

test("a linearizable read that misses a write is caught", () => {
  const script = busy().call("reader", { op: "kv-range", key: "/a" }, { at: 3 });
  expect(broken(script)).toEqual(["etcd-linearizability"]);
});

test("a write that was answered and is gone is caught", () => {
  const script = busy().put("/d", "d1", { lost: true }).put("/e", "e1");
  expect(broken(script)).toEqual(["etcd-linearizability"]);
});

test("a stale read may be stale, but not of a store that never was", () => {
  const script = busy().call(
    "reader",
    { op: "kv-range", key: "/a", serializable: true },
    { at: 3 },
  );
  expect(broken(script)).toEqual([]);
  const call = script.calls.at(-1);
  if (call?.response?.ok !== true) throw new Error("no answer");
  call.response = { ...call.response, header: { ...call.response.header, revision: 6 } };
  expect(broken(script)).toEqual(["etcd-serializable-reads"]);
});

test("a read of an earlier revision tells what was there then", () => {
  const script = busy().call("reader", { op: "kv-range", key: "/a", revision: 2 });
  expect(broken(script)).toEqual([]);
  const call = script.calls.at(-1);
  if (call === undefined) throw new Error("no call");
  script.calls[script.calls.length - 1] = {
    ...call,
    request: { op: "kv-range", key: "/a", revision: 3 },
  };
  expect(broken(script)).toEqual(["etcd-serializable-reads"]);
});

test("a write of unknown outcome may have happened or not, and what a watch shows of it settles it", () => {
  const unknown = (lost: boolean) =>
    new Script()
      .put("/a", "a1")
      .put("/a", "a2", lost ? { unanswered: true, lost: true } : { unanswered: true })
      .put("/b", "b1");
  // Without it every revision is that of another request: there is none that it can have made.
  expect(checkHistory(unknown(true).history())).toMatchObject({ open: 0, findings: [] });
  expect(checkHistory(unknown(false).history())).toMatchObject({ open: 1, findings: [] });
  for (const script of [unknown(true), unknown(false)]) {
    expect(checkHistory(script.watch(ALL).history())).toMatchObject({ open: 0, findings: [] });
  }
});

test("a deletion of unknown outcome is settled by who else can have made it", () => {
  const script = busy()
    .call("one", { op: "kv-delete-range", key: "/c" }, { unanswered: true })
    .call("two", { op: "kv-delete-range", key: "/a" }, { unanswered: true, lost: true })
    .put("/d", "d1")
    .watch(ALL);
  expect(checkHistory(script.history())).toMatchObject({ open: 0, findings: [] });
});

test("a value that is read before its write was asked for is caught", () => {
  const script = new Script()
    .put("/a", "a1", { unanswered: true })
    .call("reader", { op: "kv-range", key: "/a" });
  expect(broken(script)).toEqual([]);
  const [write] = script.calls;
  if (write === undefined) throw new Error("no call");
  script.calls[0] = { ...write, invoked: 100 };
  expect(broken(script)).toEqual(["etcd-linearizability"]);
});

/** Each guarantee, and a watch that breaks it and no other. */
const BENT: readonly [HistoryCheckName, string, (told: WatchTold[]) => WatchTold[]][] = [
  ["watch-ordered", "two responses change places", (told) => swapped(told, 2, 4)],
  [
    "watch-unique",
    "a response comes twice",
    (told) => told.flatMap((t, i) => (i === 3 ? [t, t] : [t])),
  ],
  ["watch-atomic", "two keys of a revision come apart", (told) => told.flatMap((t) => halves(t))],
  ["watch-bookmarkable", "progress comes too early", (told) => swapped(told, told.length - 1, 1)],
  ["watch-resumable", "the first change is missing", (told) => told.filter((_, i) => i !== 1)],
  ["watch-reliable", "a change is missing", (told) => told.filter((_, i) => i !== 3)],
  ["watch-reliable", "a value is another", (told) => told.map((t) => changed(t, { value: "?" }))],
  ["watch-prev-kv", "the value before is missing", (told) => told.map(withoutPrevious)],
  ["watch-is-create", "a change says it makes its key", (told) => told.map(claimsToCreate)],
];

test.each(BENT)("%s is caught when %s", (name, _, bend) => {
  expect(broken(busy().watch(ALL, bend))).toContain(name);
});

test("watch-filter is caught when an event of another key comes", () => {
  const script = busy().watch(ALL);
  const watch = script.watches[0];
  if (watch === undefined) throw new Error("no watch");
  script.watches[0] = { ...watch, request: { key: "/a", startRevision: 1, prevKv: true } };
  expect(broken(script)).toContain("watch-filter");
  script.watches[0] = { ...watch, request: { ...ALL, noDelete: true } };
  expect(broken(script)).toEqual(["watch-filter"]);
});

test("the value before may be missing where a compaction took it", () => {
  const bent = (script: Script) => broken(script.watch(ALL, (told) => told.map(withoutPrevious)));
  expect(bent(busy())).toEqual(["watch-prev-kv"]);
  expect(bent(busy().call("c", { op: "kv-compact", revision: 6 }))).toEqual([]);
});

test("parts of a fragmented response count as one", () => {
  const parts = (told: WatchTold[]) =>
    told.flatMap((t) =>
      halves(t).map((half, i, all) => ({ ...half, fragment: i < all.length - 1 })),
    );
  expect(broken(busy().watch(ALL, parts))).toEqual([]);
});

test("a search that comes to its bound says so and finds nothing", () => {
  const script = busy().call("reader", { op: "kv-range", key: "/a" }, { at: 3 });
  const verdict = checkHistory(script.history(), { stepsMax: 1 });
  expect(verdict.linearizability).toMatchObject({ verdict: "unknown", bound: "steps" });
  expect(verdict.findings).toEqual([]);
});

function swapped(told: readonly WatchTold[], i: number, j: number): WatchTold[] {
  const copy = [...told];
  const [one, other] = [told[i], told[j]];
  if (one === undefined || other === undefined) throw new Error("no such response");
  copy[i] = other;
  copy[j] = one;
  return copy;
}

function halves(told: WatchTold): WatchTold[] {
  if (told.events.length < 2) return [told];
  return told.events.map((event) => ({ ...told, events: [event] }));
}

function changed(told: WatchTold, kv: Partial<WatchTold["events"][number]["kv"]>): WatchTold {
  return {
    ...told,
    events: told.events.map((e) => (e.type === "put" ? { ...e, kv: { ...e.kv, ...kv } } : e)),
  };
}

function withoutPrevious(told: WatchTold): WatchTold {
  return { ...told, events: told.events.map(({ type, kv }) => ({ type, kv })) };
}

function claimsToCreate(told: WatchTold): WatchTold {
  return {
    ...told,
    events: told.events.map((event) => ({
      ...event,
      kv: { ...event.kv, createRevision: event.kv.modRevision },
    })),
  };
}
