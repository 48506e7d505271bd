import { expect, test } from "vitest";
import { variantOf } from "./index.js";
import { problemsOf, SMALL, scenarioOf } from "./testing.js";

const CONTAINERS = `${SMALL}containers:
  images:
    web: { layers: [{ id: base, size: 100MB }, 20MB], exits: { after: 1m, code: 3 } }
    "api:2": { layers: [{ id: base, size: 100MB }], stop_takes: never, present: true }
`;

/** Code and words of each problem. */
const problems = (text: string) => problemsOf(text).map(({ code, found }) => `${code} ${found}`);

test("images have tags, layers that are shared and layers of their own", () => {
  const { containers } = scenarioOf(CONTAINERS);
  expect(containers?.images.map(({ name, layers }) => [name, layers.map(({ id }) => id)])).toEqual([
    ["web:latest", ["base", "web:latest#2"]],
    ["api:2", ["base"]],
  ]);
  expect(
    containers?.images.map(({ exits, stopTakes, present }) => [exits, stopTakes, present]),
  ).toEqual([
    [
      { after: { low: 60_000_000, high: 60_000_000 }, code: 3 },
      { low: 200_000, high: 200_000 },
      false,
    ],
    [null, null, true],
  ]);
  expect(scenarioOf(SMALL)).not.toHaveProperty("containers");
});

test("a layer has one size, an image one entry", () => {
  const other = CONTAINERS.replace("100MB }], stop", "90MB }], stop");
  expect(problems(other)).toEqual(["E_SCENARIO_VALUE layer base of 90000000 bytes"]);
  const twice = CONTAINERS.replace('"api:2"', '"web:latest"');
  expect(problems(twice)).toEqual(["E_SCENARIO_DUPLICATE the image web:latest a second time"]);
});

test("users need engines, errors need users, and an outage of the registry a registry", () => {
  expect(problems(`${SMALL}users: { through: core }\n`)).toEqual([
    "E_SCENARIO_REFERENCE users and no containers",
  ]);
  expect(
    problems(`${SMALL.replace("expect:", "expect:\n  - { errors: 0, during: 1m..2m }")}`),
  ).toEqual(["E_SCENARIO_REFERENCE errors and nobody who asks"]);
  const down = "plan:\n    - {at: 3m, for: 1m, kind: registry-down}";
  expect(problems(SMALL.replace("plan:", down))).toEqual([
    "E_SCENARIO_REFERENCE no `containers` in the scenario",
  ]);
  expect(problems(CONTAINERS.replace("plan:", down))).toEqual([]);
});

test("a variant may have other units of the same names, and another docker", () => {
  const text = `${CONTAINERS}variants:
  other:
    units: { web@.service: "[Service]\\nExecStart=/opt/bin/other\\n" }
    containers: { docker: "1.9", live_restore: true }
    expect: []
`;
  const other = variantOf(scenarioOf(text), "other");
  expect(other?.units).toEqual([
    { name: "web@.service", text: "[Service]\nExecStart=/opt/bin/other\n" },
  ]);
  expect(other?.containers?.docker).toMatchObject({ version: "1.9", liveRestore: true });
  expect(other?.containers?.images).toHaveLength(2);
  expect(problems(text.replace("units: { web@", "units: { api@"))).toEqual([
    "E_SCENARIO_REFERENCE unit api@.service",
  ]);
  expect(problems(text.replace(CONTAINERS, SMALL))).toEqual([
    "E_SCENARIO_REFERENCE containers of a variant",
  ]);
});
