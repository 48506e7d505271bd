import { expect, test } from "vitest";
import type { LogRecord } from "../../core/kernel/index.js";
import { type TraceEvent, traceJson } from "../../core/raft/index.js";
import { drawFaultPlan } from "../faults/index.js";
import { scenarioOf } from "../scenario/testing.js";
import type { RunObserver } from "./index.js";
import { Simulation } from "./index.js";

const list = [0, 1, 2].map((i) => `core-${i + 1}=http://10.0.0.${i + 10}:2380`).join(",");
const scenario = scenarioOf(`orrery: 1
name: traced
duration: 60s
hosts:
  - group: core
    count: 3
    os: {version: 1000.0.0}
    boot: 1s..2s
    disk: {fsync: 1ms..5ms}
    cloud_config: |
      #cloud-config
      coreos:
        etcd2:
          initial-cluster: ${list}
          initial-advertise-peer-urls: http://$private_ipv4:2380
        units:
          - {name: etcd2.service, command: start}
faults:
  budget:
    from: 5s
    until: 50s
    keep: nothing
    hosts_at_once: 2
    crash: { count: 6..8, for: 1s..3s, lose_unsynced: 50% }
`);

function run(observer: RunObserver): void {
  const simulation = new Simulation({
    scenario,
    seed: 3,
    plan: drawFaultPlan(scenario, 3),
    observer,
  });
  simulation.advance(scenario.duration);
}

function traced(): TraceEvent[] {
  const events: TraceEvent[] = [];
  run({ record: () => undefined, trace: (_, event) => events.push(event) });
  return events;
}

/** What tells one message of a trace from another. */
const messageOf = ({ message }: TraceEvent) => JSON.stringify(message);

test("a traced run writes the records it writes untraced", () => {
  const plain: LogRecord[] = [];
  const beside: LogRecord[] = [];
  run({ record: (record) => plain.push(record) });
  run({ record: (record) => beside.push(record), trace: () => undefined });
  expect(plain.length).toBeGreaterThan(100);
  const facts = (records: readonly LogRecord[]) => records.filter(({ type }) => type === "fact");
  expect(facts(beside)).toEqual(facts(plain));
});

test("no message is received in a trace that its sender has not sent and handed out before", () => {
  const events = traced();
  const queued = new Map<number, Set<string>>();
  const handedOut = new Set<string>();
  let received = 0;
  for (const event of events) {
    const { id, name } = event;
    if (name.startsWith("Send")) {
      const own = queued.get(id) ?? new Set();
      queued.set(id, own.add(messageOf(event)));
    } else if (name === "Ready") {
      for (const message of queued.get(id) ?? []) handedOut.add(message);
      queued.delete(id);
    } else if (name === "InitState") {
      queued.delete(id);
    } else if (name.startsWith("Receive")) {
      received++;
      expect(handedOut.has(messageOf(event)), traceJson(event)).toBe(true);
    }
  }
  expect(received).toBeGreaterThan(1000);
  expect(events.filter(({ name }) => name === "InitState").length).toBeGreaterThan(3);
});
