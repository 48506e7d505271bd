import { expect, test } from "vitest";
import { scenarioFromJson } from "./from-json.js";
import { nodeName } from "./scenario.js";
import { problemsOf, SMALL, scenarioOf } from "./testing.js";

const withClients = (...groups: string[]) =>
  `${SMALL}clients:\n${groups.map((group) => `  - {${group}}\n`).join("")}`;

test("clients get nodes after the services, members by turns or all, and a log's header brings them back", () => {
  const scenario = scenarioOf(
    withClients(
      "group: app, count: 2",
      "group: pinned, count: 4, members: one, mix: {put: 3, get: 1}",
      "group: recorder, watch: {from: record}",
    ),
  );
  expect(scenario.clients.map(({ node }) => nodeName(scenario, node))).toEqual([
    "app-1",
    "app-2",
    "pinned-1",
    "pinned-2",
    "pinned-3",
    "pinned-4",
    "recorder",
  ]);
  expect(scenario.clients.map(({ members }) => members)).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0],
    [1],
    [2],
    [0],
    [0, 1, 2],
  ]);
  expect(scenario.clients[2]?.does).toMatchObject({ mix: { put: 3, get: 1, delete: 0 } });
  expect(scenarioFromJson(JSON.parse(JSON.stringify(scenario)), "log")).toMatchObject({
    ok: true,
    value: scenario,
  });
});

test("a client may be cut off by name, and an isolated host is cut off from clients", () => {
  const text = withClients("group: app").replace(
    "isolate: core-1}",
    "isolate: core-1}\n    - {at: 2m, for: 1s, kind: partition, between: [[core-1], [app]]}",
  );
  const { faults, clients } = scenarioOf(text);
  const [app] = clients;
  if (faults.kind !== "plan" || app === undefined) throw new Error("no plan");
  const cuts = faults.plan.faults.filter((fault) => fault.kind === "partition");
  expect(cuts.every(({ to }) => to.includes(app.node))).toBe(true);
});

const WRONG: readonly [string, string, string][] = [
  ["a name a host has", "group: spare", "E_SCENARIO_DUPLICATE"],
  [
    "requests and watches at once",
    "group: app, mix: etcd, watch: {from: list}",
    "E_SCENARIO_DUPLICATE",
  ],
  ["a mix of nothing", "group: app, mix: {put: 0}", "E_SCENARIO_VALUE"],
  ["an operation that is none", "group: app, mix: {puts: 1}", "E_SCENARIO_UNKNOWN_KEY"],
  ["clients after the run", "group: app, until: 11m", "E_SCENARIO_VALUE"],
  ["a host that is not there", "group: app, members: [core-9]", "E_SCENARIO_REFERENCE"],
];

test.each(WRONG)("%s is refused", (_, group, code) => {
  expect(problemsOf(withClients(group)).map((problem) => problem.code)).toEqual([code]);
});
