import { expect, test } from "vitest";
import type { Violation } from "../../core/cluster/index.js";
import { createHost, type HostFact, type HostState } from "../../core/host/index.js";
import { createGenerator } from "../../core/kernel/index.js";
import type { Expectation, ExpectationKind, Moment } from "../scenario/index.js";
import { SMALL, scenarioOf } from "../scenario/testing.js";
import { ExpectationMonitor } from "./expectations.js";
import { hostConfig } from "./hostconfig.js";
import { Network } from "./index.js";

const SECOND = 1_000_000;

const LINK = { latencyMin: 0, latencyMax: 0, lossPpm: 0, duplicatePpm: 0, bandwidth: null };

const exactly = (count: number) => ({ low: count, high: count });

/** Three hosts that are up and a spare that never was, watched for one expectation. */
function watching(kind: ExpectationKind, when: Moment) {
  const scenario = scenarioOf(SMALL);
  const expectation: Expectation = { ...kind, when, line: 7 };
  const hosts: HostState[] = scenario.hosts.map((spec) => {
    const host = createHost(hostConfig(scenario, spec, 1));
    if (spec.present) {
      host.power = "up";
      host.boots = 1;
      host.running = "USR-A";
    }
    return host;
  });
  const network = new Network(6, () => LINK, createGenerator(1, "network"));
  const monitor = new ExpectationMonitor({ ...scenario, expect: [expectation] }, hosts, network);
  const verdictAt = (at: number) =>
    monitor.observe(at).map(({ met }) => (met ? "met" : "failed"))[0] ?? "open";
  const verdictAtEnd = (violations: readonly Violation[] = []) =>
    monitor.finish(violations).map(({ met }) => (met ? "met" : "failed"))[0] ?? "decided";
  return { monitor, hosts, verdictAt, verdictAtEnd };
}

const down = (host: HostState | undefined) => {
  if (host !== undefined) host.power = "off";
};

const DOWN_1: ExpectationKind = { kind: "hosts-down", count: exactly(1) };

const unit = (name: string, active: "active" | "inactive"): HostFact => ({
  kind: "systemd.unit",
  unit: name,
  load: "loaded",
  active,
  sub: "running",
  result: "success",
});

test("`by` is met as soon as it holds, and failed when its time has come without", () => {
  const met = watching(DOWN_1, { kind: "by", time: 10 * SECOND });
  expect(met.verdictAt(5 * SECOND)).toBe("open");
  down(met.hosts[0]);
  expect(met.verdictAt(10 * SECOND)).toBe("met");
  expect(met.verdictAt(11 * SECOND)).toBe("open");
  const missed = watching(DOWN_1, { kind: "by", time: 10 * SECOND });
  expect(missed.verdictAt(10 * SECOND)).toBe("failed");
  expect(missed.monitor.failed).toBe(1);
});

test("`by` does not look at what holds only later", () => {
  const late = watching(DOWN_1, { kind: "by", time: 10 * SECOND });
  down(late.hosts[0]);
  expect(late.verdictAt(11 * SECOND)).toBe("failed");
});

test("`at` looks at its moment and at no other", () => {
  const { hosts, verdictAt } = watching(DOWN_1, { kind: "at", time: 10 * SECOND });
  down(hosts[0]);
  expect(verdictAt(9 * SECOND)).toBe("open");
  if (hosts[0] !== undefined) hosts[0].power = "up";
  expect(verdictAt(10 * SECOND)).toBe("failed");
});

test("`throughout` fails at the first moment without, and is met when its time is over", () => {
  const when = { kind: "throughout", from: 10 * SECOND, until: 20 * SECOND } as const;
  const none: ExpectationKind = { kind: "hosts-down", count: exactly(0) };
  const kept = watching(none, when);
  down(kept.hosts[0]);
  expect(kept.verdictAt(9 * SECOND)).toBe("open");
  if (kept.hosts[0] !== undefined) kept.hosts[0].power = "up";
  expect(kept.verdictAt(10 * SECOND)).toBe("open");
  expect(kept.verdictAt(20 * SECOND)).toBe("met");
  const broken = watching(none, when);
  down(broken.hosts[0]);
  expect(broken.verdictAt(12 * SECOND)).toBe("failed");
});

test("`sometime` needs one moment of its interval", () => {
  const when = { kind: "sometime", from: 10 * SECOND, until: 20 * SECOND } as const;
  const seen = watching(DOWN_1, when);
  down(seen.hosts[0]);
  expect(seen.verdictAt(9 * SECOND)).toBe("open");
  expect(seen.verdictAt(20 * SECOND)).toBe("met");
  const unseen = watching(DOWN_1, when);
  expect(unseen.verdictAt(15 * SECOND)).toBe("open");
  expect(unseen.verdictAt(20 * SECOND)).toBe("failed");
});

test("`end` is decided when the run is over, as is what was still open", () => {
  const end = watching(DOWN_1, { kind: "end" });
  down(end.hosts[1]);
  expect(end.verdictAt(600 * SECOND)).toBe("open");
  expect(end.verdictAtEnd()).toBe("met");
  expect(watching(DOWN_1, { kind: "end" }).verdictAtEnd()).toBe("failed");
  expect(watching(DOWN_1, { kind: "by", time: 1e12 }).verdictAtEnd()).toBe("failed");
});

