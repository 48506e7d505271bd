import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linkBetween, loadScenario, nodeName, parseScenario, scenarioFromJson } from "./index.js";
import { DURATION_MAX } from "./quantity.js";
import { counterfactual, variantOf } from "./scenario.js";
import { problemsOf, SMALL, scenarioOf } from "./testing.js";

const SCENARIOS = new URL("../../scenarios/", import.meta.url).pathname;

test("hosts get dense indexes, zones round robin, addresses and machine ids of their own", () => {
  const { hosts, zones } = scenarioOf(SMALL);
  expect(hosts.map((host) => host.name)).toEqual(["core-1", "core-2", "core-3", "spare"]);
  expect(hosts.map((host) => host.index)).toEqual([0, 1, 2, 3]);
  expect(hosts.map((host) => zones[host.zone])).toEqual(["a", "b", "a", "c"]);
  expect(hosts.map((host) => host.member)).toEqual([true, true, true, false]);
  expect(new Set(hosts.map((host) => host.machineId)).size).toBe(4);
  expect(hosts[0]?.machineId).toMatch(/^[0-9a-f]{32}$/);
});

test("a host keeps its machine id when others are added (else one more host reshuffles a run)", () => {
  const more = scenarioOf(
    SMALL.replace(
      "hosts:\n",
      "hosts:\n  - {group: x, count: 2, member: false, os: {version: 1.0.0}}\n",
    ),
  );
  const id = scenarioOf(SMALL).hosts[0]?.machineId;
  expect(more.hosts.find((host) => host.name === "core-1")?.machineId).toBe(id);
});

test("a group's addresses count up from its first, over byte boundaries", () => {
  const { hosts } = scenarioOf(SMALL.replace("count: 3", "count: 3\n    address: 10.0.0.254"));
  expect(hosts.slice(0, 3).map((host) => host.address)).toEqual([
    "10.0.0.254",
    "10.0.0.255",
    "10.0.1.0",
  ]);
});

test("services are nodes behind the hosts", () => {
  const scenario = scenarioOf(SMALL);
  expect(scenario.discovery).toMatchObject({ node: 4, token: "00112233445566778899aabbccddeeff" });
  expect(scenario.update?.node).toBe(5);
  expect([0, 3, 4, 5].map((node) => nodeName(scenario, node))).toEqual([
    "core-1",
    "spare",
    "discovery",
    "update",
  ]);
});

test("links are found by the zones of their ends, in both directions", () => {
  const scenario = scenarioOf(SMALL);
  expect(linkBetween(scenario, 0, 2).latency).toEqual({ low: 200, high: 400 });
  expect(linkBetween(scenario, 0, 1)).toMatchObject({ latency: { low: 5_000 }, lossPpm: 10_000 });
  expect(linkBetween(scenario, 1, 0)).toEqual(linkBetween(scenario, 0, 1));
  expect(linkBetween(scenario, 0, 3)).toEqual(scenario.network.betweenZones);
  expect(linkBetween(scenario, 0, 4)).toEqual(scenario.network.services);
});

test("the timeline is in order of time, units written out, hosts as indexes", () => {
  const { timeline } = scenarioOf(SMALL);
  expect(timeline).toEqual([
    {
      at: 60_000_000,
      action: { kind: "fleet-start", units: ["web@1.service", "web@2.service"], via: null },
    },
    { at: 180_000_000, action: { kind: "publish", channel: "stable", version: "1010.0.0" } },
  ]);
});

test("isolating a host cuts it off from every other node, services included", () => {
  const { faults } = scenarioOf(SMALL);
  if (faults.kind !== "plan") throw new Error("not a plan");
  expect(faults.plan.faults).toMatchObject([
    { id: 1, kind: "crash", host: 1, at: 60_000_000, loseUnsyncedPpm: 1_000_000 },
    { id: 0, kind: "partition", from: [0], to: [1, 2, 3, 4, 5], oneWay: false },
  ]);
});

