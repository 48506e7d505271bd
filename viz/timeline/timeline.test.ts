import fc from "fast-check";
import { expect, test } from "vitest";
import { LogDecoder, type LogHeader, type LogRecord } from "../../core/kernel/index.js";
import { fakeLog, fakeLogText } from "../testing/fake-log.js";
import {
  type ClusterView,
  diffViews,
  downtimeAt,
  foldRecord,
  RecordStore,
  roleLabel,
  stagedSlot,
  Timeline,
} from "./index.js";

const HEADER: LogHeader = {
  orrery: 1,
  kind: "run",
  origin: { scenario: { name: "t", hosts: [{ name: "a", zone: "z1" }, { name: "b" }] } },
};

/** A record a second, of facts given as `[host, kind, data]`. */
function facts(...list: readonly (readonly [string, string, object])[]): LogRecord[] {
  return list.map(([host, kind, data], i) => ({
    seq: i + 1,
    at: (i + 1) * 1_000_000,
    host,
    type: "fact",
    kind,
    data,
    cause: null,
  }));
}

function viewOf(...list: readonly (readonly [string, string, object])[]): ClusterView {
  return Timeline.of(HEADER, facts(...list)).latest;
}

function plain(view: ClusterView): string {
  return JSON.stringify(view, (_, value: unknown) =>
    value instanceof Map ? [...value.entries()] : value,
  );
}

const UP = ["a", "host.up", { version: "1", slot: "USR-A", boot: 1 }] as const;

test("a view is the same whichever way one comes to it", () => {
  // Would have caught a reader that goes on from a keyframe it already left, and shared state
  // changed in place after it was handed out.
  const log = fakeLog({ duration: 3_600_000_000 });
  const timeline = Timeline.of(log.header, log.records);
  const straight: string[] = [];
  let view = new Timeline(log.header).latest;
  for (const record of log.records) {
    view = foldRecord(view, record, timeline.names);
    straight.push(plain(view));
  }
  expect(timeline.length).toBeGreaterThan(2 * timeline.keyframeDistance);
  const index = fc.integer({ min: 0, max: timeline.length - 1 });
  fc.assert(
    fc.property(fc.array(index, { minLength: 1, maxLength: 12 }), (path) => {
      for (const at of path) expect(plain(timeline.at(at))).toBe(straight[at]);
    }),
    { numRuns: 60 },
  );
  expect(plain(timeline.latest)).toBe(straight.at(-1));
});

test("a view handed out never changes while the timeline goes on", () => {
  const log = fakeLog({});
  const timeline = new Timeline(log.header);
  const kept: [ClusterView, string][] = [];
  for (const [i, record] of log.records.entries()) {
    timeline.append(record);
    if (i % 37 === 0) kept.push([timeline.latest, plain(timeline.latest)]);
  }
  for (const [view, text] of kept) expect(plain(view)).toBe(text);
});

test("views share what did not change", () => {
  const timeline = Timeline.of(HEADER, facts(UP, ["a", "etcd.started", {}]));
  const before = timeline.at(0);
  const after = timeline.at(1);
  expect(after.hosts[1]).toBe(before.hosts[1]);
  expect(after.hosts[0]).not.toBe(before.hosts[0]);
  expect(after.units).toBe(before.units);
});

test("no data of a known kind makes the fold throw", () => {
  // Would have caught a reader that trusts the shape of what another version wrote.
  const kinds = [...new Set(fakeLog({}).records.map((record) => record.kind))];
  const record = fc.record({
    kind: fc.oneof(fc.constantFrom(...kinds, "fleet.engine-lost", "observed.put"), fc.string()),
    host: fc.constantFrom("", "a", "zz", "__proto__"),
    type: fc.constantFrom<LogRecord["type"]>("fact", "checkpoint", "end", "stimulus"),
    data: fc.oneof(
      fc.jsonValue(),
      fc.record({ unit: fc.jsonValue(), slots: fc.jsonValue(), fault: fc.jsonValue() }),
      fc.record({ hosts: fc.array(fc.record({ name: fc.string(), etcd: fc.jsonValue() })) }),
    ),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), (list) => {
      const records = list.map((one, i) => ({ ...one, seq: i, at: i, cause: null }));
      const timeline = Timeline.of(HEADER, records);
      expect(timeline.at(timeline.length - 1).index).toBe(timeline.length - 1);
    }),
  );
});

