import { expect, test } from "vitest";
import { judge, parseScenario, type Scenario } from "../index.js";

/** Hosts that each pull 100 MB in two layers, and the rest of a scenario. */
function scenario(hosts: number, registry: string, host: string, rest: string): Scenario {
  const parsed = parseScenario(
    `orrery: 1
name: pulls
duration: 1m
hosts:
  - group: n
    count: ${hosts}
    boot: 1s
    os: { version: 1.0.0 }
    cloud_config: |
      #cloud-config
      coreos:
        units:
          - name: pull.service
            command: start
            content: |
              [Service]
              ExecStart=/usr/bin/docker pull app
containers:
  daemon_start: 1s
  registry: { bandwidth: ${registry} }
  host_bandwidth: ${host}
  images: { app: { layers: [50MB, 50MB] } }
${rest}`,
    { file: "pulls.yaml" },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.value;
}

/** What a run of seed 1 breaks. */
function broken(of: Scenario): readonly string[] {
  return judge({ scenario: of, seed: 1 }).broken;
}

// The daemon serves 1 s after it was asked for, 2 s after power is on.
test("a host that is alone gets all that it can take", () => {
  const rest = `expect:
  - { facts: image.pulled, count: 0, during: 0..11s }
  - { facts: image.pulled, count: 1, during: 11s..13s }`;
  expect(broken(scenario(1, "100MB/s", "10MB/s", rest))).toEqual([]);
});

test("what the registry sends is shared among all who ask", () => {
  const rest = `expect:
  - { facts: image.pulled, count: 0, during: 0..41s }
  - { facts: image.pulled, count: 4, during: 41s..43s }`;
  expect(broken(scenario(4, "10MB/s", "100MB/s", rest))).toEqual([]);
});

test("a link that is cut stands still until it is mended", () => {
  const rest = `faults: { plan: [{ at: 5s, for: 20s, kind: partition, between: [n, registry] }] }
expect:
  - { facts: image.pulled, count: 0, during: 0..31s }
  - { facts: image.pulled, count: 1, during: 31s..34s }`;
  expect(broken(scenario(1, "100MB/s", "10MB/s", rest))).toEqual([]);
});

test("a registry that is out breaks what is under way; docker tries the layers again", () => {
  const rest = `faults: { plan: [{ at: 5s, for: 1s, kind: registry-down }] }
expect:
  - { facts: image.pulled, count: 0, during: 0..19s }
  - { facts: image.pulled, count: 1, during: 19s..22s }
  - { facts: image.pull-failed, count: 0, during: 0..1m }`;
  expect(broken(scenario(1, "100MB/s", "10MB/s", rest))).toEqual([]);
});
