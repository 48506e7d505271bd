import { expect, test } from "vitest";
import type { LogRecord } from "../../core/kernel/index.js";
import { type Fault, faultPlan } from "../faults/index.js";
import type { Scenario } from "../scenario/index.js";
import { scenarioOf } from "../scenario/testing.js";
import { CHECKPOINT_INTERVAL, Simulation } from "./index.js";

const SECOND = 1_000_000;

/** Three members that boot in a second or two, and whatever `more` adds to the scenario. */
function scenario(more = "", duration = "40s", lastHost = ""): Scenario {
  const list = [0, 1, 2].map((i) => `core-${i + 1}=http://10.0.0.${i + 10}:2380`).join(",");
  return scenarioOf(`orrery: 1
name: world
duration: ${duration}
hosts:
  - group: core
    count: 3
    os: {version: 1000.0.0}
    boot: 1s..2s
    disk: {fsync: 1ms..5ms}
    clock: {drift: -50ppm..50ppm}
    cloud_config: |
      #cloud-config
      coreos:
        etcd2:
          initial-cluster: ${list}
          initial-advertise-peer-urls: http://$private_ipv4:2380
        units:
          - {name: etcd2.service, command: start}
${lastHost}${more}`);
}

const SPARE = "  - {name: spare, present: false, os: {version: 1000.0.0}, boot: 1s}\n";

interface Run {
  readonly simulation: Simulation;
  readonly records: LogRecord[];
  readonly stimuli: LogRecord[];
  /** Records of one kind, of one host where given. */
  of(kind: string, host?: string): readonly LogRecord[];
}

function start(of: Scenario, faults: readonly Fault[] = [], seed = 1): Run {
  const records: LogRecord[] = [];
  const stimuli: LogRecord[] = [];
  const simulation = new Simulation({
    scenario: of,
    seed,
    plan: faultPlan(faults),
    observer: { record: (r) => records.push(r), stimulus: (r) => stimuli.push(r) },
  });
  const ofKind = (kind: string, host?: string) =>
    records.filter((r) => r.kind === kind && (host === undefined || r.host === host));
  return { simulation, records, stimuli, of: ofKind };
}

const crash = (id: number, host: number, at: number, seconds: number): Fault => ({
  id,
  kind: "crash",
  host,
  at: Math.round(at * SECOND),
  duration: seconds * SECOND,
  loseUnsyncedPpm: 0,
  loseDisk: false,
});

/** Seconds at which a host came up. */
const upsOf = (run: Run, host: string) =>
  run.of("host.up", host).map((record) => Math.floor(record.at / SECOND));

test("a run in slices is the run at once, and going back does nothing", () => {
  const faults = [crash(1, 0, 15, 5)];
  const whole = start(scenario(), faults);
  whole.simulation.advance(40 * SECOND);
  const sliced = start(scenario(), faults);
  while (sliced.simulation.advance(sliced.simulation.at + 333_333)) {
    const { at } = sliced.simulation;
    sliced.simulation.advance(at - 100_000);
    expect(sliced.simulation.at).toBe(at);
  }
  expect(sliced.simulation.finish()).toEqual(whole.simulation.finish());
  expect(sliced.records).toEqual(whole.records);
});

test("records are numbered in order, stimuli included, and causes come before what they cause", () => {
  const run = start(scenario());
  run.simulation.advance(40 * SECOND);
  run.simulation.finish();
  const all = [...run.records, ...run.stimuli].sort((a, b) => a.seq - b.seq);
  expect(all.map((record) => record.seq)).toEqual(all.map((_, i) => i));
  for (const [i, record] of all.entries()) {
    expect(record.at).toBeGreaterThanOrEqual(all[i - 1]?.at ?? 0);
    if (record.cause !== null) expect(record.cause).toBeLessThan(record.seq);
  }
});

test("a checkpoint stands at every interval, and the end record says what the summary says", () => {
  const run = start(scenario());
  run.simulation.advance(40 * SECOND);
  const summary = run.simulation.finish();
  expect(run.of("checkpoint").map((r) => r.at)).toEqual(
    [1, 2, 3, 4].map((i) => i * CHECKPOINT_INTERVAL),
  );
  const { verdict, events, hash } = summary;
  expect(verdict).toBe("held");
  expect(run.records.at(-1)).toMatchObject({
    type: "end",
    data: { verdict, events, hash, violations: 0, failed: 0 },
  });
  expect(run.stimuli).toHaveLength(events);
});