test("the leader is the running member that leads in the highest term", () => {
  const list = [
    UP,
    ["b", "host.up", {}],
    ["a", "etcd.started", {}],
    ["b", "etcd.started", {}],
    ["a", "etcd.role", { role: "leader", term: 2, lead: "a" }],
    ["b", "etcd.role", { role: "leader", term: 3, lead: "b" }],
  ] as const;
  expect(viewOf(...list).leader).toMatchObject({ host: "b", term: 3 });
  const down = viewOf(...list, ["b", "host.down", { reason: "power loss" }]);
  expect(down.leader).toMatchObject({ host: "a", term: 2 });
  expect(down.hosts.map(roleLabel)).toEqual(["leader", "down"]);
});

test("a unit's downtime counts from its first activity, through a host's crash", () => {
  const running = { unit: "w.service", load: "loaded", active: "active", sub: "running" };
  const timeline = Timeline.of(
    HEADER,
    facts(
      UP,
      ["", "fleet.scheduled", { unit: "w.service", machine: "a", reason: "" }],
      ["a", "systemd.unit", running],
      ["a", "host.down", { reason: "power loss" }],
      ["b", "host.up", {}],
      ["", "fleet.scheduled", { unit: "w.service", machine: "b", reason: "" }],
      ["b", "systemd.unit", running],
      ["b", "systemd.unit", { ...running, active: "failed", sub: "failed" }],
    ),
  );
  const unit = timeline.latest.units.get("w.service");
  expect(unit).toMatchObject({ firstActive: 3_000_000, downtime: 3_000_000, outages: 2, moves: 1 });
  expect(unit && downtimeAt(unit, 9_000_000)).toBe(4_000_000);
  expect(timeline.chronicle.units.get("w.service")?.outages).toEqual([
    { from: 4_000_000, to: 7_000_000 },
    { from: 8_000_000, to: null },
  ]);
});

test("a unit stopped by an operator is not down", () => {
  const unit = { unit: "w.service", load: "loaded", active: "active", sub: "running" };
  const view = viewOf(
    UP,
    ["", "fleet.scheduled", { unit: "w.service", machine: "a", reason: "" }],
    ["a", "systemd.unit", unit],
    ["", "operator.action", { do: "stop", unit: "w.service" }],
    ["a", "systemd.unit", { ...unit, active: "inactive", sub: "dead" }],
  );
  expect(view.units.get("w.service")).toMatchObject({ wanted: false, downSince: null, outages: 0 });
});

test("a reboot is told from a crash, and is counted once", () => {
  const view = viewOf(
    UP,
    ["a", "host.rebooting", { reason: "update" }],
    ["a", "host.down", { reason: "reboot" }],
    UP,
    ["a", "host.down", { reason: "power loss" }],
  );
  expect(view).toMatchObject({ reboots: 1, crashes: 1 });
  expect(view.hosts[0]?.power).toBe("down");
});

test("a staged version is the one the boot loader would choose, unless it is what runs", () => {
  const slot = {
    name: "USR-A",
    version: "1",
    priority: 1,
    tries: 0,
    successful: true,
    complete: true,
  };
  const other = { ...slot, name: "USR-B", version: "2", priority: 2, tries: 1, successful: false };
  const withSlots = (slots: object[]) =>
    viewOf(UP, ["a", "update.slots", { running: "USR-A", slots }]).hosts[0];
  const staged = (slots: object[]): string | undefined => {
    const host = withSlots(slots);
    return host && stagedSlot(host)?.version;
  };
  expect(staged([slot, other])).toBe("2");
  expect(staged([slot, { ...other, tries: 0 }])).toBeUndefined();
  expect(staged([slot, { ...other, complete: false }])).toBeUndefined();
  expect(staged([slot, { ...other, priority: 0 }])).toBeUndefined();
});

test("marks find violations, faults and changes of leader in both directions", () => {
  const timeline = Timeline.of(
    HEADER,
    facts(
      ["", "fault.begin", { id: "1", fault: { kind: "partition" } }],
      UP,
      ["", "invariant.violated", { invariant: "i", detail: "d", hosts: ["a"] }],
      ["", "fault.end", { id: "1" }],
    ),
  );
  expect(timeline.marks.violations.after(-1)).toBe(2);
  expect(timeline.marks.faults.after(0)).toBe(3);
  expect(timeline.marks.faults.before(3)).toBe(0);
  expect(timeline.marks.violations.after(2)).toBe(-1);
  expect(timeline.onHost(2, "a", -1)).toBe(1);
  expect(timeline.ofKind(0, "fault.end", 1)).toBe(3);
  expect(timeline.chronicle.faults).toMatchObject([{ from: 1_000_000, to: 4_000_000 }]);
});

