import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { cases } from "./arbitraries/case.js";
import { scenarioOf } from "./arbitraries/scenario.js";
import { runnersAgree } from "./checks/hosts-again.js";
import { flipIsNamed, logVerdict, writeRunLog } from "./checks/log-file.js";
import { droppingKeepsThePast, headerBringsBack, runsAlike, slicesAlike } from "./checks/replay.js";
import { PATIENCE_MS, runs } from "./testing/runs.js";

const folder = mkdtempSync(join(tmpdir(), "orrery-"));
afterAll(() => rmSync(folder, { recursive: true }));

test(
  "two runs of one origin are the same, record by record (state that outlives a run, a Map in another order)",
  () => {
    fc.assert(
      fc.property(cases(), ({ scenario, seed, plan }) => {
        expect(runsAlike(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(8) },
    );
  },
  PATIENCE_MS,
);

test(
  "a run in slices is the run at once (an event on a slice's border taken twice or late)",
  () => {
    const slice = fc.integer({ min: 1_000, max: 5_000_000 });
    fc.assert(
      fc.property(cases(), slice, ({ scenario, seed, plan }, µs) => {
        expect(slicesAlike(scenario, seed, plan, µs)).toBeNull();
      }),
      { numRuns: runs(8) },
    );
  },
  PATIENCE_MS,
);

test(
  "a log's header brings its run back (a scenario value that JSON changes)",
  () => {
    fc.assert(
      fc.property(cases(), ({ scenario, seed, plan }) => {
        expect(headerBringsBack(scenario, seed, plan)).toBeNull();
      }),
      { numRuns: runs(8) },
    );
  },
  PATIENCE_MS,
);

test(
  "dropping a fault leaves what came before as it was (faults that share a random stream)",
  () => {
    const dropping = cases({ faults: { loseDisks: true } }).filter((c) => c.plan.faults.length > 0);
    fc.assert(
      fc.property(dropping, fc.nat(), ({ scenario, seed, plan }, n) => {
        const dropped = n % plan.faults.length;
        expect(droppingKeepsThePast(scenario, seed, plan, dropped)).toBeNull();
      }),
      { numRuns: runs(8) },
    );
  },
  PATIENCE_MS,
);

test(
  "both runners agree on whole hosts fed what a run told them (a recipe that keeps what it pushed, a fact of the world's that no stimulus brought)",
  () => {
    const short = { secondsMin: 30, secondsMax: 60 };
    fc.assert(
      fc.property(
        cases({ scenario: short, faults: { loseDisks: true } }),
        ({ scenario, seed, plan }) => {
          expect(runnersAgree(scenario, seed, plan)).toBeNull();
        },
      ),
      { numRuns: runs(4) },
    );
  },
  PATIENCE_MS,
);

test(
  "a flip of any bit of a log names the record that holds it (a checksum that skips a byte)",
  () => {
    const path = join(folder, "run.orlog");
    const scratch = join(folder, "flipped.orlog");
    const scenario = scenarioOf({
      topology: { hosts: 1, members: 1, zones: 1, bootstrap: "static" },
      seconds: 12,
      electionMs: 500,
      snapshotCount: 10_000,
      preVote: false,
      strategy: "off",
      agentTtlSeconds: 30,
      fleetProfile: "faithful",
      driftPpm: 0,
      lossPercent: 0,
      timeline: [],
    });
    writeRunLog(path, { scenario, seed: 1, plan: { faults: [] } });
    expect(logVerdict(path)).toBe("intact");
    const bytes = readFileSync(path);
    const middle = bytes.indexOf(10, Math.floor(bytes.length / 2)) + 1;
    const everyByteOf = (from: number, until: number) => {
      for (let byte = from; byte < until; byte++) {
        expect(flipIsNamed(path, scratch, byte, byte % 8)).toBeNull();
      }
    };
    everyByteOf(middle, bytes.indexOf(10, middle) + 1);
    everyByteOf(bytes.lastIndexOf(10, bytes.length - 2), bytes.length);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (byte, bit) => {
        expect(flipIsNamed(path, scratch, byte, bit)).toBeNull();
      }),
      { numRuns: runs(500) },
    );
  },
  PATIENCE_MS,
);
