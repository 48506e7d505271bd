import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scenarioFromJson } from "./from-json.js";
import { loadScenario } from "./load.js";

const SCENARIOS = readdirSync("scenarios", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => join("scenarios", name));

test.each(SCENARIOS)("%s comes back whole from the header of a log", (file) => {
  const loaded = loadScenario(file);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
  const written: unknown = JSON.parse(JSON.stringify(loaded.value));
  const back = scenarioFromJson(written, "run.orlog");
  expect(back.ok && JSON.parse(JSON.stringify(back.value))).toEqual(written);
});
