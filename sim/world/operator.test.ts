import { expect, test } from "vitest";
import type { LogRecord } from "../../core/kernel/index.js";
import { type Fault, faultPlan } from "../faults/index.js";
import { scenarioOf } from "../scenario/testing.js";
import { Simulation } from "./index.js";

const SECOND = 1_000_000;

interface Wanted {
  readonly timeline?: string;
  readonly expect?: string;
  readonly more?: string;
  readonly faults?: readonly Fault[];
  readonly seconds?: number;
}

/** A run to its end: three members with fleet, an update service that offers 1010.0.0. */
function run(wanted: Wanted) {
  const seconds = wanted.seconds ?? 60;
  const list = [0, 1, 2].map((i) => `core-${i + 1}=http://10.0.0.${i + 10}:2380`).join(",");
  const scenario = scenarioOf(`orrery: 1
name: operated
duration: ${seconds}s
hosts:
  - group: core
    count: 3
    os: {version: 1000.0.0}
    boot: 1s
    disk: {fsync: 1ms, bandwidth: 20MB/s}
    cloud_config: |
      #cloud-config
      coreos:
        etcd2:
          initial-cluster: ${list}
          initial-advertise-peer-urls: http://$private_ipv4:2380
        update: {reboot-strategy: off}
        units:
          - {name: etcd2.service, command: start}
          - {name: fleet.service, command: start}
releases: [{version: 1010.0.0, size: 20MB}]
update: {version: 1000.0.0, first_check: 20s, check_every: 20s, max_updates_per_period: 10}
units:
  web@.service: |
    [Service]
    ExecStart=/opt/bin/web
${wanted.more ?? ""}timeline:
${wanted.timeline ?? "  - {at: 1s, do: mark, label: start}\n"}${wanted.expect === undefined ? "" : `expect:\n${wanted.expect}`}`);
  const records: LogRecord[] = [];
  const stimuli: LogRecord[] = [];
  const simulation = new Simulation({
    scenario,
    seed: 1,
    plan: faultPlan(wanted.faults ?? []),
    observer: { record: (r) => records.push(r), stimulus: (r) => stimuli.push(r) },
  });
  simulation.advance(seconds * SECOND);
  simulation.finish();
  const of = (kind: string) => records.filter((r) => r.kind === kind);
  const results = of("operator.done").map((r) => r.data);
  return { simulation, records, stimuli, of, results };
}

const outage = (kind: "update-down", at: number, seconds: number): Fault => ({
  id: 1,
  kind,
  at: at * SECOND,
  duration: seconds * SECOND,
});

test("an operator's units run, and the log says what was asked and how it ended", () => {
  const { of, results, simulation } = run({
    timeline: `  - {at: 15s, do: fleet-start, units: ["web@{1..2}.service"]}\n`,
    expect: `  - {unit: "web@*.service", active: 2, by: 40s}\n`,
  });
  expect(of("operator.action").map((r) => r.data)).toMatchObject([
    { do: "fleet-start", via: null, units: ["web@1.service", "web@2.service"] },
  ]);
  expect(results).toEqual([
    { what: "start web@1.service", result: expect.any(String) },
    { what: "start web@2.service", result: expect.any(String) },
  ]);
  expect(simulation.expectations.failed).toBe(0);
});

test("an operator who comes before the cluster is up tries again until it answers", () => {
  const { of, results } = run({ timeline: "  - {at: 100ms, do: lock, host: core-2}\n" });
  expect(results).toEqual([{ what: "locksmithctl lock", result: "done" }]);
  expect(of("operator.done")[0]?.at).toBeGreaterThan(2 * SECOND);
});

test("locks are taken in a host's name and given back, and what locksmith refuses is told", () => {
  const { results, simulation } = run({
    timeline: `  - {at: 15s, do: lock, host: core-1}
  - {at: 20s, do: lock, host: core-2}
  - {at: 25s, do: unlock, host: core-1}
  - {at: 30s, do: set-max, max: 2}
  - {at: 35s, do: lock, host: core-3}
`,
  });
  expect(results).toHaveLength(5);
  const said = results.map((data) => (data as { readonly result: string }).result);
  expect([said[0], said[2], said[3], said[4]]).toEqual(["done", "done", "done", "done"]);
  expect(said[1]).not.toBe("done");
  expect(simulation.invariants.violations).toEqual([]);
});

