import fc from "fast-check";
import { expect, test } from "vitest";
import { parseFaultPlan, type Scenario } from "../scenario/index.js";
import { scenarioOf } from "../scenario/testing.js";
import { minorityOf, outageOf } from "./atlas.js";
import { drawFaultPlan } from "./draw.js";
import { faultFlag, keepFaults, readFaultIds, writeFaultIds, writeFaultPlan } from "./encode.js";
import { type Fault, type FaultPlan, faultPlan } from "./plan.js";
import { shrinkFaultPlan } from "./shrink.js";

/** Members 1 … n, one host that is none, a generous budget. */
function scenarioWith(members: number, keep: string): Scenario {
  return scenarioOf(`orrery: 1
name: faults
duration: 30m
discovery: {url: "https://discovery.etcd.io/00112233445566778899aabbccddeeff", size: ${members}}
hosts:
  - {group: core, count: ${members}, os: {version: 1.0.0}}
  - {name: worker, member: false, os: {version: 1.0.0}}
update: {version: 1.0.0}
faults:
  budget:
    from: 1m
    until: 21m
    keep: ${keep}
    crash: {count: 3..8, for: 5s..2m, lose_unsynced: 20%..80%, lose_disk: 10%}
    partition: {count: 3..8, for: 1s..3m, one_way: 50%}
    link: {count: 0..3, for: 1s..3m, loss: 0%..100%, delay: 0..2s}
    pause: {count: 0..3, for: 1s..1m, hosts: [core]}
    kill-process: {count: 0..3, for: 1s..20s, units: [etcd2.service, fleet.service]}
    clock-step: {count: 0..2, for: 1s..1h, by: -5s..5s}
    clock-drift: {count: 0..2, for: 1s..1m, by: -200ppm..200ppm}
    slow-disk: {count: 0..2, for: 1s..1m, delay: 1ms..3s}
    update-down: {count: 0..2, for: 1m..5m}
    discovery-down: {count: 0..1, for: 1m..5m}
`);
}

const setting = fc.record({
  members: fc.constantFrom(1, 3, 5, 7),
  keep: fc.constantFrom("quorum", "nothing"),
  seed: fc.maxSafeInteger(),
});

test("a drawn plan keeps to its budget's kinds, counts, window, durations and targets", () => {
  fc.assert(
    fc.property(setting, ({ members, keep, seed }) => {
      const scenario = scenarioWith(members, keep);
      if (scenario.faults.kind !== "budget") throw new Error("no budget");
      const { budget } = scenario.faults;
      const plan = drawFaultPlan(scenario, seed);
      for (const allowance of budget.allowances) {
        const faults = plan.faults.filter((fault) => fault.kind === allowance.kind);
        expect(faults.length).toBeLessThanOrEqual(allowance.count.high);
        for (const fault of faults) {
          expect(fault.duration).toBeGreaterThanOrEqual(allowance.duration.low);
          expect(fault.duration).toBeLessThanOrEqual(allowance.duration.high);
          expect(fault.at).toBeGreaterThanOrEqual(budget.from);
          expect(fault.at + fault.duration).toBeLessThanOrEqual(budget.until);
          if ("host" in fault) expect(allowance.hosts).toContain(fault.host);
          if ("from" in fault) {
            expect(fault.from.filter((node) => fault.to.includes(node))).toEqual([]);
            expect(fault.from.length * fault.to.length).toBeGreaterThan(0);
          }
        }
      }
      expect(new Set(plan.faults.map((fault) => fault.id)).size).toBe(plan.faults.length);
      expect(plan).toEqual(faultPlan(plan.faults));
    }),
  );
});

test("at no moment does a drawn plan take more members than a minority (else a lost quorum is no news)", () => {
  fc.assert(
    fc.property(setting, fc.boolean(), ({ members, seed }, roomy) => {
      const drawn = scenarioWith(members, "quorum");
      if (drawn.faults.kind !== "budget") throw new Error("no budget");
      // Where more hosts may be away than members, the quorum alone must hold the plan back.
      const hostsAtOnce = roomy ? members + 1 : drawn.faults.budget.hostsAtOnce;
      const source = { ...drawn.faults, budget: { ...drawn.faults.budget, hostsAtOnce } };
      const scenario: Scenario = { ...drawn, faults: source };
      const { faults } = drawFaultPlan(scenario, seed);
      const outages = faults.flatMap((fault) => outageOf(scenario, fault) ?? []);
      for (const moment of outages.flatMap((outage) => [outage.from, outage.until - 1])) {
        const away = new Set<number>();
        for (const outage of outages) {
          if (moment < outage.from || moment >= outage.until) continue;
          for (const host of outage.hosts) away.add(host);
        }
        const voters = [...away].filter((host) => scenario.hosts[host]?.member);
        expect(voters.length).toBeLessThanOrEqual((members - 1) >> 1);
        expect(away.size).toBeLessThanOrEqual(hostsAtOnce);
      }
    }),
  );
});

