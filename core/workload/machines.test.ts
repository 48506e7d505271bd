import { expect, test } from "vitest";
import type { ClientReply, V3Response } from "../etcd/index.js";
import { type Machine, type Outcome, stepImmutable, stepInPlace } from "../kernel/index.js";
import { trafficClient } from "./client.js";
import type { WorkloadEffect, WorkloadStimulus } from "./events.js";
import type { WorkloadFact } from "./facts.js";
import { type Mix, NO_REQUESTS, OFFSETS, WORKLOAD_OPS, weightOf } from "./mix.js";
import { watchClient } from "./watcher.js";

const MEMBERS = [
  { node: 0, name: "etcd-1" },
  { node: 1, name: "etcd-2" },
];
/** A machine and all it has said; both runners take each step. */
class Bench<Config, State> {
  readonly facts: WorkloadFact[] = [];
  readonly effects: WorkloadEffect[] = [];
  now = 0;
  readonly #machine: Machine<Config, State, WorkloadStimulus, WorkloadFact, WorkloadEffect>;
  readonly #owned: State;
  #frozen: State;

  constructor(
    machine: Machine<Config, State, WorkloadStimulus, WorkloadFact, WorkloadEffect>,
    config: Config,
  ) {
    this.#machine = machine;
    this.#owned = machine.create(config);
    this.#frozen = machine.create(config);
  }

