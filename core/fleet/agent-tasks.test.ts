import { expect, test } from "vitest";
import { type AgentUnit, agentTasks, desiredUnits } from "./agent-tasks.js";

function unit(name: string, rest: Partial<AgentUnit> = {}, conflicts: string[] = []): AgentUnit {
  const requirements = {
    requiredTarget: null,
    metadata: [],
    peers: [],
    conflicts,
    replaces: [],
    global: false,
  };
  return { name, requirements, hash: "h", targetState: "launched", machine: "A", ...rest };
}

const MACHINE = { id: "A", metadata: {} };

test("of two units that conflict an agent keeps the alphabetically earlier", () => {
  const units = [unit("b", {}, ["a"]), unit("a"), unit("c")];
  expect(desiredUnits(MACHINE, units).map(({ name }) => name)).toEqual(["a", "c"]);
});

test("a machine whose object is missing wants nothing that is scheduled to it", () => {
  expect(desiredUnits({ id: "", metadata: {} }, [unit("a")])).toEqual([]);
});

test("tasks are carried out by kind: unload, load, reload, stop, start", () => {
  const desired = [
    unit("new"),
    unit("stop", { targetState: "loaded" }),
    unit("changed", { hash: "h2" }),
  ];
  const current = new Map([
    ["old", { state: "launched", hash: "h" }],
    ["stop", { state: "launched", hash: "h" }],
    ["changed", { state: "launched", hash: "h" }],
  ] as const);
  expect(agentTasks(desired, current).map(({ type, unit: name }) => `${type} ${name}`)).toEqual([
    "UnloadUnit changed",
    "UnloadUnit old",
    "LoadUnit changed",
    "LoadUnit new",
    "ReloadUnitFiles ",
    "StopUnit stop",
    "StartUnit changed",
    "StartUnit new",
  ]);
});

test("nothing to unload or load means nothing to reload", () => {
  const current = new Map([["a", { state: "loaded", hash: "h" }]] as const);
  expect(agentTasks([unit("a")], current).map(({ type }) => type)).toEqual(["StartUnit"]);
});
