import { expect, test } from "vitest";
import {
  LOG_VERSION,
  type LogRecord,
  type Machine,
  type Micros,
  type TimerEffect,
  type TimerFired,
} from "../../core/kernel/index.js";
import {
  type LiveClock,
  LiveWorld,
  Recorder,
  type RecordSink,
  rederive,
  WORLD_STARTED,
} from "./index.js";

type Stimulus = { readonly kind: "count"; readonly by: number } | TimerFired;
type Fact = { readonly kind: "counter.counted"; readonly total: number };
type Effect = { readonly kind: "report"; readonly total: number } | TimerEffect;

/** Counts; reports every even total; counts one more when its timer fires. */
const counter: Machine<{ first: number }, { total: number }, Stimulus, Fact, Effect> = {
  name: "counter",
  create: ({ first }) => ({ total: first }),
  step: (state, stimulus, _now, { facts, effects }) => {
    state.total += stimulus.kind === "count" ? stimulus.by : 1;
    if (state.total % 2 === 0) effects.push({ kind: "report", total: state.total });
    facts.push({ kind: "counter.counted", total: state.total });
    if (stimulus.kind === "count") effects.push({ kind: "arm-timer", timer: "t", delay: 1_000 });
  },
};
const MACHINES = new Map([[counter.name, counter]]);
const HEADER = { orrery: LOG_VERSION, kind: "recording", origin: {} } as const;

/** A clock that a test moves. */
class HandClock implements LiveClock {
  #now: Micros = 0;
  #due: { readonly at: Micros; readonly call: () => void }[] = [];

  now = (): Micros => this.#now;