test("a run that is stopped stays where it was, and says so", () => {
  const run = start(scenario());
  run.simulation.advance(7 * SECOND);
  run.simulation.stop();
  expect(run.simulation.advance(40 * SECOND)).toBe(false);
  expect(run.simulation.finish()).toMatchObject({ verdict: "stopped", at: 7 * SECOND });
});

test("another seed is another run", () => {
  const hashes = [1, 2].map((seed) => {
    const { simulation } = start(scenario(), [], seed);
    simulation.advance(10 * SECOND);
    return simulation.stateHash();
  });
  expect(new Set(hashes).size).toBe(2);
});

test("a host that crashed boots when its fault ends", () => {
  const run = start(scenario(), [crash(1, 0, 15, 10)]);
  run.simulation.advance(40 * SECOND);
  expect(run.of("host.down", "core-1").map((r) => r.at)).toEqual([15 * SECOND]);
  expect(upsOf(run, "core-1")[1]).toBeGreaterThanOrEqual(26);
});

test("of two crashes that overlap the later end counts (a host came back in the middle of an outage)", () => {
  const run = start(scenario(), [crash(1, 0, 12, 5), crash(2, 0, 15, 15)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "core-1")).toHaveLength(2);
  expect(upsOf(run, "core-1")[1]).toBeGreaterThanOrEqual(31);
});

test("the end of a crash does not switch on a host that was off (a spare that nobody added)", () => {
  const run = start(scenario("", "40s", SPARE), [crash(1, 3, 5, 5)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "spare")).toEqual([]);
});

test("a host that switched itself off stays off after an outage too, until somebody switches it on", () => {
  const odd = `  - name: odd
    os: {version: 1000.0.0}
    boot: 1s
    cloud_config: |
      #cloud-config
      coreos:
        units:
          - name: off.service
            command: start
            content: "[Unit]\\nSuccessAction=poweroff\\n[Service]\\n"
`;
  const timeline = "timeline:\n  - {at: 20s, do: power-on, hosts: odd}\n";
  const run = start(scenario(timeline, "40s", odd), [crash(1, 3, 5, 5)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "odd")).toEqual([1, 21]);
  expect(run.of("host.powering-off", "odd")).toHaveLength(2);
  expect(run.of("host.down", "odd")).toHaveLength(2);
});

test("a host added during its outage boots when that ends", () => {
  const timeline = "timeline:\n  - {at: 8s, do: add-host, hosts: spare}\n";
  const run = start(scenario(timeline, "40s", SPARE), [crash(1, 3, 5, 10)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "spare")).toEqual([16]);
});

test("a host that is terminated stays away, whatever ends afterwards", () => {
  const timeline = "timeline:\n  - {at: 18s, do: terminate, hosts: core-1}\n";
  const run = start(scenario(timeline), [crash(1, 0, 15, 10)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "core-1")).toHaveLength(1);
  expect(run.simulation.hosts[0]?.member).toBeNull();
});

test("power that goes between two boots keeps the host down (it came back a second later)", () => {
  const timeline = "timeline:\n  - {at: 15s, do: reboot, hosts: core-1}\n";
  const probe = start(scenario(timeline));
  probe.simulation.advance(40 * SECOND);
  const reset = probe.of("host.down", "core-1")[0]?.at ?? 0;
  const at = reset / SECOND + 0.5;
  const run = start(scenario(timeline), [crash(1, 0, at, 10)]);
  run.simulation.advance(40 * SECOND);
  expect(upsOf(run, "core-1")[1]).toBeGreaterThanOrEqual(Math.floor(at + 10));
});

test("a paused host takes nothing until it goes on, then everything in the order it came", () => {
  const pause: Fault = { id: 1, kind: "pause", host: 0, at: 15 * SECOND, duration: 5 * SECOND };
  const run = start(scenario(), [pause]);
  run.simulation.advance(40 * SECOND);
  const times = run.stimuli.filter((r) => r.host === "core-1").map((r) => r.at);
  expect(times.filter((at) => at > 15 * SECOND && at < 20 * SECOND)).toEqual([]);
  expect(times.filter((at) => at === 20 * SECOND).length).toBeGreaterThan(10);
  expect(run.of("host.down", "core-1")).toEqual([]);
});