test("hosts are named by name, group, zone, glob or all at once", () => {
  const hosts = (written: string): unknown =>
    scenarioOf(
      `${SMALL.replace("expect:", `  - {at: 5m, do: reboot, hosts: ${written}}\nexpect:`).replace(
        /faults:[\s\S]*?( {2}- \{at: 5m)/,
        "$1",
      )}`,
    ).timeline.at(-1)?.action;
  expect(hosts("core-2")).toMatchObject({ hosts: [1] });
  expect(hosts("[core, core-1]")).toMatchObject({ hosts: [0, 1, 2] });
  expect(hosts("zone:a")).toMatchObject({ hosts: [0, 2] });
  expect(hosts("'*-3'")).toMatchObject({ hosts: [2] });
  expect(hosts("'*'")).toMatchObject({ hosts: [0, 1, 2, 3] });
});

test("several problems are reported at once, each where it is", () => {
  const text = SMALL.replace("duration:", "duraton:")
    .replace("count: 3", "count: three")
    .replace("do: publish", "do: publsh");
  expect(
    problemsOf(text).map(({ code, position }) => `${position.line}:${position.column} ${code}`),
  ).toEqual([
    "1:1 E_SCENARIO_MISSING_KEY",
    "3:1 E_SCENARIO_UNKNOWN_KEY",
    "7:12 E_SCENARIO_VALUE",
    "25:18 E_SCENARIO_VALUE",
  ]);
});

test.each([
  ["an unknown key", "duration:", "duraton:", "E_SCENARIO_UNKNOWN_KEY", 'Did you mean "duration"?'],
  ["a negative duration", "duration: 10m", "duration: -10m", "E_SCENARIO_VALUE", "not negative"],
  ["a bare number", "duration: 10m", "duration: 600", "E_SCENARIO_VALUE", "600s"],
  ["a version that YAML takes for a number", "1010.0.0", "1010.1", "E_SCENARIO_TYPE", '"1010.1"'],
  ["an unknown host", "host: core-2", "host: cor-2", "E_SCENARIO_REFERENCE", '"core-2"'],
  ["an unknown group", "isolate: core-1", "isolate: cores", "E_SCENARIO_REFERENCE", '"core"'],
  [
    "an unknown unit",
    '"web@{1..2}.service"',
    "wep@1.service",
    "E_SCENARIO_REFERENCE",
    "web@.service",
  ],
  ["a template", '"web@{1..2}.service"', "web@.service", "E_SCENARIO_VALUE", "web@1.service"],
  ["an unknown zone", "between: [b, a]", "between: [b, d]", "E_SCENARIO_REFERENCE", "Correct"],
  [
    "an unknown release",
    "publish, version: 1010",
    "publish, version: 1011",
    "E_SCENARIO_REFERENCE",
    '"1010.0.0"',
  ],
  ["a second host of a name", "name: spare", "name: core-1", "E_SCENARIO_DUPLICATE", "Rename"],
  ["a second key", "name: small", "name: small\nname: large", "E_SCENARIO_DUPLICATE", "one"],
  ["a moment after the end", "at: 3m", "at: 30m", "E_SCENARIO_VALUE", "earlier"],
  ["a fault after the end", "at: 2m", "at: 20m", "E_SCENARIO_VALUE", "earlier"],
  [
    "two sides in common",
    "isolate: core-1",
    "between: [[core], [core-2]]",
    "E_SCENARIO_VALUE",
    "out of one",
  ],
  ["no sides", ", isolate: core-1", "", "E_SCENARIO_MISSING_KEY", "isolate"],
  ["nothing to look at", "leader: exactly-one, ", "", "E_SCENARIO_MISSING_KEY", "one expectation"],
  ["two moments", "by: 1m", "by: 1m, at: 2m", "E_SCENARIO_VALUE", "Keep one"],
  ["a count that means nothing", "by: 1m", "count: 3", "E_SCENARIO_UNKNOWN_KEY", ""],
  ["a tab", "count: 3", "count: 3\n\tzones: b", "E_YAML_SYNTAX", ""],
  [
    "an unknown bug",
    "expect:",
    "bugs: [raft-vote-not-persited]\nexpect:",
    "E_SCENARIO_VALUE",
    "raft-vote-not-persisted",
  ],
  [
    "an unknown safeguard",
    "expect:",
    "safeguards: {quorumgate: true}\nexpect:",
    "E_SCENARIO_UNKNOWN_KEY",
    "quorum_gate",
  ],
  ["a plan and a budget", "faults:", "faults:\n  budget: {}", "E_SCENARIO_DUPLICATE", "own plan"],
] as const)("%s is refused with what to do", (_, from, to, code, advice) => {
  const text = SMALL.replace(from, to);
  expect(text).not.toBe(SMALL);
  const problems = problemsOf(text);
  expect(problems.map((problem) => problem.code)).toContain(code);
  const problem = problems.find((each) => each.code === code);
  expect(problem?.advice).toContain(advice);
  expect(problem?.position.line).toBeGreaterThan(0);
});

