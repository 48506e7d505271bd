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

const root = fileURLToPath(new URL("..", import.meta.url));

/** What runs in a process of its own, as it is built: neither what ran before nor a compiler weighs on it. */
export const ALONE: Readonly<Record<string, (scenarioFile: string) => void>> = {
  hours: simulateHours,
  day: simulateDay,
};

/** Simulated seconds and events a second of `first-light`: five members, every heartbeat exchanged. */
export function benchSimulation(): void {
  console.log("simulation: first-light, five members, every heartbeat, in place, invariants on");
  runAlone("hours");
}

/** One simulated day with its log streamed to disk: its peak memory. */
export function benchDay(): void {
  console.log("memory: one simulated day of first-light, log streamed to disk");
  runAlone("day");
}

function runAlone(name: string): void {
  const words = [join(root, "dist/bench/alone.js"), name, join(root, "scenarios/first-light.yaml")];
  const child = spawnSync(process.execPath, words, { encoding: "utf8" });
  if (child.status !== 0) throw new Error(child.stderr);
  process.stdout.write(child.stdout);
}

function firstLight(file: string, duration: number): Scenario {
  const parsed = loadScenario(file);
  if (!parsed.ok) throw new Error(`${file} is not valid`);
  return { ...parsed.value, duration, expect: [] };
}

function simulateHours(file: string): void {
  const scenario = firstLight(file, 2 * 60 * MINUTE);
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

function simulateDay(file: string): void {
  const folder = mkdtempSync(join(tmpdir(), "orrery-day-"));
  try {
    const path = join(folder, "day.orlog");
    const scenario = firstLight(file, DAY);
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