test("an action with a `via` is tried there and nowhere else", () => {
  const { stimuli } = run({
    timeline: "  - {at: 15s, do: set-max, max: 2, via: core-3}\n",
  });
  const asked = stimuli.filter(
    (r) =>
      r.kind === "packet" &&
      (r.data as { readonly packet: { readonly kind: string } }).packet.kind === "etcd-request",
  );
  expect(asked.length).toBeGreaterThan(0);
  expect(new Set(asked.map((r) => r.host))).toEqual(new Set(["core-3"]));
});

test("an operator whose `via` never comes back gives up and says so", () => {
  const { results } = run({
    seconds: 200,
    timeline: `  - {at: 10s, do: power-off, hosts: core-3}
  - {at: 15s, do: set-max, max: 2, via: core-3}
`,
  });
  expect(results).toEqual([{ what: "locksmithctl set-max", result: "no member answered" }]);
});

test("a member is removed once, however often it is asked for, and can be added again", () => {
  const { results, simulation } = run({
    timeline: `  - {at: 15s, do: member-remove, host: core-3}
  - {at: 20s, do: member-remove, host: core-3}
  - {at: 25s, do: member-add, host: core-3}
`,
    expect: "  - {members: 2, at: 22s}\n  - {members: 3, at: 40s}\n",
  });
  expect(results.map((data) => (data as { readonly result: string }).result)).toEqual([
    "removed",
    "no such member",
    "added",
  ]);
  expect(simulation.expectations.failed).toBe(0);
});

test("a partition lasts until heal, and quorum and leader are judged by who reaches whom", () => {
  const { simulation, of } = run({
    timeline: `  - {at: 20s, do: partition, isolate: core-1}
  - {at: 21s, do: partition, isolate: core-2}
  - {at: 21.5s, do: heal}
`,
    expect: `  - {quorum: held, during: "10s..20.9s"}
  - {quorum: lost, within: "21s..21.4s"}
  - {quorum: held, at: 30s}
  - {leader: exactly-one, at: 30s}
`,
  });
  expect(of("expectation.failed").map((r) => r.data)).toEqual([]);
  expect(simulation.expectations.failed).toBe(0);
});

test("a quorum that is lost and back before any host notices is seen", () => {
  const cut: Fault = {
    id: 1,
    kind: "partition",
    from: [0, 1],
    to: [1, 2],
    oneWay: false,
    at: 20 * SECOND,
    duration: 1_000,
  };
  const { simulation } = run({ faults: [cut], expect: `  - {quorum: lost, within: "15s..25s"}\n` });
  expect(simulation.expectations.failed).toBe(0);
});

test("hosts fetch what a channel points at, and nothing while the update service is down", () => {
  const publish = "  - {at: 10s, do: publish, version: 1010.0.0}\n";
  const served = run({ timeline: publish, seconds: 50 });
  const wrote = (of: typeof served) =>
    of.simulation.hosts.filter((host) => host.slots["USR-B"].version === "1010.0.0").length;
  expect(wrote(served)).toBe(3);
  expect(
    wrote(run({ timeline: publish, seconds: 50, faults: [outage("update-down", 5, 44)] })),
  ).toBe(0);
});

test("of two outages of a service that overlap the later end counts", () => {
  const faults: Fault[] = [
    { ...outage("update-down", 5, 44), id: 1 },
    { ...outage("update-down", 6, 5), id: 2 },
  ];
  const publish = "  - {at: 10s, do: publish, version: 1010.0.0}\n";
  const { simulation } = run({ timeline: publish, seconds: 48, faults });
  expect(simulation.hosts.map((host) => host.slots["USR-B"].version)).toEqual([null, null, null]);
});

test("a download that ends while the service is away fails and is resumed later", () => {
  const timeline = "  - {at: 10s, do: publish, version: 1010.0.0}\n";
  const probe = run({ timeline, seconds: 60 });
  const first = probe.stimuli.find((r) => r.kind === "download-progress");
  expect(first).toBeDefined();
  const from = (first?.at ?? 0) / SECOND;
  const { stimuli } = run({ timeline, seconds: 120, faults: [outage("update-down", from, 15)] });
  const ends = stimuli.filter((r) => r.kind === "download-failed" || r.kind === "download-done");
  expect(ends[0]?.kind).toBe("download-failed");
  expect(ends.filter((r) => r.host === ends[0]?.host).at(-1)?.kind).toBe("download-done");
});