test("pre_vote is said once: under etcd or among the safeguards", () => {
  expect(scenarioOf(`${SMALL}etcd: {pre_vote: true}\n`).safeguards.preVote).toBe(true);
  expect(scenarioOf(`${SMALL}safeguards: {pre_vote: true}\n`).safeguards.preVote).toBe(true);
  const both = problemsOf(`${SMALL}etcd: {pre_vote: true}\nsafeguards: {pre_vote: false}\n`);
  expect(both).toMatchObject([{ code: "E_SCENARIO_DUPLICATE" }]);
});

test("members elect as their version does, unless the scenario says how", () => {
  const settings = (more: string) => {
    const { preVote, checkQuorum } = scenarioOf(SMALL + more).safeguards;
    return { preVote, checkQuorum };
  };
  expect(settings('etcd: {version: "2.3"}\n')).toEqual({ preVote: false, checkQuorum: false });
  expect(settings('etcd: {version: "3.4.23"}\n')).toEqual({ preVote: false, checkQuorum: true });
  expect(settings('etcd: {version: "3.5"}\n')).toEqual({ preVote: true, checkQuorum: true });
  const otherwise = 'etcd: {version: "3.5", check_quorum: false}\nsafeguards: {pre_vote: false}\n';
  expect(settings(otherwise)).toEqual({ preVote: false, checkQuorum: false });
  const both = `${SMALL}etcd: {check_quorum: true}\nsafeguards: {check_quorum: false}\n`;
  expect(problemsOf(both)).toMatchObject([{ code: "E_SCENARIO_DUPLICATE" }]);
});

test("a variant is the same run under other safeguards, with expectations of its own", () => {
  const scenario = scenarioOf(`${SMALL}variants:
  careful: {safeguards: {pre_vote: true}, expect: [{quorum: held, during: 2m..}]}
`);
  const careful = variantOf(scenario, "careful");
  expect(careful).toMatchObject({ safeguards: { preVote: true }, expect: [{ kind: "quorum" }] });
  expect({ ...careful, safeguards: null, expect: null, variants: null }).toEqual({
    ...scenario,
    safeguards: null,
    expect: null,
    variants: null,
  });
  expect(variantOf(scenario, "careless")).toBeNull();
  expect(variantOf(scenario, "constructor")).toBeNull();
  expect(problemsOf(`${SMALL}variants: {a: {expect: []}}\n`)).toMatchObject([
    { code: "E_SCENARIO_MISSING_KEY", position: { line: expect.any(Number) } },
  ]);
});