test("what waited for a paused host is lost with its power", () => {
  const pause: Fault = { id: 1, kind: "pause", host: 0, at: 15 * SECOND, duration: 10 * SECOND };
  const run = start(scenario(), [pause, crash(2, 0, 20, 1)]);
  run.simulation.advance(40 * SECOND);
  const told = run.stimuli.filter((r) => r.host === "core-1" && r.at > 15 * SECOND);
  const kinds = told.filter((r) => r.at <= 25 * SECOND).map((r) => r.kind);
  expect(kinds).toEqual(["power-loss", "power-on", "booted"]);
});

test("an operator who reboots a paused host waits until it goes on", () => {
  const timeline = "timeline:\n  - {at: 17s, do: reboot, hosts: core-1}\n";
  const pause: Fault = { id: 1, kind: "pause", host: 0, at: 15 * SECOND, duration: 5 * SECOND };
  const run = start(scenario(timeline), [pause]);
  run.simulation.advance(40 * SECOND);
  expect(run.of("host.rebooting", "core-1").map((r) => r.at)).toEqual([20 * SECOND]);
});

test("a cut link swallows what is under way on it", () => {
  const slow = "network:\n  default: {latency: 100ms}\n";
  const cut: Fault = {
    id: 1,
    kind: "partition",
    from: [0],
    to: [1, 2],
    oneWay: true,
    at: 20 * SECOND,
    duration: 5 * SECOND,
  };
  const run = start(scenario(slow), [cut]);
  run.simulation.advance(40 * SECOND);
  const packets = run.stimuli.filter((r) => r.kind === "packet");
  const during = packets.filter((r) => r.at > 20 * SECOND && r.at < 25 * SECOND);
  const from = during.map((r) => (r.data as { readonly from: number }).from);
  expect(from).not.toContain(0);
  expect(from).toContain(1);
  expect(packets.filter((r) => r.at > 25 * SECOND && r.host === "core-2").length).toBeGreaterThan(
    0,
  );
});

test("a slow disk delays syncs while it lasts", () => {
  const slow: Fault = {
    id: 1,
    kind: "slow-disk",
    host: 0,
    delay: { low: 40 * SECOND, high: 40 * SECOND },
    at: 0,
    duration: 39 * SECOND,
  };
  const run = start(scenario(), [slow]);
  run.simulation.advance(40 * SECOND);
  const synced = run.stimuli.filter((r) => r.kind === "disk-synced").map((r) => r.host);
  expect(synced).not.toContain("core-1");
  expect(synced).toContain("core-2");
});

test("a clock that steps and one that drifts are back at their rates when the fault ends", () => {
  const step: Fault = {
    id: 1,
    kind: "clock-step",
    host: 0,
    by: 5 * SECOND,
    at: SECOND,
    duration: SECOND,
  };
  const plain = start(scenario());
  const stepped = start(scenario(), [step]);
  const skew = (at: number) => {
    plain.simulation.advance(at);
    stepped.simulation.advance(at);
    const [a, b] = [stepped, plain].map((run) => run.simulation.clocks[0]?.read(at) ?? 0);
    return (a ?? 0) - (b ?? 0);
  };
  expect(skew(0)).toBe(0);
  expect(skew(1.5 * SECOND)).toBe(5 * SECOND);
  expect(Math.abs(skew(3 * SECOND))).toBeLessThanOrEqual(2);
});

test("a killed daemon stays down until its fault ends", () => {
  const kill: Fault = {
    id: 1,
    kind: "kill-process",
    host: 0,
    unit: "etcd2.service",
    at: 12 * SECOND,
    duration: 15 * SECOND,
  };
  const run = start(scenario(), [kill]);
  const serving = () => run.simulation.hosts[0]?.etcd?.serving === true;
  run.simulation.advance(11 * SECOND);
  expect(serving()).toBe(true);
  run.simulation.advance(26 * SECOND);
  expect(serving()).toBe(false);
  run.simulation.advance(40 * SECOND);
  expect(serving()).toBe(true);
});
