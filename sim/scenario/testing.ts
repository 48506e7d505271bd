import type { Diagnostic } from "../../core/kernel/index.js";
import { parseScenario } from "./parse.js";
import type { Scenario } from "./scenario.js";

/** A small scenario with one of nearly everything, for tests. */
export const SMALL = `orrery: 1
name: small
duration: 10m
discovery: {url: "https://discovery.etcd.io/00112233445566778899aabbccddeeff", size: 3}
hosts:
  - group: core
    count: 3
    zones: [a, b]
    os: {version: 1000.0.0}
  - name: spare
    zones: c
    present: false
    os: {version: 1000.0.0}
releases:
  - {version: 1010.0.0, size: 300MB, defects: [{kind: panic-on-boot}]}
update: {version: 1000.0.0}
network:
  default: {latency: 200us..400us}
  links: [{between: [b, a], latency: 5ms, loss: 1%}]
units:
  web@.service: |
    [Service]
    ExecStart=/opt/bin/web %i
timeline:
  - {at: 3m, do: publish, version: 1010.0.0}
  - {at: 1m, do: fleet-start, units: ["web@{1..2}.service"]}
faults:
  plan:
    - {at: 2m, for: 40s, kind: partition, isolate: core-1}
    - {at: 1m, for: 10s, kind: crash, host: core-2}
expect:
  - {leader: exactly-one, by: 1m}
`;

/** The scenario of a text that has no problems. */
export function scenarioOf(text: string, files: Readonly<Record<string, string>> = {}): Scenario {
  const parsed = parseScenario(text, { file: "test.yaml", readFile: folder(files) });
  if (parsed.ok) return parsed.value;
  throw new Error(
    parsed.diagnostics.map((d) => `${d.position.line}: ${d.code} ${d.found}`).join("\n"),
  );
}

/** The problems of a text. */
export function problemsOf(
  text: string,
  files: Readonly<Record<string, string>> = {},
): readonly Diagnostic[] {
  const parsed = parseScenario(text, { file: "test.yaml", readFile: folder(files) });
  return parsed.ok ? [] : parsed.diagnostics;
}

function folder(files: Readonly<Record<string, string>>) {
  return (path: string) => {
    const text = files[path];
    if (text === undefined) return { ok: false as const, reason: "there is no such file" };
    return { ok: true as const, bytes: new TextEncoder().encode(text) };
  };
}