test.each([
  ["terms without an interval", "{terms: ..3, at: 5m}", "E_SCENARIO_MISSING_KEY", "during"],
  ["an interval of no length", "{led: 90%.., during: 5m..5m}", "E_SCENARIO_VALUE", "longer"],
  ["an outage nobody measures", "{outage: ..5s, during: 1m..}", "E_SCENARIO_REFERENCE", "a probe"],
  ["a share beyond all", "{led: 90%..120%, during: 1m..}", "E_SCENARIO_VALUE", "a share"],
  ["a leader without a host", "{leader: core-9, at: 5m}", "E_SCENARIO_REFERENCE", "exactly-one"],
  ["an outage that is a count", "{outage: 5, during: 1m..}", "E_SCENARIO_VALUE", "a duration"],
] as const)("%s is refused, with what to write", (_, line, code, expected) => {
  const problems = problemsOf(SMALL.replace("expect:\n", `expect:\n  - ${line}\n`));
  expect(problems).toMatchObject([{ code, expected: expect.stringContaining(expected) }]);
});

test("either end of what is measured may be open", () => {
  const [most, least, share] = scenarioOf(
    `${SMALL.replace("expect:\n", "expect:\n  - {outage: ..5s, during: 1m..}\n  - {outage: 5s.., during: 1m..}\n  - {led: 1%.., during: 1m..2m}\n")}probe: {every: 1s}\n`,
  ).expect;
  expect(most).toMatchObject({ kind: "outage", value: { low: 0, high: 5_000_000 } });
  expect(least).toMatchObject({ kind: "outage", value: { low: 5_000_000, high: DURATION_MAX } });
  expect(share).toMatchObject({ kind: "led", value: { low: 10_000, high: 1_000_000 } });
});

test("files are included from the scenario's folder only", () => {
  const text = SMALL.replace(
    "name: spare",
    "name: spare\n    cloud_config_file: config/spare.yaml",
  );
  const file = "#cloud-config\nhostname: spare\n";
  expect(scenarioOf(text, { "config/spare.yaml": file }).hosts[3]?.cloudConfig).toBe(file);
  expect(problemsOf(text)).toMatchObject([{ code: "E_FILE_UNREADABLE", position: { line: 11 } }]);
  for (const path of ["/etc/passwd", "../x", "a/../../x", "C:/x", "a\\b", "."]) {
    const problems = problemsOf(text.replace("config/spare.yaml", `'${path}'`));
    expect(problems, path).toMatchObject([{ code: "E_SCENARIO_VALUE" }]);
  }
});

test("a cloud-config that cannot be applied is refused at its own line of the scenario", () => {
  const bad = "name: spare\n    cloud_config: |\n      #cloud-config\n      coreos: {\n";
  const [problem] = problemsOf(SMALL.replace("name: spare\n", bad));
  expect(problem).toMatchObject({ code: "E_YAML_SYNTAX", severity: "error" });
  expect(problem?.position.line).toBeGreaterThanOrEqual(13);
  expect(problem?.position.line).toBeLessThanOrEqual(15);
});

test("a script as user data is taken, and a first line that is not heeded a warning", () => {
  const script = (first: string): string =>
    SMALL.replace(
      "name: spare\n",
      `name: spare\n    oem_config: "#cloud-config\\n"\n    cloud_config: |\n      ${first}\n      [ -e /x ] && {\n`,
    );
  expect(scenarioOf(script("#!/bin/bash")).hosts[3]).toMatchObject({
    cloudConfig: "#!/bin/bash\n[ -e /x ] && {\n",
    oemConfig: "#cloud-config\n",
  });
  expect(parseScenario(script("#!/usr/bin/perl"), { file: "t" })).toMatchObject({
    ok: true,
    warnings: [{ code: "E_CLOUD_CONFIG", position: { line: 13 } }],
  });
});

test("what the cloud-config validator finds is a warning at its own line", () => {
  const odd =
    "name: spare\n    cloud_config: |\n      #cloud-config\n      coreos:\n        etcd3: {}\n";
  const parsed = parseScenario(SMALL.replace("name: spare\n", odd), { file: "t" });
  expect(parsed).toMatchObject({
    ok: true,
    warnings: [{ code: "E_CLOUD_CONFIG", severity: "warning", position: { line: 14 } }],
  });
});

