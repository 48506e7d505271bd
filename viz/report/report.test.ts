import fc from "fast-check";
import { expect, test } from "vitest";
import { fakeLog } from "../testing/fake-log.js";
import { Timeline } from "../timeline/index.js";
import { formatReport, reportOf } from "./index.js";

function timelineOf(options: Parameters<typeof fakeLog>[0]): Timeline {
  const log = fakeLog(options);
  return Timeline.of(log.header, log.records);
}

test("the report of a run, as text", () => {
  const report = reportOf(timelineOf({}), { path: "run.orrery", wall: 310_000, events: 123_456 });
  expect(formatReport(report, { colour: false })).toMatchSnapshot();
});

test("no line of a report is longer than 100 columns, whatever the log holds", () => {
  // Would have caught a table whose last column is free text, such as a fault's description.
  const option = fc.record({
    seed: fc.nat(),
    hosts: fc.integer({ min: 1, max: 40 }),
    units: fc.nat(30),
    rollout: fc.boolean(),
    violation: fc.boolean(),
  });
  fc.assert(
    fc.property(option, (options) => {
      const text = formatReport(reportOf(timelineOf(options), { path: "x".repeat(40) }), {
        colour: false,
      });
      for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
      expect(text).not.toContain("\u001b");
    }),
    { numRuns: 30 },
  );
});

test("the JSON twin is plain data: it survives JSON unchanged", () => {
  const report = reportOf(timelineOf({}), { path: "run.orrery" });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test("reigns and leaderless time fill the run from the first election on", () => {
  const timeline = timelineOf({ duration: 3_600_000_000 });
  const report = reportOf(timeline);
  const led = report.reigns.reduce((sum, reign) => sum + reign.duration, 0);
  expect(led + report.leaderless).toBe(report.duration - (report.reigns[0]?.from ?? 0));
  expect(report.reigns.length).toBe(report.elections);
});

test("the downtime of a unit is the sum of its outages", () => {
  const timeline = timelineOf({ duration: 1_800_000_000 });
  for (const unit of reportOf(timeline).units) {
    const outages = timeline.chronicle.units.get(unit.unit)?.outages ?? [];
    const sum = outages.reduce(
      (total, span) => total + ((span.to ?? timeline.duration) - span.from),
      0,
    );
    expect(unit.downtime).toBe(sum);
    expect(unit.outages).toBe(outages.length);
  }
});

test("a log that was cut off says so and names no hash", () => {
  const log = fakeLog({});
  const report = reportOf(Timeline.of(log.header, log.records.slice(0, 100)));
  expect(report).toMatchObject({ verdict: "incomplete", sum: null });
  expect(formatReport(report, { colour: false })).toContain("no end record");
});

test("the command to replay stands at the first violation, quoted for a shell", () => {
  const timeline = timelineOf({});
  const seq = timeline.store.seq(timeline.marks.violations.at(0));
  expect(reportOf(timeline, { path: "a.orrery" }).replay).toBe(`orrery replay a.orrery#${seq}`);
  expect(reportOf(timeline, { path: "it's.orrery" }).replay).toBe(
    `orrery replay 'it'\\''s.orrery#${seq}'`,
  );
});