test("what changed at an event is told in words", () => {
  const timeline = Timeline.of(HEADER, facts(UP, ["a", "etcd.started", {}]));
  expect(diffViews(timeline.at(0), timeline.at(1))).toEqual([
    { subject: "a", field: "etcd", from: "none", to: "follower" },
  ]);
});

test("machine IDs and indexes of nodes are shown as the hosts they stand for", () => {
  const id = (digit: string): string => digit.repeat(32);
  const hosts = [
    { name: "a", machineId: id("a"), zone: 1, osVersion: "1" },
    { name: "b", machineId: id("b"), zone: 0, osVersion: "1" },
  ];
  const header: LogHeader = {
    orrery: 1,
    kind: "run",
    origin: { scenario: { zones: ["east", "west"], hosts } },
  };
  const timeline = Timeline.of(
    header,
    facts(
      ["a", "lock.acquired", { holder: id("b") }],
      ["a", "fleet.scheduled", { unit: "w.service", machine: id("b"), reason: "" }],
      ["a", "fleet.engine-leader", { machine: id("a") }],
      ["", "fault.begin", { id: 0, fault: { id: 0, kind: "crash", host: 1, duration: 5_000_000 } }],
      ["c", "fleet.registered", { machine: id("c") }],
      ["", "lock.semaphore", { semaphore: 0, max: 1, holders: [id("c"), id("d")] }],
    ),
  );
  const view = timeline.latest;
  expect(view.hosts.map((host) => `${host.name} ${host.zone}`)).toEqual(["a west", "b east", "c "]);
  expect(timeline.at(0).lock.holders).toEqual(["b"]);
  expect(view.lock.holders).toEqual(["c", id("d")]);
  expect(view.units.get("w.service")?.machine).toBe("b");
  expect(view.engine?.machine).toBe("a");
  expect(timeline.chronicle.faults[0]).toMatchObject({
    hosts: ["b"],
    text: "#0 crash b for 5.0 s",
  });
  expect(timeline.describe(1)).toBe("w.service to b");
});

test("services that are heard of are not hosts", () => {
  const view = viewOf(["update", "service.granted", { host: "a", version: "2" }]);
  expect(view.hosts.map((host) => host.name)).toEqual(["a", "b"]);
});

test("however long a log, keyframes stay few and a seek stays short", () => {
  const timeline = new Timeline(HEADER);
  const record: LogRecord = {
    seq: 0,
    at: 0,
    host: "a",
    type: "fact",
    kind: "etcd.snapshot",
    data: {},
    cause: null,
  };
  for (let i = 0; i < 600_000; i++) timeline.append({ ...record, seq: i, at: i });
  expect(timeline.keyframeDistance).toBe(2048);
  expect(timeline.at(599_999).seq).toBe(599_999);
  expect(timeline.at(123_457).seq).toBe(123_457);
  expect(timeline.store.bytes).toBeLessThan(600_000 * 90);
});

test("the store gives back what it was given", () => {
  const record = fc.record({
    host: fc.string(),
    kind: fc.string(),
    type: fc.constantFrom<LogRecord["type"]>("stimulus", "fact", "effect", "checkpoint", "end"),
    data: fc
      .jsonValue()
      .filter((value) => !Object.is(value, -0) && !JSON.stringify(value).includes("-0")),
    cause: fc.option(fc.nat()),
    gap: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), (list) => {
      const store = new RecordStore();
      let seq = 0;
      for (const { gap, ...one } of list) {
        seq += gap;
        store.append({ ...one, seq, at: seq * 10 });
        const index = store.length - 1;
        expect(store.indexOfSeq(seq)).toBe(index);
        expect(store.indexUpToTime(seq * 10)).toBe(index);
        expect(store.indexUpToTime(seq * 10 - 1)).toBe(index - 1);
      }
      list.forEach((one, i) => {
        expect([store.host(i), store.kind(i), store.type(i), store.cause(i)]).toEqual([
          one.host,
          one.kind,
          one.type,
          one.cause,
        ]);
        expect(store.dataText(i)).toBe(Buffer.from(JSON.stringify(one.data)).toString());
      });
    }),
  );
});

test("a fake log is a log: the kernel's decoder reads every line of it", () => {
  const log = fakeLog({ duration: 60_000_000 });
  const decoder = new LogDecoder();
  const lines = fakeLogText(log).trimEnd().split("\n");
  for (const line of lines) expect(decoder.line(line).ok).toBe(true);
  expect(decoder.ended).toBe(true);
  expect(lines.length).toBe(log.records.length + 1);
});