test("a cloud-config with another discovery token than the service's is pointed out", () => {
  const url = "https://discovery.etcd.io/ffffffffffffffffffffffffffffffff";
  const text = `name: spare\n    cloud_config: "#cloud-config\\ncoreos: {etcd2: {discovery: '${url}'}}"`;
  const parsed = parseScenario(SMALL.replace("name: spare", text), { file: "t" });
  expect(parsed).toMatchObject({ ok: true, warnings: [{ code: "E_SCENARIO_REFERENCE" }] });
});

test("empty, binary and overlong inputs are refused for what they are", () => {
  for (const text of ["", "  \n", "# only a comment\n", "---\n", "null"]) {
    expect(problemsOf(text), JSON.stringify(text)).toMatchObject([{ code: "E_SCENARIO_EMPTY" }]);
  }
  expect(problemsOf("orrery: 1\0")).toMatchObject([
    { code: "E_FILE_NOT_TEXT", position: { line: 1, column: 10 } },
  ]);
  expect(problemsOf("a".repeat(1024 * 1024 + 1))).toMatchObject([{ code: "E_FILE_TOO_LARGE" }]);
  expect(problemsOf("just a text")).toMatchObject([{ code: "E_SCENARIO_TYPE" }]);
  expect(problemsOf("a: 1\n---\nb: 2")).toMatchObject([{ code: "E_YAML_SYNTAX" }]);
});

test("aliases expand within bounds, and a cycle of them ends", () => {
  let bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 12; i++) {
    bomb += `a${i}: &a${i} [${Array(10)
      .fill(`*a${i - 1}`)
      .join(", ")}]\n`;
  }
  expect(problemsOf(bomb)).toMatchObject([{ code: "E_YAML_ALIASES" }]);
  expect(problemsOf("a: &a [*a]")).toHaveLength(1);
  expect(problemsOf("a: *b")).toHaveLength(1);
  const shared = SMALL.replace("os: {version: 1000.0.0}", "os: &os {version: 1000.0.0}").replace(
    "present: false\n    os: {version: 1000.0.0}",
    "present: false\n    os: *os",
  );
  expect(scenarioOf(shared)).toEqual(scenarioOf(SMALL));
});

test("a problem behind an alias is reported where it was written", () => {
  const text = SMALL.replace("os: {version: 1000.0.0}", "os: &os {versoin: 1000.0.0}").replace(
    "present: false\n    os: {version: 1000.0.0}",
    "present: false\n    os: *os",
  );
  const unknown = problemsOf(text).filter((problem) => problem.code === "E_SCENARIO_UNKNOWN_KEY");
  expect(unknown.map((problem) => problem.position.line)).toEqual([9, 9]);
});

test("nesting without end is refused, quickly", () => {
  for (const text of [
    "[".repeat(100_000),
    "{a: ".repeat(50_000),
    "- ".repeat(50_000),
    `${"[".repeat(500)}${"]".repeat(500)}`,
  ]) {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every((problem) => problem.code === "E_YAML_SYNTAX")).toBe(true);
  }
});

test("a key that objects are born with is a key like any other", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    expect(problemsOf(`${SMALL}${key}: {}\n`), key).toMatchObject([
      { code: "E_SCENARIO_UNKNOWN_KEY" },
    ]);
    expect(problemsOf(SMALL.replace("web@.service:", `${key}:`)).length, key).toBeGreaterThan(0);
  }
});

test("every scenario that comes with Orrery is valid, without warnings", () => {
  const files = readdirSync(SCENARIOS).filter((file) => file.endsWith(".yaml"));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) {
    const parsed = loadScenario(join(SCENARIOS, file));
    if (!parsed.ok) throw new Error(`${file}: ${JSON.stringify(parsed.diagnostics)}`);
    expect(parsed.warnings, file).toEqual([]);
    expect(`${parsed.value.name}.yaml`).toBe(file);
  }
});

