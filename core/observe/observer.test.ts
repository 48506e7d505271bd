import fc from "fast-check";
import { expect, test } from "vitest";
import { stepImmutable, stepInPlace } from "../kernel/index.js";
import {
  OBSERVER_DEFAULTS,
  type ObservedChange,
  type ObservedPair,
  type ObserveFact,
  type ObserverState,
  type ObserveStimulus,
  observer,
} from "./index.js";

const SERVER = { cluster: "c1", endpoint: "http://a" };

const pair = (key: string, revision: number): ObservedPair => ({
  key,
  value: `${key}@${revision}`,
  revision,
  created: revision,
  version: 1,
});
const put = (key: string, revision: number): ObservedChange => ({
  type: "put",
  pair: pair(key, revision),
});
const del = (key: string, revision: number): ObservedChange => ({
  type: "delete",
  key: { key },
  revision,
});

/** An observer, and what it said and asked at the last stimulus. */
class Watcher {
  readonly state: ObserverState = observer.create(OBSERVER_DEFAULTS);
  readonly told: ObserveFact[] = [];

  hear(stimulus: ObserveStimulus) {
    const outcome = stepInPlace(observer, this.state, stimulus, 0);
    this.told.push(...outcome.facts);
    return outcome;
  }

  page(revision: number, pairs: ObservedPair[], more = false, cluster = "c1") {
    const { id } = this.state;
    return this.hear({ kind: "range-page", id, ...SERVER, cluster, revision, pairs, more });
  }

  created(revision: number, cluster = "c1") {
    return this.hear({ kind: "watch-created", id: this.state.id, ...SERVER, cluster, revision });
  }

  events(changes: ObservedChange[], fragment = false) {
    return this.hear({ kind: "watch-events", id: this.state.id, changes, fragment });
  }

  lose() {
    const { id } = this.state;
    this.hear({ kind: "failed", id, failure: "unreachable", message: "gone" });
    return this.hear({ kind: "timer", timer: "retry" });
  }

  /** A watcher that has read `pairs` at a revision and watches. */
  static at(revision: number, pairs: ObservedPair[]): Watcher {
    const watcher = new Watcher();
    watcher.hear({ kind: "start" });
    watcher.page(revision, pairs);
    watcher.created(revision);
    watcher.told.length = 0;
    return watcher;
  }
}

const asked = ({ effects }: { effects: readonly { kind: string }[] }, kind: string) =>
  effects.find((effect) => effect.kind === kind);

test("pages are read at the revision of the first, and the watch begins right after it", () => {
  const watcher = new Watcher();
  expect(asked(watcher.hear({ kind: "start" }), "range")).toMatchObject({
    after: null,
    revision: 0,
  });
  const second = watcher.page(7, [pair("a", 3)], true);
  expect(asked(second, "range")).toMatchObject({ after: { key: "a" }, revision: 7 });
  const last = watcher.page(9, [pair("b", 5)]);
  expect(asked(last, "watch")).toMatchObject({ startRevision: 8 });
  expect(watcher.told).toContainEqual({ kind: "observe.synced", revision: 7, keys: 2 });
});

test("a watch that breaks is opened again after the last revision told", () => {
  const watcher = Watcher.at(5, []);
  watcher.events([put("a", 6), put("b", 7)]);
  expect(asked(watcher.lose(), "watch")).toMatchObject({ startRevision: 8 });
});

test("a revision cut in the middle by a fragment is asked for again, and its told part not told twice", () => {
  const watcher = Watcher.at(5, []);
  watcher.events([put("a", 6), put("b", 7), put("c", 7)], true);
  expect(asked(watcher.lose(), "watch")).toMatchObject({ startRevision: 7 });
  watcher.created(7);
  watcher.events([put("b", 7), put("c", 7), put("d", 7)]);
  const keys = watcher.told.flatMap((fact) => (fact.kind === "observed.put" ? [fact.key] : []));
  expect(keys).toEqual(["a", "b", "c", "d"]);
  expect(watcher.state.revision).toBe(7);
});

test("a fragment broken twice in the same revision still tells each change once", () => {
  const watcher = Watcher.at(5, []);
  watcher.events([put("a", 6), put("b", 6)], true);
  watcher.lose();
  watcher.events([put("a", 6)], true);
  watcher.lose();
  watcher.events([put("a", 6), put("b", 6), put("c", 6)]);
  const keys = watcher.told.flatMap((fact) => (fact.kind === "observed.put" ? [fact.key] : []));
  expect(keys).toEqual(["a", "b", "c"]);
});

test("compacted revisions are named, and a range tells what became of the keys", () => {
  const watcher = Watcher.at(5, [pair("a", 2), pair("b", 3)]);
  watcher.lose();
  const { id } = watcher.state;
  const outcome = watcher.hear({ kind: "watch-compacted", id, compactRevision: 9 });
  expect(outcome.facts).toEqual([{ kind: "observe.gap", reason: "compacted", from: 6, to: 8 }]);
  watcher.page(12, [pair("a", 2), pair("c", 11)]);
  expect(watcher.told.slice(-3)).toMatchObject([
    { kind: "observed.put", key: "c", by: "resync" },
    { kind: "observed.delete", key: "b", revision: 12, by: "resync" },
    { kind: "observe.synced", revision: 12, keys: 2 },
  ]);
});

test("a store that went back, as from a backup, is noticed though its watch would stay silent", () => {
  const watcher = Watcher.at(50, [pair("a", 20)]);
  watcher.lose();
  const outcome = watcher.created(30);
  expect(outcome.facts).toContainEqual({ kind: "observe.gap", reason: "rewound", from: 1, to: 30 });
  watcher.page(30, [pair("a", 20)]);
  expect(watcher.told.at(-2)).toMatchObject({ kind: "observed.put", key: "a", by: "resync" });
});

