import { expect, test } from "vitest";
import type { EmergencyAction } from "../systemd/index.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "./testing/cluster.js";

/** A host with an etcd and a service that has this done to the host when it fails. */
function hostWith(action: EmergencyAction): TestCluster {
  const settings = { name: "h0", "initial-cluster": initialCluster([0]) };
  const units = `  units:
    - name: etcd2.service
      command: start
    - name: web.service
      command: start
      content: |
        [Unit]
        FailureAction=${action}
        [Service]
        ExecStart=/bin/web
`;
  return new TestCluster([hostConfigOf(0, { cloudConfig: etcdConfig(settings, units) })])
    .powerOn()
    .run(20);
}

/** The program of a unit ends with status 1. */
function fail(cluster: TestCluster, unit: string): TestCluster {
  const processes = [...cluster.host(0).systemd.processes.values()];
  const pid = processes.findLast((process) => process.unit === unit)?.pid ?? 0;
  return cluster.tell(0, { kind: "process-exited", pid, code: 1, signal: null });
}

/** What became of the host since it came up, with reasons. */
const story = (cluster: TestCluster) =>
  cluster.facts.flatMap(({ fact }) => {
    switch (fact.kind) {
      case "host.rebooting":
      case "host.powering-off":
      case "host.down":
        return [`${fact.kind.slice(5)}: ${fact.reason}`];
      case "systemd.unit":
        return fact.unit === "etcd2.service" && fact.active === "deactivating"
          ? ["etcd2 stops"]
          : [];
      default:
        return [];
    }
  });

test("a unit's FailureAction=reboot stops everything in order first, and the host comes back", () => {
  const cluster = fail(hostWith("reboot"), "web.service").run(20);
  expect(story(cluster)).toEqual([
    "rebooting: FailureAction=reboot of web.service",
    "etcd2 stops",
    "down: reboot",
  ]);
  expect(cluster.factsOf("host.up")).toHaveLength(2);
  expect(cluster.isActive(0, "etcd2.service")).toBe(true);
});

test("by force nothing is stopped in order; at once neither", () => {
  for (const action of ["reboot-force", "reboot-immediate"] as const) {
    const cluster = fail(hostWith(action), "web.service").run(20);
    expect(story(cluster)).toEqual([
      `rebooting: FailureAction=${action} of web.service`,
      "down: reboot",
    ]);
    expect(cluster.factsOf("host.up")).toHaveLength(2);
  }
});

test("a host that was powered off stays off until it is switched on", () => {
  for (const action of ["poweroff", "poweroff-force", "exit"] as const) {
    const cluster = fail(hostWith(action), "web.service").run(60);
    expect(story(cluster).at(-1)).toBe("down: power-off");
    expect(cluster.host(0).power).toBe("off");
    cluster.powerOn().run(20);
    expect(cluster.isActive(0, "web.service")).toBe(true);
  }
});