test("a crash counts until the host has booted, one that lost its disk to the end of the run", () => {
  const scenario = scenarioWith(3, "quorum");
  const crash: Fault = {
    id: 0,
    at: 60_000_000,
    duration: 10_000_000,
    kind: "crash",
    host: 1,
    loseUnsyncedPpm: 0,
    loseDisk: false,
  };
  // 25 s of boot at most, and two election timeouts of 1 s until the member votes again.
  expect(outageOf(scenario, crash)).toEqual({ hosts: [1], from: 60_000_000, until: 97_000_000 });
  expect(outageOf(scenario, { ...crash, loseDisk: true })?.until).toBe(scenario.duration);
  expect(minorityOf(scenario)).toBe(1);
});

test("budgets are used: over seeds every kind of fault is drawn, and most plans have several", () => {
  const scenario = scenarioWith(5, "quorum");
  const plans = Array.from({ length: 60 }, (_, seed) => drawFaultPlan(scenario, seed));
  const kinds = new Set(plans.flatMap((plan) => plan.faults.map((fault) => fault.kind)));
  expect(kinds.size).toBe(10);
  expect(plans.filter((plan) => plan.faults.length >= 6).length).toBeGreaterThan(50);
});

test("a seed always draws the same plan, neighbours draw others", () => {
  const scenario = scenarioWith(5, "quorum");
  expect(drawFaultPlan(scenario, 7)).toEqual(drawFaultPlan(scenario, 7));
  const texts = Array.from({ length: 50 }, (_, s) => JSON.stringify(drawFaultPlan(scenario, s)));
  expect(new Set(texts).size).toBe(50);
});

test("one kind's draws do not depend on another kind's count (else a budget's edit reshuffles it all)", () => {
  const more = "    ";
  const base = scenarioWith(7, "nothing");
  const other = scenarioOf(
    `orrery: 1
name: faults
duration: 30m
discovery: {url: "https://discovery.etcd.io/00112233445566778899aabbccddeeff", size: 7}
hosts:
  - {group: core, count: 7, os: {version: 1.0.0}}
  - {name: worker, member: false, os: {version: 1.0.0}}
update: {version: 1.0.0}
faults:
  budget:
    from: 1m
    until: 21m
    keep: nothing
${more}clock-drift: {count: 0..2, for: 1s..1m, by: -200ppm..200ppm}
`,
  );
  for (let seed = 0; seed < 30; seed++) {
    const drifts = (scenario: Scenario): unknown =>
      drawFaultPlan(scenario, seed)
        .faults.filter((fault) => fault.kind === "clock-drift")
        .map(({ id: _, ...rest }) => rest);
    expect(drifts(base)).toEqual(drifts(other));
  }
});

test("a window too short for a fault draws none of it", () => {
  const text = scenarioWith(3, "quorum");
  if (text.faults.kind !== "budget") throw new Error("no budget");
  const budget = { ...text.faults.budget, until: text.faults.budget.from + 1_500_000 };
  const plan = drawFaultPlan({ ...text, faults: { kind: "budget", budget } }, 1);
  expect(plan.faults.every((fault) => fault.duration <= 1_500_000)).toBe(true);
  expect(plan.faults.some((fault) => fault.kind === "crash")).toBe(false);
});

test("ids are written short and read back", () => {
  expect(writeFaultIds([12, 3, 7])).toBe("3,7,12");
  expect(writeFaultIds([0, 1, 2, 3, 9, 10])).toBe("0-3,9,10");
  expect(writeFaultIds([])).toBe("none");
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (ids) => {
      const sorted = [...ids].sort((left, right) => left - right);
      expect(readFaultIds(writeFaultIds(ids))).toMatchObject({ ok: true, value: sorted });
    }),
  );
  for (const text of ["", "x", "3-1", "-1", "1,,2", "0-9999999"]) {
    expect(readFaultIds(text), text).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_FLAG" }],
    });
  }
});

test("keeping faults keeps them as they were, ids and all; a fault that is not there is an error", () => {
  const plan = drawFaultPlan(scenarioWith(5, "quorum"), 3);
  const ids = plan.faults.filter((_, i) => i % 2 === 0).map((fault) => fault.id);
  const kept = keepFaults(plan, ids);
  expect(kept).toMatchObject({
    ok: true,
    value: { faults: plan.faults.filter((fault) => ids.includes(fault.id)) },
  });
  expect(keepFaults(plan, [999])).toMatchObject({ ok: false, diagnostics: [{ code: "E_FLAG" }] });
});

