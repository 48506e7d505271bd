import { expect, test } from "vitest";
import type { ExecProcess } from "../systemd/process.js";
import type { HostConfig } from "./index.js";
import { hostConfigOf, TestCluster } from "./testing/cluster.js";

function booted(changes: Partial<HostConfig>): TestCluster {
  return new TestCluster([hostConfigOf(0, changes)]).powerOn().run(10);
}

const SCRIPT = "#!/bin/bash\necho $private_ipv4 > /etc/greeting\n";

/** The programs that systemd has started for a unit whose name begins so. */
const started = (cluster: TestCluster, unit: string): ExecProcess[] =>
  cluster.effects.flatMap(({ effect }) =>
    effect.kind === "exec" && effect.unit.startsWith(unit) ? [effect] : [],
  );

const results = (cluster: TestCluster): string[] =>
  cluster.factsOf("host.cloud-config").map(({ result, detail }) => `${result} ${detail}`.trim());

const stateOf = (cluster: TestCluster, unit: string): string | undefined =>
  cluster.factsOf("systemd.unit").findLast((fact) => fact.unit === unit)?.active;

test("a script is kept in the workspace and run by bash, in a unit of its own", () => {
  const cluster = booted({ cloudConfig: SCRIPT });
  const [process, ...more] = started(cluster, "coreos-cloudinit-");
  expect(more).toEqual([]);
  const [program, path = ""] = process?.argv ?? [];
  expect(program).toBe("/bin/bash");
  expect(path).toMatch(/^\/var\/lib\/coreos-cloudinit\/scripts\/[0-9]{9}$/);
  const { files } = cluster.host(0);
  expect(files.get(path)).toBe("#!/bin/bash\necho 10.0.0.10 > /etc/greeting\n");
  expect(files.get("/var/lib/coreos-cloudinit/scripts/unit-name")).toBe(process?.unit);
  expect(process?.unit).toBe(`coreos-cloudinit-${path.slice(-9)}.service`);
});

// Would have caught a coreos-cloudinit that waits for its script, or takes its exit status for its own.
test("coreos-cloudinit is done when the script has begun, and the script fails alone", () => {
  const cluster = booted({ cloudConfig: SCRIPT });
  expect(results(cluster)).toEqual(["applied"]);
  const [process] = started(cluster, "coreos-cloudinit-");
  const unit = process?.unit ?? "";
  expect(stateOf(cluster, unit)).toBe("active");
  expect(stateOf(cluster, "user-cloudinit.service")).toBe("active");
  cluster.tell(0, { kind: "process-exited", pid: process?.pid ?? 0, code: 3, signal: null });
  expect(stateOf(cluster, unit)).toBe("failed");
  expect(stateOf(cluster, "user-cloudinit.service")).toBe("active");
  expect(cluster.isActive(0, "multi-user.target")).toBe(true);
});

test("a script that ends well leaves an inactive unit", () => {
  const cluster = booted({ cloudConfig: SCRIPT });
  const [process] = started(cluster, "coreos-cloudinit-");
  cluster.tell(0, { kind: "process-exited", pid: process?.pid ?? 0, code: 0, signal: null });
  expect(stateOf(cluster, process?.unit ?? "")).toBe("inactive");
});

test("a script runs again at every boot, in another unit, and the first file stays", () => {
  const cluster = booted({ cloudConfig: SCRIPT });
  cluster.tell(0, { kind: "operator", action: "reboot" }).run(20);
  const [first, second] = started(cluster, "coreos-cloudinit-");
  expect(second?.unit).toMatch(/^coreos-cloudinit-[0-9]{9}\.service$/);
  expect(second?.unit).not.toBe(first?.unit);
  expect(cluster.host(0).files.has(first?.argv[1] ?? "")).toBe(true);
  expect(cluster.host(0).systemd.units.has(first?.unit ?? "")).toBe(false);
});

test("the host's addresses are written down whatever the user data is, but for none and Ignition's", () => {
  const environment = (cloudConfig: string): string | undefined =>
    booted({ cloudConfig }).host(0).files.get("/etc/environment");
  const written = "COREOS_PUBLIC_IPV4=10.0.0.10\nCOREOS_PRIVATE_IPV4=10.0.0.10\n";
  expect(environment(SCRIPT)).toBe(written);
  expect(environment("#cloud-config\ncoreos: [\n")).toBe(written);
  expect(environment("hello\n")).toBe(written);
  expect(environment("")).toBeUndefined();
  expect(environment('{"ignition":{"version":"2.0.0"}}')).toBeUndefined();
});

test("what is neither a script nor a cloud-config fails, and Ignition's config does not", () => {
  expect(results(booted({ cloudConfig: "hello\n" }))).toEqual([
    "failed Unrecognized user-data format",
  ]);
  expect(results(booted({ cloudConfig: '{"ignition":{"version":"2.0.0"}}' }))).toEqual(["applied"]);
});

const writes = (text: string) =>
  `#cloud-config\nwrite_files:\n  - { path: /etc/whose, content: ${text} }\n`;

test("the OEM's config comes first, and the user has the last word", () => {
  const cluster = booted({ oemConfig: writes("oem"), cloudConfig: writes("user") });
  expect(results(cluster)).toEqual(["applied OEM", "applied"]);
  expect(cluster.host(0).files.get("/etc/whose")).toBe("user");
});

test("an OEM's config that fails does not keep the user's from being applied", () => {
  const cluster = booted({ oemConfig: "#cloud-config\n[", cloudConfig: writes("user") });
  const [oem = "", user] = results(cluster);
  expect(oem).toMatch(/^failed OEM: /);
  expect(user).toBe("applied");
  expect(cluster.host(0).files.get("/etc/whose")).toBe("user");
});

test("an OEM may give a script, which runs beside the user's", () => {
  const cluster = booted({ oemConfig: SCRIPT, cloudConfig: SCRIPT });
  expect(started(cluster, "coreos-cloudinit-")).toHaveLength(2);
});