  hears(stimulus: WorkloadStimulus, after = 0): Outcome<WorkloadFact, WorkloadEffect> {
    this.now += after;
    const out = stepInPlace(this.#machine, this.#owned, stimulus, this.now);
    const other = stepImmutable(this.#machine, this.#frozen, stimulus, this.now);
    this.#frozen = other.state;
    expect(other.facts).toEqual(out.facts);
    expect(other.effects).toEqual(out.effects);
    expect(this.#frozen).toEqual(this.#owned);
    this.facts.push(...out.facts);
    this.effects.push(...out.effects);
    return out;
  }

  /** The request under way. */
  get call(): Extract<WorkloadEffect, { readonly kind: "request" }> {
    const call = this.effects.findLast((effect) => effect.kind === "request");
    if (call === undefined) throw new Error("nothing was asked");
    return call;
  }
}

function client(mix: Partial<Mix>) {
  const bench = new Bench(trafficClient, {
    name: "app",
    members: MEMBERS,
    mix: { ...NO_REQUESTS, ...mix },
    keys: 3,
    pause: [10, 20],
    timeout: 1000,
  });
  return {
    bench,
    /** One request, as these choices have it. */
    asks(values: readonly number[] = [0, 0, 1, 0, 1, 5]) {
      if (bench.effects.length === 0) bench.hears({ kind: "start" });
      bench.hears({ kind: "chosen", id: 1, values });
      bench.hears({ kind: "timer", timer: "next" });
      return bench.call;
    },
    answers: (reply: ClientReply) => bench.hears({ kind: "reply", call: bench.call.call, reply }),
  };
}

const ok = (revision: number, result: Extract<V3Response, { ok: true }>["result"]): V3Response => ({
  ok: true,
  header: { clusterId: "c", memberId: "m", revision, raftTerm: 1 },
  result,
});

test("a client lets its world choose, waits for the pause, and asks the member that was chosen", () => {
  const { bench, asks } = client({ put: 3, get: 2 });
  expect(bench.hears({ kind: "start" }).effects).toEqual([
    { kind: "choose", id: 1, bounds: [5, 3, 3, OFFSETS, 2, 11] },
  ]);
  expect(asks([2, 1, 0, 1, 1, 7])).toEqual({
    kind: "request",
    to: 1,
    call: 1,
    request: { op: "kv-put", key: "/k1", value: "app:1", prevKv: false },
  });
  expect(bench.effects).toContainEqual({ kind: "arm-timer", timer: "next", delay: 17 });
});

test("every operation of a mix is chosen by its weight", () => {
  const mix = Object.fromEntries(WORKLOAD_OPS.map((op, i) => [op, i + 1]));
  const weighted = { ...NO_REQUESTS, ...mix };
  expect(weightOf(weighted)).toBe((14 * 15) / 2);
  const ops = new Set(
    Array.from(
      { length: weightOf(weighted) },
      (_, op) => client(mix).asks([op, 0, 1, 0, 0, 0]).request.op,
    ),
  );
  expect([...ops].sort()).toEqual([
    "kv-delete-range",
    "kv-put",
    "kv-range",
    "kv-txn",
    "lease-grant",
  ]);
});

test("who is not answered in time hangs up and goes on under another identity; a late answer is not heard", () => {
  const { bench, asks, answers } = client({ put: 1 });
  asks();
  const late = bench.call.call;
  expect(bench.hears({ kind: "timer", timer: "patience" }).facts).toEqual([
    { kind: "client.unknown", client: "app.1", call: 1, why: "timeout", message: "" },
  ]);
  expect(bench.effects).toContainEqual({ kind: "hang-up", to: 1, call: late });
  expect(answers(ok(2, { op: "kv-put" })).facts).toEqual([]);
  asks();
  expect(bench.facts.at(-1)).toMatchObject({ kind: "client.invoked", client: "app.2", call: 2 });
});

test("a refusal that follows from the store is an answer, any other error leaves the outcome open", () => {
  const compacted = "etcdserver: mvcc: required revision has been compacted";
  const replies: readonly [ClientReply, object][] = [
    [{ ok: false, code: "OutOfRange", message: compacted }, { kind: "client.returned" }],
    [
      { ok: false, code: "Unavailable", message: "etcdserver: request timed out" },
      { why: "unavailable" },
    ],
    [
      {
        ok: false,
        code: "FailedPrecondition",
        message: "etcdserver: rpc not supported for learner",
      },
      { why: "unavailable" },
    ],
    [{ ok: false, unreachable: "closed" }, { why: "connection closed" }],
    [{ ok: false, unreachable: "refused" }, { why: "connection refused" }],
  ];
  for (const [reply, expected] of replies) {
    const { asks, answers } = client({ get: 1 });
    asks();
    expect(answers(reply).facts).toMatchObject([expected]);
  }
});

test("a client that updates compares with the revision it last saw, and first looks", () => {
  const { asks, answers } = client({ update: 1 });
  expect(asks().request).toEqual({ op: "kv-range", key: "/k0" });
  const kv = { key: "/k0", createRevision: 3, modRevision: 7, version: 2, value: "x", lease: "" };
  answers(ok(9, { op: "kv-range", kvs: [kv], more: false, count: 1 }));
  expect(asks().request).toMatchObject({
    op: "kv-txn",
    compare: [{ key: "/k0", result: "equal", target: { field: "mod", operand: 7 } }],
  });
});

test("a client that was told to stop asks no more", () => {
  const { bench, asks, answers } = client({ put: 1 });
  asks();
  bench.hears({ kind: "stop" });
  expect(answers(ok(2, { op: "kv-put" })).effects).toEqual([
    { kind: "cancel-timer", timer: "patience" },
  ]);
});

function watcher(from: "record" | "list" | "revision") {
  return new Bench(watchClient, {
    name: "w",
    members: MEMBERS,
    keys: 3,
    from,
    offset: [-5, 5],
    lasts: [5000, 5000],
    progressEvery: 100,
    patience: 300,
  });
}

const watched = (revision: number, more: object = {}): V3Response =>
  ok(revision, {
    op: "watch-response",
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
    ...more,
  });

test("a recorder that hears nothing leaves, and goes on after the last event it was told", () => {
  const bench = watcher("record");
  bench.hears({ kind: "start" });
  bench.hears({ kind: "chosen", id: 1, values: [0, 0, 0, 0, 0] });
  expect(bench.facts.at(-1)).toMatchObject({ request: { key: "\0", startRevision: 1 } });
  const kv = { key: "/k0", createRevision: 4, modRevision: 4, version: 1, value: "x", lease: "" };
  const reply = watched(4, { events: [{ type: "put", kv }] });
  bench.hears({ kind: "reply", call: 1, reply }, 50);
  expect(bench.hears({ kind: "timer", timer: "progress" }, 100).effects).toMatchObject([
    { kind: "message", message: { type: "progress" } },
    { kind: "arm-timer" },
  ]);
  expect(bench.hears({ kind: "timer", timer: "progress" }, 300).facts).toMatchObject([
    { kind: "client.watch-ended", why: "timeout" },
  ]);
  bench.hears({ kind: "timer", timer: "progress" }, 100);
  bench.hears({ kind: "chosen", id: 2, values: [1, 0, 0, 0, 0] });
  expect(bench.facts.at(-1)).toMatchObject({ member: "etcd-2", request: { startRevision: 5 } });
});

test("a recorder whose start was compacted goes on from the compaction", () => {
  const bench = watcher("record");
  bench.hears({ kind: "start" });
  bench.hears({ kind: "chosen", id: 1, values: [0, 0, 0, 0, 0] });
  const reply = watched(0, { canceled: true, compactRevision: 9 });
  bench.hears({ kind: "reply", call: 1, reply });
  bench.hears({ kind: "timer", timer: "progress" });
  bench.hears({ kind: "chosen", id: 2, values: [0, 0, 0, 0, 0] });
  expect(bench.facts.at(-1)).toMatchObject({ request: { startRevision: 9 } });
});

test("an informer lists, then watches from the revision after the list", () => {
  const bench = watcher("list");
  bench.hears({ kind: "start" });
  bench.hears({ kind: "chosen", id: 1, values: [0, 0, 0, 0, 0] });
  expect(bench.call.request).toMatchObject({ op: "kv-range", key: "/k" });
  const reply = ok(12, { op: "kv-range", kvs: [], more: false, count: 0 });
  bench.hears({ kind: "reply", call: 1, reply });
  expect(bench.effects).toContainEqual({
    kind: "message",
    to: 0,
    call: 2,
    message: { type: "create", key: "/k", rangeEnd: "/l", startRevision: 13, prevKv: true },
  });
});
