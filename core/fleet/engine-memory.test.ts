import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hashState } from "../kernel/index.js";
import type { MachineState } from "./able-to-run.js";
import { FLEET_DEFAULTS, FLEET_FIXES, type FleetProfile } from "./config.js";
import { wholeEngine } from "./engine.js";
import { forgetRegistry, registryView } from "./engine-memory.js";
import { demandsOf, requirementsOf } from "./reading.js";
import { createState, type FleetState, type JobEntry } from "./state.js";

/** Unit files by hash. */
const FILES: Readonly<Record<string, string>> = {
  plain: "[Service]\n",
  ssd: "[X-Fleet]\nMachineMetadata=disk=ssd\n",
  apart: "[X-Fleet]\nConflicts=u*\n",
  beside: "[X-Fleet]\nMachineOf=ua\n",
  everywhere: "[X-Fleet]\nGlobal=true\n",
};

const entry: fc.Arbitrary<JobEntry> = fc.record({
  name: fc.constantFrom("ua", "ub", "uc", "ud", "ue"),
  hash: fc.constantFrom(...Object.keys(FILES)),
  targetState: fc.constantFrom("launched", "inactive", ""),
  machine: fc.constantFrom(null, "A", "B", "gone"),
});
const machine: fc.Arbitrary<MachineState> = fc.record({
  id: fc.constantFrom("A", "B", "C"),
  metadata: fc.constantFrom({}, { disk: "ssd" }, { disk: "hdd" }),
});

/** What comes again now and then in one reading: one name or ID more than once. */
const reading = fc.record({
  entries: fc
    .tuple(
      fc.uniqueArray(entry, { selector: ({ name }) => name }),
      fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, fc.array(entry, { maxLength: 1 })),
    )
    .map(([distinct, more]) => [...distinct, ...more].sort((l, r) => (l.name < r.name ? -1 : 1))),
  machines: fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .uniqueArray(machine, { selector: ({ id }) => id })
        .map((machines) => machines.sort((l, r) => (l.id < r.id ? -1 : 1))),
    },
    { weight: 1, arbitrary: fc.array(machine, { maxLength: 4 }) },
  ),
  /** What the agent of the same fleetd asks for before the pass. */
  asked: fc.array(entry, { maxLength: 2 }),
  /** Units are as they were read the last time. */
  again: fc.boolean(),
  forget: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

function stateOf(profile: FleetProfile): FleetState {
  const state = createState({ ...FLEET_DEFAULTS, machineId: "A", profile });
  for (const [hash, text] of Object.entries(FILES)) {
    state.cache.units.set(hash, { text, global: null, install: false });
  }
  return state;
}

// Would catch a unit that keeps the demands of its former file, a machine that stays known because its
// reading could not be used, and a cache that an agent of the same fleetd has changed meanwhile.
test.each<FleetProfile>(["faithful", "documented", "fixed"])(
  "profile %s: what was read before changes neither decisions nor state",
  (profile) => {
    const fixes = FLEET_FIXES[profile];
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 12 }), (readings) => {
        const kept = stateOf(profile);
        let entries: readonly JobEntry[] = [];
        for (const { entries: read, machines, asked, again, forget } of readings) {
          if (!again) entries = read;
          for (const one of asked) requirementsOf(kept, one);
          if (forget) forgetRegistry(kept);
          kept.engine.units.entries = entries.map((one) => ({ ...one }));
          kept.engine.machines = machines;
          const fresh = structuredClone(kept);
          const view = registryView(kept, (one) => demandsOf(kept, one));

          const units = entries
            .map((one) => ({ ...one, requirements: demandsOf(fresh, one) }))
            .filter(
              ({ targetState, requirements: { global } }) =>
                !(fixes.inactiveIsNowhere && global && targetState !== "launched"),
            )
            .map(({ name, targetState, machine: at, requirements }) => {
              return { name, targetState, machine: at, requirements };
            });
          const jobs = units.filter(({ requirements: { global } }) => !global);
          const globals = units.filter(({ requirements: { global } }) => global);
          const whole = wholeEngine({ jobs, globals, machines }, fixes);
          const listed = whole.decide(null);
          expect(view.engine.decide(null)).toEqual(listed);
          expect(view.engine.orderMatters(listed)).toBe(whole.orderMatters(listed));
          expect(view.engine.orderCounts()).toEqual(whole.orderCounts());
          expect(view.engine.jobCounts()).toEqual(whole.jobCounts());
          expect(new Set(view.targets())).toEqual(
            new Set(entries.flatMap(({ machine: at }) => at ?? [])),
          );
          expect(hashState(kept)).toBe(hashState(fresh));
        }
      }),
      { numRuns: 150 },
    );
  },
);
