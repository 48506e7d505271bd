import { expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import type { HostConfig, HostDefect } from "./index.js";
import { hostConfigOf, TestCluster } from "./testing/cluster.js";

/** A cloud-config of units that are started, in order: name and the lines of `[Service]`. */
function units(...all: readonly (readonly [string, string])[]): string {
  const items = all.map(
    ([name, service]) => `    - name: ${name}
      command: start
      content: |
        [Service]
${service
  .split("\n")
  .map((line) => `        ${line}`)
  .join("\n")}
`,
  );
  return `#cloud-config\ncoreos:\n  units:\n${items.join("")}`;
}

const ETCD = "#cloud-config\ncoreos:\n  units:\n    - {name: etcd2.service, command: start}\n";
const WEB = units(["web.service", "ExecStart=/opt/bin/web\nRestart=always\nRestartSec=1"]);

function booted(cloudConfig: string, changes: Partial<HostConfig> = {}, hosts = 1): TestCluster {
  const configs = Array.from({ length: hosts }, (_, i) =>
    hostConfigOf(i, { cloudConfig, ...changes }),
  );
  return new TestCluster(configs).powerOn().run(10);
}

const defective = (...defects: HostDefect[]): Partial<HostConfig> => ({
  defects: { "1.0.0": defects },
});

const restartsOf = (cluster: TestCluster, node: number, unit: string) =>
  cluster.host(node).systemd.units.get(unit)?.service?.restarts ?? 0;

test("a cloud-config writes its files, its units and their drop-ins, and starts what it says", () => {
  const cluster = booted(`#cloud-config
write_files:
  - path: /etc/greeting
    content: hello from $private_ipv4
  - path: /etc/packed
    encoding: base64
    content: cGFja2Vk
coreos:
  fleet:
    metadata: role=core,zone=a
  units:
    - name: greeter.service
      command: start
      drop-ins:
        - name: 10-later.conf
          content: |
            [Service]
            Environment=LATER=yes
      content: |
        [Service]
        ExecStart=/opt/bin/greeter
    - name: idle.service
      content: |
        [Service]
        ExecStart=/opt/bin/idle
    - name: fleet.service
      command: start
`);
  expect(cluster.factsOf("host.cloud-config").map((fact) => fact.result)).toEqual(["applied"]);
  const host = cluster.host(0);
  expect(host.files.get("/etc/greeting")).toBe("hello from 10.0.0.10");
  expect(host.files.get("/etc/packed")).toBe("packed");
  expect(cluster.isActive(0, "greeter.service")).toBe(true);
  expect(cluster.isActive(0, "idle.service")).toBe(false);
  const started = cluster.effects.flatMap(({ effect }) =>
    effect.kind === "exec" && effect.unit === "greeter.service" ? [effect.environment.LATER] : [],
  );
  expect(started).toEqual(["yes"]);
  expect(host.fleet?.config.metadata).toEqual({ role: "core", zone: "a" });
});

test("a cloud-config that cannot be read fails, and the host comes up without it", () => {
  const cluster = booted("#cloud-config\ncoreos: [\n");
  expect(cluster.factsOf("host.cloud-config").map((fact) => fact.result)).toEqual(["failed"]);
  expect(cluster.isActive(0, "multi-user.target")).toBe(true);
  expect(cluster.host(0).systemd.units.get("user-cloudinit.service")?.service?.state).toBe(
    "failed",
  );
});

test("an update's strategy reaches locksmithd through the file that the cloud-config merges", () => {
  const cluster = booted("#cloud-config\ncoreos:\n  update:\n    reboot-strategy: off\n");
  expect(cluster.host(0).files.get("/etc/coreos/update.conf")).toContain("REBOOT_STRATEGY=off");
});

test("systemd starts the modelled daemons of the image and hears when one is killed", () => {
  const cluster = booted(ETCD);
  const names = [...cluster.host(0).daemons.values()].map((daemon) => daemon.name).sort();
  expect(names).toEqual(["etcd", "locksmithd", "update_engine"]);
  cluster.tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  expect(cluster.isActive(0, "etcd2.service")).toBe(false);
  expect(cluster.host(0).etcd).toBeNull();
});

test("a held daemon is killed and does not start until it is released", () => {
  const cluster = booted(ETCD).tell(0, { kind: "hold-unit", unit: "etcd2.service" }).run(25);
  expect(cluster.isActive(0, "etcd2.service")).toBe(false);
  expect(restartsOf(cluster, 0, "etcd2.service")).toBeGreaterThan(1);
  cluster.tell(0, { kind: "release-unit", unit: "etcd2.service" }).run(15);
  expect(cluster.isActive(0, "etcd2.service")).toBe(true);
});

test("a unit held twice is free when both let go", () => {
  const hold = { kind: "hold-unit", unit: "etcd2.service" } as const;
  const release = { kind: "release-unit", unit: "etcd2.service" } as const;
  const cluster = booted(ETCD).tell(0, hold).tell(0, hold).tell(0, release).run(15);
  expect(cluster.isActive(0, "etcd2.service")).toBe(false);
  cluster.tell(0, release).run(15);
  expect(cluster.isActive(0, "etcd2.service")).toBe(true);
});

test("a hold outlives a reboot", () => {
  const cluster = booted(ETCD).tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  cluster.powerOff(0).powerOn().run(15);
  expect(cluster.isActive(0, "etcd2.service")).toBe(false);
});

test("a held program of the world's is killed like a daemon (only modelled daemons were)", () => {
  const cluster = booted(WEB);
  expect(cluster.isActive(0, "web.service")).toBe(true);
  cluster.tell(0, { kind: "hold-unit", unit: "web.service" });
  expect(cluster.isActive(0, "web.service")).toBe(false);
  const kills = cluster.effects.filter(({ effect }) => effect.kind === "kill");
  expect(kills.map(({ effect }) => effect)).toMatchObject([{ signal: "SIGKILL" }]);
  cluster.run(5).tell(0, { kind: "release-unit", unit: "web.service" }).run(5);
  expect(cluster.isActive(0, "web.service")).toBe(true);
});

test("a release's crash ends its process so long after each start", () => {
  const crash = {
    kind: "crash",
    target: "etcd2",
    after: [2 * SECOND, 2 * SECOND],
    code: 2,
  } as const;
  const cluster = booted(ETCD, defective(crash)).run(30);
  const struck = cluster.facts.flatMap(({ at, fact }) => (fact.kind === "host.defect" ? [at] : []));
  // Each start: 2 s until it crashes, RestartSec=10 until the next.
  expect(struck.slice(1).map((at, i) => at - (struck[i] ?? 0))).toEqual([12 * SECOND, 12 * SECOND]);
  expect(restartsOf(cluster, 0, "etcd2.service")).toBe(3);
});

test("an exit defect ends the units its glob matches, and no others", () => {
  const exit = { kind: "exit", target: "web@*.service", after: [SECOND, SECOND], code: 1 } as const;
  const cluster = booted(
    units(
      ["web@1.service", "ExecStart=/opt/bin/web"],
      ["database.service", "ExecStart=/opt/bin/database"],
    ),
    defective(exit),
  );
  expect(cluster.factsOf("host.defect").map((fact) => fact.unit)).toEqual(["web@1.service"]);
  expect(cluster.isActive(0, "web@1.service")).toBe(false);
  expect(cluster.isActive(0, "database.service")).toBe(true);
});

test("a defect of another release does nothing", () => {
  const crash = { kind: "crash", target: "etcd2", after: [SECOND, SECOND], code: 2 } as const;
  const cluster = booted(ETCD, { defects: { "2.0.0": [crash] } }).run(10);
  expect(cluster.factsOf("host.defect")).toEqual([]);
});

test("a process that ended takes its defect along (a dead process poisoned its peers)", () => {
  const after = [8 * SECOND, 8 * SECOND] as const;
  const cluster = booted(
    ETCD,
    defective({ kind: "crash-peers", target: "etcd2", after, code: 2 }),
  ).tell(0, { kind: "hold-unit", unit: "etcd2.service" });
  cluster.run(20);
  expect(cluster.factsOf("host.defect")).toEqual([]);
  expect(cluster.sent.filter(({ packet }) => packet.kind === "poison")).toEqual([]);
});

test("a process that poisons its peers ends them and goes on itself", () => {
  const bad = {
    kind: "crash-peers",
    target: "etcd2",
    after: [9 * SECOND, 9 * SECOND],
    code: 2,
  } as const;
  const cluster = new TestCluster([
    hostConfigOf(0, { cloudConfig: ETCD, ...defective(bad) }),
    hostConfigOf(1, { cloudConfig: ETCD }),
  ]);
  cluster.powerOn().run(15);
  expect(cluster.factsOf("host.defect", 0).map((fact) => fact.defect)).toEqual(["crash-peers"]);
  expect(cluster.factsOf("host.defect", 1).map((fact) => fact.defect)).toEqual(["poisoned"]);
  expect(cluster.isActive(0, "etcd2.service")).toBe(true);
  expect(cluster.isActive(1, "etcd2.service")).toBe(false);
});

test("poison reaches programs of the world's, too", () => {
  const cluster = booted(WEB);
  const packet = { kind: "poison", process: "web", code: 3 } as const;
  cluster.tell(0, { kind: "packet", from: 1, packet });
  expect(cluster.isActive(0, "web.service")).toBe(false);
});

test("a kernel that panics when the host is up leaves a member that starts again (its memory outlived the panic)", () => {
  const panic = { kind: "panic-on-boot", after: [20 * SECOND, 20 * SECOND] } as const;
  const cluster = booted(ETCD, defective(panic)).run(8);
  expect(cluster.leader()).toBe(0);
  cluster.run(3);
  expect(cluster.factsOf("host.down").map((fact) => fact.reason)).toEqual(["panic"]);
  expect(cluster.host(0).member?.run).toBeNull();
  cluster.run(10);
  expect(cluster.leader()).toBe(0);
});
