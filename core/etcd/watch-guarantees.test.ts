import fc from "fast-check";
import { expect, test } from "vitest";
import type { EtcdProfile } from "./profile.js";
import { runFor, settleCluster, startCluster, type TestCluster } from "./testing/cluster.js";
import {
  answerOf,
  block,
  heard,
  openWatches,
  put,
  type Seen,
  say,
  type TestStream,
  watch,
} from "./testing/watching.js";

const KEYS = ["a", "b", "c", "d"];
const key = fc.constantFrom(...KEYS);
const stream = fc.nat({ max: 1 });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("both" as const), key, other: key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      stream,
      key,
      rangeEnd: fc.constantFrom("", "c", "\0"),
      back: fc.integer({ min: -3, max: 8 }),
      progressNotify: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("many" as const), count: fc.constantFrom(3, 140) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("block" as const), stream }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), stream }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("progress" as const), stream }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), back: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(250) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Asked {
  readonly stream: number;
  readonly watchId: number;
  readonly key: string;
  readonly rangeEnd: string;
  readonly from: number;
  /** The store's revision when it was asked for. */
  readonly at: number;
}

/** A key and when it changed. */
type Change = readonly [string, number];

interface Play {
  readonly cluster: TestCluster;
  readonly streams: readonly TestStream[];
  readonly changes: Change[];
  readonly asked: Asked[];
  revision: number;
}

function doStep(play: Play, each: Step): void {
  const { cluster, changes } = play;
  const change = (...keys: readonly string[]): void => {
    play.revision++;
    for (const changed of keys) changes.push([changed, play.revision]);
  };
  switch (each.do) {
    case "put":
      put(cluster, "a", each.key);
      change(each.key);
      return;
    case "many":
      for (let i = 0; i < each.count; i++) {
        put(cluster, "a", "a");
        change("a");
      }
      return;
    case "delete": {
      const answer = answerOf(cluster, "a", { op: "kv-delete-range", key: each.key });
      if (answer.ok && answer.header.revision > play.revision) change(each.key);
      return;
    }
    case "both": {
      const keys = [...new Set([each.key, each.other])];
      const success = keys.map((name) => ({ op: "kv-put", key: name, value: "v" }) as const);
      answerOf(cluster, "a", { op: "kv-txn", compare: [], success, failure: [] });
      change(...keys);
      return;
    }
    case "watch":
      ask(play, each);
      return;
    case "progress":
      say(streamOf(play, each.stream), { type: "progress" });
      return;
    case "block":
    case "read":
      block(streamOf(play, each.stream), each.do === "block");
      return;
    case "compact":
      answerOf(cluster, "a", { op: "kv-compact", revision: play.revision - each.back });
      return;
    case "pass":
      runFor(cluster, each.ms * 1000);
      return;
  }
}

function ask(play: Play, each: Extract<Step, { readonly do: "watch" }>): void {
  const { key: first, rangeEnd, progressNotify } = each;
  if (rangeEnd === "c" && first >= "c") return;
  const startRevision = Math.max(play.revision - each.back, 0);
  const watchId = 100 + play.asked.length;
  watch(streamOf(play, each.stream), {
    key: first,
    rangeEnd,
    startRevision,
    progressNotify,
    watchId,
  });
  const from = startRevision === 0 ? play.revision + 1 : startRevision;
  const at = play.revision;
  play.asked.push({ stream: each.stream, watchId, key: first, rangeEnd, from, at });
}

function streamOf({ streams }: Play, number: number): TestStream {
  const found = streams[number];
  if (found === undefined) throw new Error("no such stream");
  return found;
}

function isIn(candidate: string, { key: first, rangeEnd }: Asked): boolean {
  if (rangeEnd === "") return candidate === first;
  return candidate >= first && (rangeEnd === "\0" || candidate < rangeEnd);
}

/** What one watch was told, against what happened. */
function check(play: Play, asked: Asked, responses: readonly Seen[]): void {
  const mine = responses.filter(({ watchId }) => watchId === asked.watchId || watchId === -1);
  const told: Change[] = [];
  let bookmark = 0;
  let isCreated = false;
  let isOver = false;
  for (const { created, canceled, events, revision, watchId } of mine) {
    if (watchId === asked.watchId) expect(isOver).toBe(false);
    if (canceled) isOver = true;
    isCreated ||= created;
    const isProgress = !created && !canceled && events.length === 0;
    // Word for all watches may have been on its way before this one was asked for, or come before it is told of.
    if (isProgress && isCreated && revision > asked.at) {
      bookmark = revision;
      const before = play.changes.filter(([, at]) => at >= asked.from && at <= revision);
      expect(told.length).toBe(before.filter(([name]) => isIn(name, asked)).length);
    }
    for (const { kv } of events) {
      expect(kv.modRevision).toBeGreaterThan(bookmark);
      told.push([kv.key, kv.modRevision]);
    }
  }
  const meant = play.changes.filter(([name, at]) => at >= asked.from && isIn(name, asked));
  expect(told).toEqual(isOver ? meant.slice(0, told.length) : meant);
}

function guarantees(quirks: Partial<EtcdProfile>): fc.IProperty<[Step[]]> {
  return fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
    const config = { version: "3.6.16", watchProgressInterval: 150_000, quirks };
    const cluster = startCluster({ names: ["a"], config });
    settleCluster(cluster);
    const streams = [openWatches(cluster, "a"), openWatches(cluster, "a")];
    const play: Play = { cluster, streams, changes: [], asked: [], revision: 1 };
    for (const each of steps) doStep(play, each);
    for (const each of streams) block(each, false);
    runFor(cluster, 2_000_000);
    const responses = streams.map((each) => heard(each));
    for (const asked of play.asked) check(play, asked, responses[asked.stream] ?? []);
  });
}

test("a watch of 3.6 is told of every change once, in order and whole, or that history was compacted", () => {
  fc.assert(guarantees({}), { numRuns: 150 });
});

test("the same search finds progress that overtakes changes (#15220)", () => {
  const found = fc.check(guarantees({ watchProgressOvertakes: true }), { numRuns: 150, seed: 1 });
  expect(found.failed).toBe(true);
});
