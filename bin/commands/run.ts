import { Command } from "commander";
import { LogWriter } from "../../adapters/logfile/index.js";
import type { InvariantMode } from "../../core/cluster/index.js";
import { LogEncoder, type LogRecord } from "../../core/kernel/index.js";
import { createSimulation, type RunOrigin, type RunSummary, runHeader } from "../../sim/index.js";
import { formatReport, reportOf, Timeline } from "../../viz/index.js";
import { keepScenario } from "./output.js";
import { Progress } from "./progress.js";
import {
  accept,
  choosePlan,
  collect,
  EXIT,
  invariantsOption,
  openScenario,
  type PlanFlags,
  refuse,
  type ScenarioFlags,
  SEED_MAX,
  wholeNumber,
} from "./shared.js";

interface RunFlags extends ScenarioFlags, PlanFlags {
  readonly seed: number;
  readonly invariants: InvariantMode;
  readonly out?: string;
  readonly overwrite?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** `orrery run SCENARIO`: one run, its log, its report. */
export function runCommand(): Command {
  return new Command("run")
    .description("run a scenario in the simulator and report what happened")
    .argument("<scenario>", "scenario file (YAML)")
    .option("-s, --seed <n>", "seed of everything random", wholeNumber(0, SEED_MAX), 1)
    .option("-o, --out <file>", "write the log to a file")
    .option("--overwrite", "replace the file if it is there")
    .option("--json", "print the report as JSON")
    .option("-q, --quiet", "no progress")
    .addOption(invariantsOption())
    .option("--counterfactual", "the scenario with its safeguards on")
    .option("--variant <name>", "the scenario as one of its variants has it")
    .option("--safeguard <name[=value]>", "switch a safeguard on (or off: name=off)", collect)
    .option("--bug <name>", "switch a deliberate protocol bug on", collect)
    .option("--faults <ids>", "only these faults of the seed's plan: 3,7 or 0-4 or none")
    .option("--fault-plan <yaml>", "another fault plan, as a scenario writes it")
    .addHelpText(
      "after",
      `
Examples:
  orrery run scenarios/first-light.yaml
  orrery run scenarios/first-light.yaml --seed 42 --out run.orlog && orrery replay run.orlog
  orrery run scenarios/etcd-855-update-cascade.yaml --counterfactual
  orrery run scenarios/first-light.yaml --seed 3 --faults 2,5 --bug raft-vote-not-persisted`,
    )
    .action(run);
}

async function run(path: string, flags: RunFlags): Promise<void> {
  keepScenario(path, flags.out);
  const scenario = openScenario(path, flags);
  const plan = choosePlan(scenario, flags.seed, flags);
  const origin: RunOrigin = { scenario, seed: flags.seed, plan, invariants: flags.invariants };
  const header = runHeader(origin);
  const log = openOutput(flags, header);
  const timeline = new Timeline(header);
  const progress = new Progress(flags.quiet !== true && flags.json !== true);
  const started = process.hrtime.bigint();
  const simulation = createSimulation(origin, {
    record(record) {
      log.write(record);
      timeline.append(record);
      if (log.failed()) simulation.stop();
    },
  });
  const interrupt = () => simulation.stop();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  for (let more = true; more; ) {
    const slice = Date.now() + SLICE_MS;
    while (more && Date.now() < slice) more = simulation.advance(simulation.at + STEP);
    progress.show(simulation.at, scenario.duration, simulation.events);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const summary = simulation.finish();
  progress.done();
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  log.close();
  const wall = Number((process.hrtime.bigint() - started) / 1000n);
  report(timeline, summary, flags, wall, log.sum());
}

/** How long the simulator runs before it looks at signals and shows progress, in real ms. */
const SLICE_MS = 50;

/** Simulated time between two looks at the real clock, µs. */
const STEP = 250_000;

function report(
  timeline: Timeline,
  summary: RunSummary,
  flags: RunFlags,
  wall: number,
  sum: string,
): void {
  const { events } = summary;
  const context = { wall, events, sum, ...(flags.out === undefined ? {} : { path: flags.out }) };
  const value = reportOf(timeline, context);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  else process.stdout.write(formatReport(value, { colour: process.stdout.isTTY === true }));
  process.exitCode = summary.verdict === "violated" ? EXIT.violated : EXIT.held;
}

interface Output {
  write(record: LogRecord): void;
  close(): void;
  failed(): boolean;
  sum(): string;
}

/** The log's file; or, without one, just its checksum. */
function openOutput(flags: RunFlags, header: ReturnType<typeof runHeader>): Output {
  if (flags.out === undefined) {
    const encoder = new LogEncoder();
    encoder.header(header);
    return {
      write: (record) => void encoder.record(record),
      close: () => undefined,
      failed: () => false,
      sum: () => encoder.sum,
    };
  }
  const options = { overwrite: flags.overwrite === true, sync: "close" } as const;
  const writer = accept(LogWriter.create(flags.out, header, options));
  let problem: ReturnType<LogWriter["write"]> = null;
  return {
    write(record) {
      problem ??= writer.write(record);
    },
    close() {
      problem ??= writer.close();
      if (problem !== null) refuse([problem]);
    },
    failed: () => problem !== null,
    sum: () => writer.sum,
  };
}