  after(delay: Micros, call: () => void): () => void {
    const entry = { at: this.#now + delay, call };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  }

  get waiting(): number {
    return this.#due.length;
  }

  pass(micros: Micros): void {
    this.#now += micros;
    const due = this.#due.filter(({ at }) => at <= this.#now);
    this.#due = this.#due.filter(({ at }) => at > this.#now);
    for (const { call } of due) call();
  }
}

function record() {
  const records: LogRecord[] = [];
  const flushed: number[] = [];
  const sink: RecordSink = {
    write: (one) => records.push(one),
    flush: () => flushed.push(records.length),
    close: () => {},
  };
  const clock = new HandClock();
  const recorder = new Recorder(sink);
  const failures: unknown[] = [];
  const world = new LiveWorld(recorder, clock, (error) => failures.push(error));
  const reports: { total: number; flushed: number }[] = [];
  world.started("test", new Date(0));
  const seat = world.seat("h1", counter, { first: 0 }, (effect) => {
    if (effect.kind === "report") {
      reports.push({ total: effect.total, flushed: flushed.at(-1) ?? 0 });
      if (effect.total === 8) seat.deliver({ kind: "count", by: 1 }, null);
    }
  });
  return { records, clock, recorder, world, seat, reports, failures };
}

/** A run with everything in it: stimuli, a timer, and one that a performer delivers within a step. */
function recorded(): LogRecord[] {
  const { records, clock, recorder, seat } = record();
  seat.deliver({ kind: "count", by: 2 }, null);
  clock.pass(1_000);
  seat.deliver({ kind: "count", by: 5 }, null);
  recorder.end();
  return records;
}

test("every stimulus, fact and effect is recorded in order, with what caused it", () => {
  const shown = recorded().map(({ seq, at, kind, cause }) => [seq, at, kind, cause]);
  expect(shown.slice(0, 8)).toEqual([
    [0, 0, "world.started", null],
    [1, 0, "world.created", null],
    [2, 0, "counter.count", null],
    [3, 0, "counter.report", 2],
    [4, 0, "counter.counted", 2],
    [5, 0, "counter.arm-timer", 2],
    [6, 1_000, "counter.timer", 5],
    [7, 1_000, "counter.counted", 6],
  ]);
});

test("an effect is in the operating system's hands before it is performed", () => {
  const { records, seat, reports } = record();
  seat.deliver({ kind: "count", by: 2 }, null);
  expect(reports).toEqual([{ total: 2, flushed: records.length }]);
});

test("a stimulus delivered within a step is taken after it, not inside it", () => {
  const kinds = recorded().map(({ kind }) => kind);
  expect(kinds.slice(8)).toEqual([
    ...["counter.count", "counter.report", "counter.counted", "counter.arm-timer"],
    ...["counter.count", "counter.counted", "counter.arm-timer", "end"],
  ]);
});

test("nothing reaches a machine that has left, its timers neither", () => {
  const { records, clock, seat } = record();
  seat.deliver({ kind: "count", by: 1 }, null);
  const before = records.length;
  seat.leave();
  clock.pass(10_000);
  seat.deliver({ kind: "count", by: 1 }, null);
  expect(records).toHaveLength(before);
});

test("a world that is stopped leaves no timer behind to keep the program alive", () => {
  const { clock, seat, world } = record();
  seat.deliver({ kind: "count", by: 1 }, null);
  expect(clock.waiting).toBe(1);
  world.stop();
  expect(clock.waiting).toBe(0);
});

test("a log that cannot be written ends the world", () => {
  const failures: unknown[] = [];
  const full: RecordSink = {
    write: () => {
      throw new Error("no space");
    },
    flush: () => {},
    close: () => {},
  };
  const world = new LiveWorld(new Recorder(full), new HandClock(), (error) => failures.push(error));
  const seat = world.seat("h1", counter, { first: 0 }, () => {});
  seat.deliver({ kind: "count", by: 1 }, null);
  expect(failures).toHaveLength(1);
});

test("a recording re-derives", () => {
  expect(rederive(HEADER, recorded(), MACHINES)).toEqual({
    ok: true,
    stimuli: 6,
    facts: 4,
    effects: 5,
  });
});

test("whichever record is changed, dropped, repeated or moved, re-deriving names that place", () => {
  const records = recorded();
  records.forEach((record, index) => {
    if (record.type === "end" || record.kind.startsWith("world.")) return;
    const changed = {
      ...record,
      data: { ...(record.data as object), total: 99, by: 99, timer: 1 },
    };
    const broken: [string, LogRecord[]][] = [
      ["changed", records.with(index, changed)],
      ["repeated", records.toSpliced(index, 0, record)],
    ];
    if (record.type !== "stimulus") broken.push(["dropped", records.toSpliced(index, 1)]);
    for (const [how, list] of broken) {
      const result = rederive(HEADER, list, MACHINES);
      // A stimulus may be changed or repeated into another story only if the outcomes still fit.
      if (record.type === "stimulus" && record.kind === "counter.timer" && how === "changed")
        continue;
      expect(result.ok, `${how} ${index} ${record.kind}`).toBe(false);
      if (result.ok) continue;
      const at = records[index]?.seq ?? 0;
      expect(result.divergence.seq).toBeGreaterThanOrEqual(at);
      expect(result.divergence.seq).toBeLessThanOrEqual(at + 4);
    }
  });
});

test("a recording cut anywhere is right as far as it goes, and its successor begins anew", () => {
  const records = recorded();
  for (let cut = 1; cut <= records.length; cut++) {
    expect(rederive(HEADER, records.slice(0, cut), MACHINES)).toMatchObject({ ok: true });
  }
  const started = { ...records[0], seq: 100, kind: WORLD_STARTED } as LogRecord;
  const again = { ...records[1], seq: 101 } as LogRecord;
  const resumed = [...records.slice(0, 4), started, again];
  expect(rederive(HEADER, resumed, MACHINES)).toMatchObject({ ok: true });
});

test("a machine that is not known, or no machine at all, is a divergence and no crash", () => {
  const records = recorded();
  expect(rederive(HEADER, records, new Map())).toMatchObject({
    ok: false,
    divergence: { seq: 1, derived: 'no machine called "counter" is known' },
  });
  expect(rederive(HEADER, records.toSpliced(1, 1), MACHINES)).toMatchObject({
    ok: false,
    divergence: { seq: 2 },
  });
});
