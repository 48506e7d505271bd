import { describe, expect, test } from "vitest";
import { generateSpec } from "./calendar-specs.js";
import { generateSet } from "./generate.js";
import { runOnModel } from "./model.js";
import { common, difference, outcomeOf, type Told } from "./outcome.js";
import { prepareSet } from "./prepare.js";
import { generateUnitFile } from "./unit-files.js";
import type { UnitSet } from "./unit-set.js";

const told = (...events: string[]): Told[] =>
  events.map((event, turn) => {
    const [unit = "", ...what] = event.split(" ");
    return { unit, what: what.join(" "), turn };
  });

const outcome = (events: readonly Told[]) =>
  outcomeOf({ replies: ["ok"], told: events, ends: {}, links: [] }, ["a", "b"], [["a", "b"]]);

describe("outcomes of unit sets", () => {
  test("a state that is missing is a difference", () => {
    const real = outcome(told("a activating/start", "a active/running"));
    expect(difference(real, outcome(told("a active/running")))).toMatch(/^a\n/);
    expect(difference(real, real)).toBeNull();
  });

  test("of units that are ordered the order counts, over turns", () => {
    const real = outcome(told("b job done", "a job done"));
    expect(difference(real, outcome(told("a job done", "b job done")))).toMatch(/tells it after 1/);
  });

  test("states that are told in one turn may come in any order, ends of jobs may not", () => {
    const same = (events: Told[]) => outcome(events.map((event) => ({ ...event, turn: 0 })));
    const states = outcome(told("b active/active", "a active/active"));
    expect(difference(states, same(told("a active/active", "b active/active")))).toBeNull();
    const jobs = outcome(told("b job done", "a job done"));
    expect(difference(jobs, same(told("a job done", "b job done")))).not.toBeNull();
  });

  test("what differs between runs of a set leaves nothing to compare", () => {
    const first = outcome(told("a active/active"));
    expect(common([first, outcome(told("a failed/failed"))])).toBeNull();
    expect(common([first, first])).toEqual(first);
  });
});

const race: UnitSet = {
  alone: false,
  units: [
    {
      name: "a.service",
      lines: [
        "[Service]",
        "Type=notify",
        "ExecStart=/usr/local/bin/act ready=500",
        "TimeoutStartSec=500ms",
      ],
    },
  ],
  actions: [{ at: 0, action: { kind: "job", call: "start", unit: "a.service", mode: "replace" } }],
};

test("a set that hangs on milliseconds is seen to", () => {
  const runs = Array.from({ length: 12 }, (_, jitter) => runOnModel(race, { jitter }).outcome);
  expect(common(runs)).toBeNull();
});

test("a seed gives the same sets, files and calendar events again", () => {
  expect(generateSet(7, 3, 0)).toEqual(generateSet(7, 3, 0));
  expect(generateUnitFile(7, 3)).toEqual(generateUnitFile(7, 3));
  expect(generateSpec(7, 3, 100)).toEqual(generateSpec(7, 3, 100));
  expect(generateSet(7, 3, 0)).not.toEqual(generateSet(7, 3, 1));
});

test("generated sets come to rest and show starts, failures and stops", () => {
  const shown = new Set<string>();
  for (let number = 0; number < 8; number++) {
    for (const allowed of prepareSet(11, number).outcomes) {
      for (const what of Object.values(allowed.units).flat()) shown.add(what);
    }
  }
  expect([...shown]).toEqual(
    expect.arrayContaining(["active/running", "failed/failed", "job done", "job failed"]),
  );
});