test("any plan is one line in the words of a scenario, and reads back the same", () => {
  fc.assert(
    fc.property(setting, ({ members, keep, seed }) => {
      const scenario = scenarioWith(members, keep);
      const plan = drawFaultPlan(scenario, seed);
      const text = writeFaultPlan(scenario, plan);
      expect(text).not.toMatch(/['\n]/);
      expect(parseFaultPlan(text, "--fault-plan", scenario)).toEqual({
        ok: true,
        value: plan,
        warnings: [],
      });
    }),
  );
});

test("the flag names ids while the faults are as drawn, and writes them out once they are not", () => {
  const scenario = scenarioWith(5, "quorum");
  const plan = drawFaultPlan(scenario, 3);
  const [first, second] = plan.faults;
  if (first === undefined || second === undefined) throw new Error("too few faults");
  expect(faultFlag(scenario, plan, plan)).toBeNull();
  expect(faultFlag(scenario, plan, faultPlan([first]))).toBe(`--faults ${first.id}`);
  expect(faultFlag(scenario, plan, faultPlan([]))).toBe("--faults none");
  const shorter = faultPlan([{ ...first, duration: 1_000_000 }]);
  const flag = faultFlag(scenario, plan, shorter) ?? "";
  expect(flag).toMatch(/^--fault-plan '\[\{id: \d+, at: .*, for: 1s, kind: .*\}\]'$/);
  const text = flag.slice("--fault-plan '".length, -1);
  expect(parseFaultPlan(text, "flag", scenario)).toMatchObject({ ok: true, value: shorter });
});

/** A failure that needs these faults together, each at least that long. */
function needs(plan: FaultPlan, ids: readonly number[], duration: number) {
  return (candidate: FaultPlan): boolean =>
    ids.every((id) =>
      candidate.faults.some(
        (fault) =>
          fault.id === id &&
          fault.duration >= Math.min(duration, plan.faults.find((f) => f.id === id)?.duration ?? 0),
      ),
    );
}

test("shrinking finds exactly the faults that are needed, and keeps failing all the way", async () => {
  await fc.assert(
    fc.asyncProperty(setting, fc.infiniteStream(fc.nat(1_000)), async ({ seed }, picks) => {
      const plan = drawFaultPlan(scenarioWith(7, "nothing"), seed);
      const wanted = plan.faults
        .filter(() => (picks.next().value ?? 0) < 250)
        .map((fault) => fault.id)
        .sort((left, right) => left - right);
      const fails = needs(plan, wanted, 4_000_000);
      const settled: boolean[] = [];
      const shrunk = await shrinkFaultPlan(plan, fails, {
        runsMax: 100_000,
        onSmaller: (smaller) => settled.push(fails(smaller)),
      });
      expect(settled.every((each) => each)).toBe(true);
      expect(fails(shrunk.plan)).toBe(true);
      expect(shrunk.plan.faults.map((f) => f.id).sort((l, r) => l - r)).toEqual(wanted);
      expect(shrunk.plan.faults.every((fault) => fault.duration < 8_000_000)).toBe(true);
      expect(shrunk.minimal).toBe(true);
      expect(shrunk.faultsAfter).toBe(wanted.length);
      expect(shrunk.durationAfter).toBeLessThanOrEqual(shrunk.durationBefore);
    }),
    { numRuns: 40 },
  );
});

test("shrinking spends no more runs than it may, and says that it is not done", async () => {
  const plan = drawFaultPlan(scenarioWith(7, "nothing"), 5);
  const wanted = plan.faults.slice(0, 4).map((fault) => fault.id);
  for (const runsMax of [0, 1, 5, 12]) {
    let runs = 0;
    const fails = needs(plan, wanted, 1_000);
    const shrunk = await shrinkFaultPlan(
      plan,
      (candidate) => {
        runs++;
        return fails(candidate);
      },
      { runsMax },
    );
    expect(runs).toBe(shrunk.runs);
    expect(runs).toBeLessThanOrEqual(runsMax);
    expect(fails(shrunk.plan)).toBe(true);
    expect(shrunk.minimal).toBe(false);
  }
});

test("a failure that needs no fault shrinks to none in one run", async () => {
  const plan = drawFaultPlan(scenarioWith(5, "quorum"), 3);
  const shrunk = await shrinkFaultPlan(plan, async () => true, { runsMax: 100 });
  expect(shrunk).toMatchObject({ runs: 1, faultsAfter: 0, minimal: true });
});

test("shrinking simplifies what a fault does, not only how long it takes", async () => {
  const scenario = scenarioWith(5, "quorum");
  const text =
    "[{id: 4, at: 61500ms, for: 40s, kind: link, between: [[core-1, core-2], [core-3, worker]], loss: 5%, duplicate: 1%, delay: 1ms..9ms}," +
    "{id: 6, at: 2m, for: 30s, kind: crash, host: core-2, lose_unsynced: 40%, lose_disk: true}]";
  const parsed = parseFaultPlan(text, "t", scenario);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  const shrunk = await shrinkFaultPlan(
    parsed.value,
    ({ faults }) =>
      faults.some((f) => f.kind === "link" && f.lossPpm > 0 && f.from.includes(1)) &&
      faults.some((f) => f.kind === "crash" && f.loseUnsyncedPpm > 0),
    { runsMax: 1_000 },
  );
  expect(shrunk.plan.faults).toMatchObject([
    { id: 4, at: 61_000_000, from: [1], duplicatePpm: 0, delay: { low: 0, high: 0 } },
    { id: 6, host: 1, loseUnsyncedPpm: 1_000_000, loseDisk: false },
  ]);
  expect(shrunk.plan.faults.every((fault) => fault.duration <= 2_000_000)).toBe(true);
});