test("another cluster behind the same address is not taken for the old one", () => {
  const watcher = Watcher.at(5, [pair("a", 2)]);
  watcher.lose();
  const outcome = watcher.created(90, "c2");
  expect(outcome.facts).toContainEqual(expect.objectContaining({ reason: "other-cluster" }));
});

test("a silent watch is asked for a sign of life, and lost when it gives none", () => {
  const watcher = Watcher.at(5, []);
  watcher.hear({ kind: "timer", timer: "progress" });
  const ask = watcher.hear({ kind: "timer", timer: "progress" });
  expect(asked(ask, "watch-ask-progress")).toBeDefined();
  watcher.hear({ kind: "watch-progress", id: watcher.state.id, revision: 0 });
  expect(watcher.hear({ kind: "timer", timer: "progress" }).facts).toEqual([]);
  watcher.hear({ kind: "timer", timer: "progress" });
  const lost = watcher.hear({ kind: "timer", timer: "progress" });
  expect(lost.facts).toMatchObject([{ kind: "observe.lost", failure: "deadline", revision: 5 }]);
  expect(watcher.state.revision).toBe(5);
});

test("pages too large for a message are asked for smaller", () => {
  const watcher = new Watcher();
  watcher.hear({ kind: "start" });
  const { id } = watcher.state;
  const outcome = watcher.hear({ kind: "failed", id, failure: "too-large", message: "" });
  expect(asked(outcome, "range")).toMatchObject({ limit: 125 });
});

test("who never answered is given up on, who once did is not", () => {
  const never = new Watcher();
  never.hear({ kind: "start" });
  never.hear({ kind: "failed", id: 1, failure: "unreachable", message: "refused" });
  const gaveUp = never.hear({ kind: "timer", timer: "give-up" });
  expect(gaveUp.facts).toMatchObject([{ kind: "observe.gave-up", message: "refused" }]);
  expect(gaveUp.effects).toEqual([{ kind: "exit", code: 2 }]);
  expect(Watcher.at(5, []).hear({ kind: "timer", timer: "give-up" }).effects).toEqual([]);
});

/** A store's history: what each revision did, in order. */
const histories = fc.array(
  fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.boolean()), { minLength: 1, maxLength: 3 }),
  { maxLength: 12 },
);
type Cut = { readonly take: number; readonly fragment: boolean; readonly lose: boolean };
const cuts = fc.array(
  fc.record({ take: fc.integer({ min: 1, max: 4 }), fragment: fc.boolean(), lose: fc.boolean() }),
  { maxLength: 20 },
);

/** Plays a history to an observer, cut up and interrupted; the stimuli it heard. */
function play(changes: readonly ObservedChange[], cutting: readonly Cut[]): ObserveStimulus[] {
  const watcher = new Watcher();
  const heard: ObserveStimulus[] = [];
  const hear = (stimulus: ObserveStimulus): void => {
    heard.push(stimulus);
    watcher.hear(stimulus);
  };
  hear({ kind: "start" });
  hear({
    kind: "range-page",
    id: watcher.state.id,
    ...SERVER,
    revision: 1,
    pairs: [],
    more: false,
  });
  let at = 0;
  for (const cut of [...cutting, { take: changes.length, fragment: false, lose: false }]) {
    const { id } = watcher.state;
    let end = Math.min(changes.length, at + cut.take);
    // Only a fragment may end inside a revision.
    while (
      !cut.fragment &&
      end < changes.length &&
      revision(changes[end]) === revision(changes[end - 1])
    )
      end++;
    if (end > at) {
      const fragment = cut.fragment && revision(changes[end]) === revision(changes[end - 1]);
      hear({ kind: "watch-events", id, changes: changes.slice(at, end), fragment });
      at = end;
    }
    if (!cut.lose) continue;
    hear({ kind: "failed", id, failure: "unreachable", message: "" });
    hear({ kind: "timer", timer: "retry" });
    at = changes.findIndex((change) => (revision(change) ?? 0) > watcher.state.revision);
    if (at < 0) at = changes.length;
  }
  return heard;
}

function revision(change: ObservedChange | undefined): number | undefined {
  if (change === undefined) return undefined;
  return change.type === "put" ? change.pair.revision : change.revision;
}

/** Would have caught: a resumed fragment told twice, or its rest skipped. */
test("however a history is cut up and interrupted, every change is told once and in order", () => {
  fc.assert(
    fc.property(histories, cuts, (revisions, cutting) => {
      const changes = revisions.flatMap((keys, index) =>
        keys.map(([key, isPut]) => (isPut ? put(key, index + 2) : del(key, index + 2))),
      );
      const told: unknown[] = [];
      let state = observer.create(OBSERVER_DEFAULTS);
      const owned = observer.create(OBSERVER_DEFAULTS);
      for (const stimulus of play(changes, cutting)) {
        const outcome = stepImmutable(observer, state, stimulus, 0);
        const inPlace = stepInPlace(observer, owned, stimulus, 0);
        expect(inPlace).toEqual({ facts: outcome.facts, effects: outcome.effects });
        state = outcome.state;
        for (const fact of outcome.facts) {
          if (fact.kind === "observed.put") told.push(["put", fact.key, fact.revision]);
          if (fact.kind === "observed.delete") told.push(["delete", fact.key, fact.revision]);
        }
      }
      expect(owned).toEqual(state);
      const expected = changes.map((change) =>
        change.type === "put"
          ? ["put", change.pair.key, change.pair.revision]
          : ["delete", change.key.key, change.revision],
      );
      expect(told).toEqual(expected);
    }),
  );
});
