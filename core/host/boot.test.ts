import { expect, test } from "vitest";
import { SECOND } from "../kernel/index.js";
import type { HostConfig } from "./index.js";
import { hostConfigOf, TestCluster } from "./testing/cluster.js";

/** One host whose second slot holds version 2.0.0, to be tried once. */
function updated(changes: Partial<HostConfig> = {}, complete = true): TestCluster {
  const cluster = new TestCluster([hostConfigOf(0, changes)]);
  cluster.host(0).slots["USR-B"] = {
    version: "2.0.0",
    priority: 2,
    tries: 1,
    successful: false,
    complete,
  };
  return cluster;
}

const panicking = (after: number): Partial<HostConfig> => ({
  defects: { "2.0.0": [{ kind: "panic-on-boot", after: [after, after] }] },
});

const ups = (cluster: TestCluster) => cluster.factsOf("host.up").map((fact) => fact.version);
const downs = (cluster: TestCluster) => cluster.factsOf("host.down").map((fact) => fact.reason);

test("a new host boots the slot the installer wrote and reaches its default target", () => {
  const cluster = new TestCluster([hostConfigOf(0)]).powerOn().run(10);
  expect(cluster.factsOf("host.up")).toEqual([
    { kind: "host.up", version: "1.0.0", slot: "USR-A", boot: 1 },
  ]);
  expect(cluster.isActive(0, "multi-user.target")).toBe(true);
});

test("a fresh slot is booted first and its one try is used up before the kernel runs", () => {
  const cluster = updated().powerOn();
  expect(cluster.host(0).slots["USR-B"].tries).toBe(0);
  expect(cluster.host(0).power).toBe("booting");
  cluster.run(5);
  expect(ups(cluster)).toEqual(["2.0.0"]);
});

test("a release that panics on boot gives way to the old slot after its one try", () => {
  const cluster = updated(panicking(SECOND)).powerOn().run(10);
  expect(downs(cluster)).toEqual(["panic"]);
  expect(ups(cluster)).toEqual(["1.0.0"]);
});

test("power lost during the trial boot spends the try: the old slot boots", () => {
  const cluster = updated().powerOn().run(1).powerOff(0).powerOn().run(10);
  expect(ups(cluster)).toEqual(["1.0.0"]);
});

test("a slot that was marked good keeps booting though it panics each time", () => {
  const cluster = updated(panicking(SECOND));
  cluster.host(0).slots["USR-B"].tries = 0;
  cluster.host(0).slots["USR-B"].successful = true;
  cluster.powerOn().run(7);
  expect(ups(cluster)).toEqual([]);
  expect(downs(cluster).filter((reason) => reason === "panic").length).toBeGreaterThan(2);
});

test("an image that was not written to its end breaks the boot, and the loader chooses again", () => {
  const cluster = updated({}, false).powerOn().run(10);
  expect(downs(cluster)).toEqual(["broken-image"]);
  expect(ups(cluster)).toEqual(["1.0.0"]);
});

test("without a slot that may boot the host stays down", () => {
  const cluster = new TestCluster([hostConfigOf(0)]);
  cluster.host(0).slots["USR-A"].successful = false;
  cluster.powerOn().run(60);
  expect(downs(cluster)).toEqual(["no-bootable-slot"]);
  expect(cluster.host(0).power).toBe("off");
});

test("power that comes on twice boots once (a second try spent on one boot)", () => {
  const cluster = updated();
  cluster.host(0).slots["USR-B"].tries = 2;
  cluster.powerOn().powerOn().run(10).powerOn().run(5);
  expect(cluster.host(0).slots["USR-B"].tries).toBe(1);
  expect(ups(cluster)).toEqual(["2.0.0"]);
});

test("a lost disk takes files, units, enablement and update_engine's preferences, not the slots", () => {
  const cloudConfig = `#cloud-config
write_files:
  - {path: /opt/note, content: kept}
coreos:
  units:
    - name: mine.service
      enable: true
      content: |
        [Service]
        ExecStart=/opt/bin/mine
        [Install]
        WantedBy=multi-user.target
`;
  const cluster = updated({ cloudConfig }).powerOn().run(10);
  const host = cluster.host(0);
  expect(host.files.get("/opt/note")).toBe("kept");
  expect([...host.systemd.files.keys()].some((path) => path.endsWith("/mine.service"))).toBe(true);
  cluster.powerOff(0, 0, true);
  expect(host.files.size).toBe(0);
  expect([host.systemd.files.size, host.systemd.links.size]).toEqual([0, 0]);
  expect(host.slots["USR-B"].version).toBe("2.0.0");
});

test("the disk of a host that is off can be lost, too", () => {
  const cluster = new TestCluster([hostConfigOf(0)]);
  cluster.tell(0, { kind: "install-file", path: "/etc/note", text: "x" });
  cluster.powerOff(0, 0, true);
  expect(cluster.host(0).files.size).toBe(0);
  expect(cluster.factsOf("host.down")).toEqual([]);
});

test("an orderly reboot stops every unit first, then resets, once", () => {
  const cluster = new TestCluster([hostConfigOf(0)]).powerOn().run(10);
  cluster.tell(0, { kind: "operator", action: "reboot" });
  cluster.tell(0, { kind: "operator", action: "reboot" });
  cluster.run(20);
  expect(cluster.factsOf("host.rebooting")).toHaveLength(1);
  const down = cluster.facts.findIndex(({ fact }) => fact.kind === "host.down");
  const stopped = cluster.facts.findIndex(
    ({ fact }) =>
      fact.kind === "systemd.unit" &&
      fact.unit === "locksmithd.service" &&
      fact.active === "inactive",
  );
  expect(stopped).toBeGreaterThan(-1);
  expect(stopped).toBeLessThan(down);
  expect(cluster.factsOf("host.up").map((fact) => fact.boot)).toEqual([1, 2]);
});
