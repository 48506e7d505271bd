import { expect, test } from "vitest";
import { BROKEN, explainUnit, readPicture, type UnitExplanation } from "./index.js";
import { writeLease, writeMachine } from "./registry.js";
import { PREFIX, Registry } from "./testing/registry.js";

const A = "a".repeat(32);
const B = "b".repeat(32);

function explain(registry: Registry, unit: string): UnitExplanation {
  const session = readPicture(PREFIX);
  let step = session.next();
  while (step.done !== true) step = session.next(registry.etcd(step.value));
  if (step.value === BROKEN) throw new Error("broken");
  return explainUnit(step.value, unit);
}

const codes = ({ reasons }: UnitExplanation) => reasons.map(({ code }) => code);

function fleet(): Registry {
  const registry = new Registry();
  registry.machine(A, { zone: "x" }, "10.0.0.1");
  registry.machine(B, { zone: "y" });
  registry.etcd(writeLease(PREFIX, A, 10, null));
  return registry;
}

function launch(registry: Registry, unit: string, fleetSection: string, machine?: string): void {
  registry.submit(unit, `[Service]\nExecStart=/bin/true\n[X-Fleet]\n${fleetSection}\n`);
  registry.target(unit, "launched");
  if (machine !== undefined) registry.schedule(unit, machine);
}

test("each machine's first failing requirement is named, in the order of AbleToRun", () => {
  const registry = fleet();
  launch(registry, "peer.service", "", B);
  launch(registry, "rude.service", "Conflicts=web*", B);
  launch(registry, "rival.service", "", B);
  launch(registry, "web.service", "MachineMetadata=zone=y\nConflicts=rival*");
  const { machines, reasons } = explain(registry, "web.service");
  expect(machines.map(({ verdict, reason }) => [verdict, reason])).toEqual([
    ["unable", "local Machine metadata insufficient"],
    ["unable", "found conflict with locally-scheduled Unit([rival.service])"],
  ]);
  expect(machines[1]?.conflicts).toEqual(["rival.service", "rude.service"]);
  expect(machines[0]).toMatchObject({ address: "10.0.0.1", units: 0, conflicts: [] });
  expect(reasons[0]).toEqual({ code: "unable", text: "no machine of 2 can run it" });
});

test("a unit that some machine can run waits for the engine, or for one that leads", () => {
  const registry = fleet();
  launch(registry, "other.service", "", A);
  launch(registry, "web.service", "");
  const waits = explain(registry, "web.service");
  expect(codes(waits)).toEqual(["waits"]);
  expect(waits.reasons[0]?.text).toContain("bbbbbbbb...");
  registry.etcd({ op: "delete", key: `${PREFIX}/lease/engine-leader` });
  expect(codes(explain(registry, "web.service"))).toEqual(["no-leader", "waits"]);
});

test("what the record itself lacks is said first", () => {
  const registry = fleet();
  expect(codes(explain(registry, "none.service"))).toEqual(["unknown"]);
  registry.submit("idle.service");
  expect(codes(explain(registry, "idle.service"))).toEqual(["inactive"]);
  launch(registry, "t@.service", "");
  expect(codes(explain(registry, "t@.service"))).toEqual(["template", "waits"]);
  launch(registry, "poison.service", "");
  registry.target("poison.service", "running");
  expect(codes(explain(registry, "poison.service"))).toEqual(["unknown-state"]);
  registry.beat("gone.service", A);
  expect(codes(explain(registry, "gone.service"))).toEqual(["no-object"]);
  registry.submit("half.service", "[Service]\nExecStart=/bin/half\n");
  registry.etcd({ op: "delete", key: `${PREFIX}/job/half.service/target-state` });
  expect(codes(explain(registry, "half.service"))).toEqual(["no-target-state", "waits"]);
  const files = registry.etcd({ op: "get", key: `${PREFIX}/unit` });
  for (const { key } of files.ok ? (files.node.nodes ?? []) : []) {
    registry.etcd({ op: "delete", key });
  }
  expect(codes(explain(registry, "idle.service"))).toEqual(["no-file"]);
});

test("a unit that is placed is told from one that its agent drops or that will move", () => {
  const registry = fleet();
  launch(registry, "web.service", "", A);
  registry.report("web.service", A);
  registry.beat("web.service", A);
  expect(codes(explain(registry, "web.service"))).toEqual(["runs", "systemd"]);
  launch(registry, "late.service", "Conflicts=early.service", B);
  launch(registry, "early.service", "", B);
  const late = explain(registry, "late.service");
  expect(codes(late)).toEqual(["moves", "agent-drops", "unreported", "stale-heartbeat"]);
  expect(late.machines[1]?.droppedFor).toEqual(["early.service"]);
  launch(registry, "lost.service", "", "c".repeat(32));
  expect(codes(explain(registry, "lost.service"))).toEqual(["machine-gone"]);
});

test("a unit that replaces another may run where it is, once the other has moved", () => {
  const registry = fleet();
  launch(registry, "old.service", "", A);
  launch(registry, "new.service", "Replaces=old.service");
  expect(explain(registry, "new.service").machines[0]).toMatchObject({
    verdict: "replaces",
    replaces: ["old.service"],
  });
});

test("a global unit runs where its metadata fits and the agent keeps it", () => {
  const registry = fleet();
  launch(registry, "b.service", "Global=true\nConflicts=a.service");
  launch(registry, "a.service", "Global=true\nMachineMetadata=zone=x");
  const { machines, reasons } = explain(registry, "b.service");
  expect(machines.map(({ verdict, reason }) => [verdict, reason])).toEqual([
    ["unable", "dropped by the agent"],
    ["able", ""],
  ]);
  expect(reasons.map(({ code }) => code)).toEqual(["runs", "unordered-globals"]);
});

test("with gRPC states and heartbeats that are not in etcd are not missed, and a leader that is gone stays it", () => {
  const registry = new Registry();
  const capabilities = { disableEngine: false, grpc: true };
  for (const id of [A, B]) {
    registry.etcd(
      writeMachine(PREFIX, { id, publicIp: "", metadata: {}, capabilities }, 30, false),
    );
  }
  registry.etcd(writeLease(PREFIX, A, 1_000_000, null));
  launch(registry, "web.service", "", B);
  expect(codes(explain(registry, "web.service"))).toEqual(["in-memory", "runs"]);
  registry.etcd({ op: "delete", key: `${PREFIX}/machines/${A}/object` });
  launch(registry, "new.service", "");
  const { reasons } = explain(registry, "new.service");
  expect(reasons.map(({ code }) => code)).toEqual(["in-memory", "no-leader", "waits"]);
  expect(reasons[1]?.text).toContain("lasts for days");
});