test("an incident says where it comes from, what is ours, and what would have helped", () => {
  for (const file of readdirSync(SCENARIOS).filter((name) => /^(etcd|coreos)-\d/.test(name))) {
    const parsed = loadScenario(join(SCENARIOS, file));
    if (!parsed.ok) throw new Error(file);
    const { source, assumptions, expect: expectations } = parsed.value;
    expect(source.every(({ facts }) => facts.length > 0) && source.length > 0, file).toBe(true);
    expect(assumptions.length, file).toBeGreaterThan(0);
    expect(expectations.length, file).toBeGreaterThan(0);
    const other = counterfactual(parsed.value);
    expect(other?.safeguards, file).not.toEqual(parsed.value.safeguards);
    expect(other?.expect.length, file).toBeGreaterThan(0);
  }
});

test("a resolved scenario survives JSON, which is how logs carry it", () => {
  const texts = readdirSync(SCENARIOS).map((file) => loadScenario(join(SCENARIOS, file)));
  const scenarios = [scenarioOf(SMALL), ...texts.flatMap((each) => (each.ok ? [each.value] : []))];
  for (const scenario of scenarios) {
    const json: unknown = JSON.parse(JSON.stringify(scenario));
    expect(scenarioFromJson(json, "run.orlog")).toEqual({
      ok: true,
      value: scenario,
      warnings: [],
    });
  }
});

test("JSON that no scenario resolves to is refused", () => {
  const good = JSON.stringify(scenarioOf(SMALL));
  for (const [from, to] of [
    ['"orrery":1', '"orrery":2'],
    ['"index":1', '"index":7'],
    ['"node":4', '"node":1'],
    ['"from":[0]', '"from":[9]'],
    ['"duration":600000000', '"duration":-1'],
    ['"preVote":false', '"preVote":0'],
    ['"bugs":[]', '"bugs":["x"]'],
    ['"zones":["a","b","c"]', '"zones":[]'],
  ] as const) {
    const text = good.replace(from, to);
    expect(text, from).not.toBe(good);
    expect(scenarioFromJson(JSON.parse(text), "x"), to).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_LOG_HEADER" }],
    });
  }
  for (const value of [null, 3, "x", [], {}]) expect(scenarioFromJson(value, "x").ok).toBe(false);
});

test("files are loaded from disk, and nothing outside the folder through a link", () => {
  const folder = mkdtempSync(join(tmpdir(), "orrery-scenario-"));
  try {
    const path = join(folder, "in", "small.yaml");
    mkdirSync(join(folder, "in"));
    writeFileSync(
      path,
      SMALL.replace("name: spare", "name: spare\n    cloud_config_file: spare.yaml"),
    );
    writeFileSync(join(folder, "in", "spare.yaml"), "#cloud-config\n");
    expect(loadScenario(path).ok).toBe(true);
    rmSync(join(folder, "in", "spare.yaml"));
    writeFileSync(join(folder, "secret"), "#cloud-config\n");
    symlinkSync(join(folder, "secret"), join(folder, "in", "spare.yaml"));
    expect(loadScenario(path)).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_FILE_UNREADABLE", found: expect.stringContaining("link out of") }],
    });
    expect(loadScenario(join(folder, "none.yaml"))).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_FILE_UNREADABLE", found: "there is no such file" }],
    });
    expect(loadScenario(folder)).toMatchObject({ ok: false });
    writeFileSync(path, new Uint8Array(3 * 1024 * 1024));
    expect(loadScenario(path)).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_FILE_TOO_LARGE" }],
    });
    writeFileSync(path, Uint8Array.of(0x6f, 0x0a, 0x6f, 0xc3, 0x28));
    expect(loadScenario(path)).toMatchObject({
      ok: false,
      diagnostics: [{ code: "E_FILE_NOT_TEXT", position: { line: 2, column: 2 } }],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
