import { availableParallelism } from "node:os";
import { Command } from "commander";
import type { InvariantMode } from "../../core/cluster/index.js";
import { type Failure, runCampaign, showValue, writeFault } from "../../sim/index.js";
import {
  collect,
  EXIT,
  invariantsOption,
  openScenario,
  type ScenarioFlags,
  SEED_MAX,
  wholeNumber,
} from "./shared.js";

interface CheckFlags extends ScenarioFlags {
  readonly seeds: number;
  readonly invariants: InvariantMode;
  readonly from: number;
  readonly workers: number;
  readonly keepGoing?: true;
  readonly shrink: boolean;
  readonly json?: true;
}

/** `orrery check SCENARIO`: many seeds, and the first failure made small. */
export function checkCommand(): Command {
  return new Command("check")
    .description("run many seeds, shrink the first failure, print one line that reproduces it")
    .argument("<scenario>", "scenario file (YAML)")
    .option("-n, --seeds <n>", "how many seeds", wholeNumber(1, 10_000_000), 100)
    .option("--from <n>", "first seed", wholeNumber(0, SEED_MAX), 1)
    .option("-w, --workers <n>", "threads", wholeNumber(1, 256), availableParallelism())
    .option("--keep-going", "run all seeds and count the failures")
    .option("--no-shrink", "leave the first failure as it is")
    .option("--json", "print the result as JSON")
    .addOption(invariantsOption())
    .option("--counterfactual", "the scenario with its safeguards on")
    .option("--variant <name>", "the scenario as one of its variants has it")
    .option("--safeguard <name[=value]>", "switch a safeguard on (or off: name=off)", collect)
    .option("--bug <name>", "switch a deliberate protocol bug on", collect)
    .addHelpText(
      "after",
      `
Examples:
  orrery check scenarios/first-light.yaml --seeds 100
  orrery check scenarios/first-light.yaml --seeds 1000 --bug raft-vote-not-persisted
  orrery check scenarios/etcd-863-replace-without-remove.yaml --counterfactual --keep-going`,
    )
    .action(check);
}

async function check(path: string, flags: CheckFlags): Promise<void> {
  const scenario = openScenario(path, flags);
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort());
  const started = Date.now();
  const show = (text: string) => {
    if (process.stderr.isTTY === true && flags.json !== true) {
      process.stderr.write(`\r\u001b[2K${text}`);
    }
  };
  let failures = 0;
  const result = await runCampaign({
    scenario,
    from: flags.from,
    seeds: flags.seeds,
    invariants: flags.invariants,
    workers: flags.workers,
    keepGoing: flags.keepGoing === true,
    ...(flags.shrink ? {} : { shrinkRunsMax: 0 }),
    signal: abort.signal,
    onVerdict(verdict, done) {
      if (verdict.failed) failures++;
      show(`${done} of ${flags.seeds} seeds, ${failures} failed, ${rate(done, started)}`);
    },
    onSmaller(plan, runs) {
      show(`shrinking: ${plan.faults.length} faults left after ${runs} runs`);
    },
  });
  show("");
  const { failure } = result;
  const repro = failure === null ? null : reproduction(path, flags, failure);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ ...result, reproduce: repro }, null, 2)}\n`);
  } else {
    console.log(
      `${scenario.name}: ${result.runs} seeds from ${flags.from}, ${result.failedSeeds.length} failed, ` +
        `${result.events} events, ${rate(result.runs, started)}`,
    );
    for (const { line, kind, least, median, most } of result.measures) {
      const [low, middle, high] = [least, median, most].map((value) => showValue(kind, value));
      console.log(`  line ${line}, ${kind}: median ${middle}, ${low} to ${high}`);
    }
    if (result.undecidedSeeds.length > 0) {
      console.log(`histories too hard to decide: seeds ${list(result.undecidedSeeds)}`);
    }
    if (failure !== null) {
      printFailure(failure);
      if (result.failedSeeds.length > 1) console.log(`failed seeds: ${list(result.failedSeeds)}`);
      console.log(`reproduce:\n  ${repro}`);
    } else if (abort.signal.aborted) console.log("interrupted");
  }
  process.exitCode = failure === null ? EXIT.held : EXIT.violated;

  function printFailure(found: Failure): void {
    const { verdict, shrunk } = found;
    console.log(`\nseed ${verdict.seed} broke:`);
    for (const name of verdict.broken) console.log(`  ${name}`);
    if (verdict.crash !== null) console.log(`  crash of the simulator: ${verdict.crash}`);
    const { faultsBefore, faultsAfter, runs, minimal } = shrunk;
    console.log(
      `faults: ${faultsBefore} drawn, ${faultsAfter} left after ${runs} runs` +
        `${minimal ? "; each of them is needed" : ""}`,
    );
    for (const fault of shrunk.plan.faults) console.log(`  ${writeFault(scenario, fault)}`);
  }
}

/** The command line that brings the shrunk failure back. */
function reproduction(path: string, flags: CheckFlags, failure: Failure): string {
  const switches = [
    ...(flags.invariants === "events" ? [] : [`--invariants ${flags.invariants}`]),
    ...(flags.counterfactual === true ? ["--counterfactual"] : []),
    ...(flags.variant === undefined ? [] : [`--variant ${flags.variant}`]),
    ...(flags.safeguard ?? []).map((name) => `--safeguard ${name}`),
    ...(flags.bug ?? []).map((name) => `--bug ${name}`),
  ];
  return ["orrery run", path, failure.flags, ...switches].join(" ");
}

function rate(runs: number, started: number): string {
  const seconds = Math.max(Date.now() - started, 1) / 1000;
  return `${(runs / seconds).toFixed(1)} seeds/s`;
}

function list(seeds: readonly number[]): string {
  const shown = seeds.slice(0, 20).join(", ");
  return seeds.length > 20 ? `${shown}, … (${seeds.length})` : shown;
}