test("a download dies with its host (its end reached the host's next life)", () => {
  const timeline = "  - {at: 10s, do: publish, version: 1010.0.0}\n";
  const more = "network:\n  services: {latency: 10ms, bandwidth: 1MB/s}\n";
  const probe = run({ timeline, more, seconds: 40 });
  const begun = probe.stimuli.find((r) => r.kind === "download-progress");
  const host = probe.simulation.hosts.findIndex((each) => each.config.name === begun?.host);
  const crash: Fault = {
    id: 1,
    kind: "crash",
    host,
    at: (begun?.at ?? 0) + 1_000,
    duration: 2 * SECOND,
    loseUnsyncedPpm: 0,
    loseDisk: false,
  };
  // 20 MB at 1 MB/s: a second download cannot have ended within 18 s of the crash.
  const { stimuli } = run({ timeline, more, seconds: 60, faults: [crash] });
  const ended = stimuli.filter(
    (r) =>
      r.host === begun?.host &&
      (r.kind === "download-done" || r.kind === "download-failed") &&
      r.at > crash.at &&
      r.at < crash.at + 18 * SECOND,
  );
  expect(ended).toEqual([]);
});

test("a policy that is switched off offers nothing", () => {
  const { simulation } = run({
    timeline: `  - {at: 10s, do: set-policy, enabled: false}
  - {at: 11s, do: publish, version: 1010.0.0}
`,
    seconds: 50,
  });
  expect(simulation.hosts.map((host) => host.slots["USR-B"].version)).toEqual([null, null, null]);
});

test("the lead is moved to the member that is named, whoever has it, and the expectation sees it", () => {
  const { results, records } = run({
    timeline:
      "  - {at: 15s, do: move-leader, to: core-3}\n  - {at: 30s, do: move-leader, to: core-2}\n",
    expect: "  - {leader: core-3, at: 29s}\n  - {leader: core-2, during: 40s..}\n",
  });
  const moved = { what: "move-leader", result: "moved" };
  expect(results).toEqual([moved, moved]);
  const decided = records.filter((r) => r.kind.startsWith("expectation."));
  expect(decided.map((r) => [r.kind, r.data])).toEqual([
    [
      "expectation.met",
      { line: expect.any(Number), expectation: "core-3 leads at 29 s", found: "core-3" },
    ],
    [
      "expectation.met",
      {
        line: expect.any(Number),
        expectation: "core-2 leads throughout 40 s to 60 s",
        found: "core-2",
      },
    ],
  ]);
});

test("a probe finds how long nobody answers a write, and does not disturb", () => {
  const { records } = run({
    more: "probe: {every: 500ms}\n",
    timeline: "  - {at: 30s, do: power-off, hosts: [core-1, core-2]}\n",
    expect:
      "  - {outage: ..600ms, during: 15s..30s}\n  - {outage: 30s..31s, during: 20s..}\n  - {led: 40%..60%, during: 20s..40s}\n  - {terms: 0, during: 15s..30s}\n",
  });
  const decided = records.filter((r) => r.kind.startsWith("expectation."));
  expect(decided.map((r) => r.kind)).toEqual(Array(4).fill("expectation.met"));
  expect(decided.map((r) => r.data)).toContainEqual({
    line: expect.any(Number),
    expectation: "longest time without a write 30 s to 31 s throughout 20 s to 60 s",
    found: expect.stringMatching(/^30\.\d+ s$/),
    measured: { line: expect.any(Number), kind: "outage", value: expect.any(Number) },
  });
});

test("keys written past fleet, metadata and systemctl at a host reach what they are for", () => {
  const { results, of } = run({
    timeline: `  - {at: 20s, do: etcd-set, key: /a/b, value: two words}
  - {at: 20s, do: fleet-metadata, host: core-2, set: {role: db}}
  - {at: 40s, do: etcd-delete, key: /a}
  - {at: 40s, do: etcd-delete, key: /none}
  - {at: 40s, do: systemctl, verb: stop, unit: fleet.service, hosts: core-3}
`,
    expect: `  - {keys: "/a/*", value: "two *", count: 1, at: 30s}
  - {keys: "/a/*", count: 0, at: 45s}
  - {keys: "*/metadata/role", value: db, count: 1, at: 30s}
  - {keys: "*/machines/*/object", count: 3, at: 39s}
  - {keys: "*/machines/*/object", count: 2, at: 45s}
  - {facts: fleet.exited, count: 1, during: 40s..50s}
`,
  });
  expect(results).toContainEqual({ what: "etcdctl rm /none", result: "Key not found" });
  expect(of("expectation.failed").map((r) => r.data)).toEqual([]);
  expect(of("expectation.met")).toHaveLength(6);
});