test("an invariant is held or broken by the end, and one that is asked for is not unexpected", () => {
  const broken: Violation = {
    invariant: "fleet-single-copy",
    detail: "",
    hosts: [0],
    at: 0,
    seq: 0,
  };
  const asks = (is: "held" | "violated") =>
    watching({ kind: "invariant", name: "fleet-single-copy", is }, { kind: "end" });
  expect(asks("held").verdictAtEnd()).toBe("met");
  expect(asks("held").verdictAtEnd([broken])).toBe("failed");
  expect(asks("violated").verdictAtEnd([broken])).toBe("met");
  expect(asks("violated").verdictAtEnd()).toBe("failed");
  expect(asks("violated").monitor.unexpectedViolations([broken])).toEqual([]);
  expect(asks("held").monitor.unexpectedViolations([broken])).toEqual([broken]);
});

test("a host that never was there is neither down nor one of all", () => {
  const none = watching({ kind: "hosts-down", count: exactly(0) }, { kind: "at", time: 0 });
  expect(none.verdictAt(0)).toBe("met");
  const version: ExpectationKind = { kind: "hosts-on", version: "1000.0.0", count: "all" };
  expect(watching(version, { kind: "at", time: 0 }).verdictAt(0)).toBe("met");
  const one = watching(version, { kind: "at", time: 0 });
  down(one.hosts[0]);
  expect(one.verdictAt(0)).toBe("failed");
});

test("active units are counted by glob and host, and those of a host that went down are not", () => {
  const count = (wanted: number | "all", tell: (monitor: ExpectationMonitor) => void) => {
    const { monitor, verdictAt } = watching(
      {
        kind: "unit-active",
        unit: "web@*.service",
        count: wanted === "all" ? wanted : exactly(wanted),
        on: null,
      },
      { kind: "at", time: 0 },
    );
    tell(monitor);
    return verdictAt(0);
  };
  const spread = (monitor: ExpectationMonitor) => {
    monitor.note(0, unit("web@1.service", "active"), 0);
    monitor.note(1, unit("web@1.service", "active"), 0);
    monitor.note(1, unit("web@1.service", "active"), 0);
    monitor.note(2, unit("web@2.service", "active"), 0);
    monitor.note(2, unit("other.service", "active"), 0);
  };
  expect(count(3, spread)).toBe("met");
  expect(count("all", spread)).toBe("met");
  const left = (monitor: ExpectationMonitor) => {
    spread(monitor);
    monitor.note(0, unit("web@1.service", "inactive"), 0);
    monitor.note(2, { kind: "host.down", reason: "panic" }, 0);
  };
  expect(count(1, left)).toBe("met");
});

// Would have caught copies of two different units being taken for two of one.
test("copies are those of one unit, hosts are counted once, and only those asked for", () => {
  const found = (kind: ExpectationKind) => {
    const { monitor, verdictAt } = watching(kind, { kind: "at", time: 0 });
    for (const host of [0, 1]) monitor.note(host, unit("web@1.service", "active"), 0);
    for (const host of [1, 2]) monitor.note(host, unit("web@2.service", "active"), 0);
    return verdictAt(0);
  };
  const web = { unit: "web@*" };
  expect(found({ kind: "unit-copies", ...web, count: exactly(2) })).toBe("met");
  expect(found({ kind: "unit-spread", ...web, count: exactly(3) })).toBe("met");
  expect(found({ kind: "unit-active", ...web, count: exactly(2), on: [1] })).toBe("met");
  expect(found({ kind: "unit-active", ...web, count: exactly(3), on: [0, 1] })).toBe("met");
});

test("facts are counted by kind and unit, from the first moment of the interval to its last", () => {
  const count = (of: string | null, wanted: number) => {
    const kind: ExpectationKind = {
      kind: "facts",
      fact: "systemd.unit",
      of,
      value: exactly(wanted),
    };
    const { monitor, verdictAt } = watching(kind, { kind: "throughout", from: 10, until: 20 });
    for (const at of [9, 10, 20, 21]) monitor.note(0, unit("web@1.service", "active"), at);
    monitor.note(0, unit("other.service", "active"), 15);
    monitor.note(0, { kind: "host.down", reason: "panic" }, 15);
    return verdictAt(20);
  };
  expect(count(null, 3)).toBe("met");
  expect(count("web@*", 2)).toBe("met");
  expect(count("web@*", 3)).toBe("failed");
});

test("holders of the lock are those of the semaphore written last", () => {
  const kind: ExpectationKind = { kind: "lock-holders", count: exactly(1) };
  const { monitor, verdictAt } = watching(kind, { kind: "at", time: 0 });
  monitor.note(0, { kind: "lock.semaphore", semaphore: 1, max: 2, holders: ["a", "b"] }, 0);
  monitor.note(0, { kind: "lock.semaphore", semaphore: 0, max: 2, holders: ["b"] }, 0);
  expect(verdictAt(0)).toBe("met");
});

test("an outcome says what was expected, where it stands in the file, and what was found", () => {
  const { monitor } = watching(DOWN_1, { kind: "by", time: 10 * SECOND });
  expect(monitor.observe(10 * SECOND)).toEqual([
    { met: false, data: { line: 7, expectation: "1 hosts down by 10 s", found: "0" } },
  ]);
});

test("`all` is every host, also one that has not come up yet, and a spare once it was added", () => {
  const kind: ExpectationKind = {
    kind: "unit-active",
    unit: "web.service",
    count: "all",
    on: null,
  };
  const watched = watching(kind, { kind: "by", time: 10 * SECOND });
  const late = watched.hosts[2];
  if (late !== undefined) [late.power, late.boots] = ["off", 0];
  expect(watched.verdictAt(SECOND)).toBe("open");
  for (const host of [0, 1]) watched.monitor.note(host, unit("web.service", "active"), SECOND);
  expect(watched.verdictAt(2 * SECOND)).toBe("open");
  watched.monitor.note(2, unit("web.service", "active"), 2 * SECOND);
  expect(watched.verdictAt(3 * SECOND)).toBe("met");
});
