import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LogWriter } from "../adapters/logfile/index.js";
import { DAY, MINUTE } from "../core/kernel/index.js";
import {
  createSimulation,
  loadScenario,
  NO_FAULTS,
  runHeader,
  type Scenario,
} from "../sim/index.js";
import { figure, print } from "./report.js";

const FIRST_LIGHT = fileURLToPath(new URL("../scenarios/first-light.yaml", import.meta.url));

function firstLight(duration: number): Scenario {
  const parsed = loadScenario(FIRST_LIGHT);
  if (!parsed.ok) throw new Error("scenarios/first-light.yaml is not valid");
  return { ...parsed.value, duration, expect: [] };
}

/** Simulated seconds and events a second of `first-light`: five members, every heartbeat exchanged. */
export function benchSimulation(): void {
  console.log("simulation: first-light, five members, every heartbeat, in place, invariants on");
  const scenario = firstLight(2 * 60 * MINUTE);
  for (const run of ["first (cold)", "second", "third"]) {
    const simulation = createSimulation({ scenario, seed: 1, plan: NO_FAULTS });
    const start = process.hrtime.bigint();
    simulation.advance(scenario.duration);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const ratio = scenario.duration / 1e6 / seconds;
    print(
      `${run}: ${simulation.events} events`,
      `${Math.round(ratio)} simulated s/s, ${figure(simulation.events / seconds)} events/s`,
    );
  }
}

/** One simulated day with its log streamed to disk, in a process of its own: its peak memory. */
export function benchDay(): void {
  console.log("memory: one simulated day of first-light, log streamed to disk");
  const script = fileURLToPath(new URL("./day.ts", import.meta.url));
  const child = spawnSync(process.execPath, ["--import", "tsx", script], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr);
  process.stdout.write(child.stdout);
}

/** The work of `benchDay`, in the process that measures itself. */
export function simulateDay(): void {
  const folder = mkdtempSync(join(tmpdir(), "orrery-day-"));
  try {
    const path = join(folder, "day.orlog");
    const scenario = firstLight(DAY);
    const origin = { scenario, seed: 1, plan: NO_FAULTS };
    const created = LogWriter.create(path, runHeader(origin), { sync: "close" });
    if (!created.ok) throw new Error("the log cannot be created");
    const writer = created.value;
    const simulation = createSimulation(origin, { record: (record) => void writer.write(record) });
    const start = process.hrtime.bigint();
    simulation.advance(scenario.duration);
    const summary = simulation.finish();
    const problem = writer.close();
    if (problem !== null) throw new Error(problem.found);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const peak = Math.round(process.resourceUsage().maxRSS / 1024);
    print("peak resident memory", `${peak} MB`);
    print("log", `${writer.records} records, ${figure(statSync(path).size)}B`);
    print(
      `${summary.events} events in ${seconds.toFixed(1)} s`,
      `${Math.round(86_400 / seconds)} simulated s/s`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
