import fc from "fast-check";
import { expect, test } from "vitest";
import { cases } from "./arbitraries/case.js";
import { converges } from "./checks/convergence.js";
import { PATIENCE_MS, runs } from "./testing/runs.js";

test(
  "once the faults are over a cluster becomes whole again (a host that never retries, a member that waits for ever)",
  () => {
    const long = { secondsMin: 240, secondsMax: 300 };
    fc.assert(
      fc.property(cases({ scenario: long }), ({ scenario, seed, plan }) => {
        expect(converges(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(25) },
    );
  },
  PATIENCE_MS,
);
