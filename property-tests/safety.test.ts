import fc from "fast-check";
import { expect, test } from "vitest";
import { cases } from "./arbitraries/case.js";
import { slotsStaySafe } from "./checks/hosts-again.js";
import { holdsInvariants, violationsOf } from "./checks/invariants.js";
import { holdsRaftInStates } from "./checks/raft-states.js";
import { PATIENCE_MS, runs } from "./testing/runs.js";

test(
  "raft's invariants hold in all states of clusters under faults (a vote, entry or commit that outran its disk)",
  () => {
    fc.assert(
      fc.property(cases(), ({ scenario, seed, plan }) => {
        expect(holdsRaftInStates(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(10) },
    );
  },
  PATIENCE_MS,
);

test(
  "every named invariant holds whatever fails (a lock given away twice, a slot written while it runs)",
  () => {
    fc.assert(
      fc.property(cases(), ({ scenario, seed, plan }) => {
        expect(holdsInvariants(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(25) },
    );
  },
  PATIENCE_MS,
);

test(
  "lost disks break raft's promises and nothing else (a reboot lock or a slot that depended on them)",
  () => {
    fc.assert(
      fc.property(cases({ faults: { loseDisks: true } }), ({ scenario, seed, plan }) => {
        const broken = violationsOf(scenario, seed, plan).map((violation) => violation.invariant);
        expect(broken.filter((name) => name.startsWith("update-"))).toEqual([]);
      }),
      { numRuns: runs(10) },
    );
  },
  PATIENCE_MS,
);

test(
  "a unit has one copy while no fault outlives the TTL of its host (an engine that moves units too soon)",
  () => {
    const brief = { durationMaxMs: 2_000, faultsMax: 20 };
    fc.assert(
      fc.property(cases({ faults: brief }), ({ scenario, seed, plan }) => {
        const timeline = scenario.timeline.filter((entry) => entry.action.kind !== "partition");
        const broken = violationsOf({ ...scenario, timeline }, seed, plan);
        expect(broken.filter((v) => v.invariant === "fleet-single-copy")).toEqual([]);
      }),
      { numRuns: runs(15) },
    );
  },
  PATIENCE_MS,
);

test(
  "no host writes the slot it runs, and each keeps one that boots (power lost in the middle of an update)",
  () => {
    fc.assert(
      fc.property(cases({ faults: { loseDisks: true } }), ({ scenario, seed, plan }) => {
        expect(slotsStaySafe(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(15) },
    );
  },
  PATIENCE_MS,
);
