import { Command } from "commander";
import { rederive } from "../../adapters/live/index.js";
import { type LogReader, logProblem, openLog } from "../../adapters/logfile/index.js";
import { formatDiagnostic, type LogRecord, type Parsed } from "../../core/kernel/index.js";
import {
  createSimulation,
  faultPlanFromJson,
  interventionFromJson,
  type RunOrigin,
  type Simulation,
  scenarioFromJson,
} from "../../sim/index.js";
import { formatTime } from "../../viz/index.js";
import { accept, EXIT, INVARIANT_MODES, refuse, SEED_MAX } from "./shared.js";

/** `orrery verify FILE`: the log is intact, and doing it again gives the same. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("check a log's checksums, execute it again and name the first divergence")
    .argument("<log>", "log file")
    .addHelpText(
      "after",
      `
A run's log is executed again from its scenario and seed; a recording is fed back to the machines
that made it. Exit code 0: intact and the same. 1: diverged. 2: damaged, or not a log.

Examples:
  orrery verify run.orlog`,
    )
    .action(verify);
}

async function verify(path: string): Promise<void> {
  const reader = accept(openLog(path));
  const status = reader.verify();
  const problem = logProblem(path, status);
  if (status.kind === "damaged" && problem !== null) refuse([problem]);
  if (problem !== null) console.error(formatDiagnostic(problem));
  if (reader.header.kind === "run") verifyRun(path, reader);
  else await verifyRecording(path, reader);
}

interface Divergence {
  readonly recorded: LogRecord;
  readonly executed: LogRecord;
}

function verifyRun(path: string, reader: LogReader): void {
  const origin = accept(originOf(reader, path));
  const expected = reader.records();
  let compared = 0;
  let divergence: Divergence | null = null;
  let exhausted = false;
  const simulation = createSimulation(origin, {
    record(executed) {
      if (divergence !== null || exhausted) return;
      const next = expected.next();
      if (next.done === true) {
        exhausted = true;
        simulation.stop();
        return;
      }
      compared++;
      // A log holds what JSON keeps; the comparison is of what would be written.
      if (JSON.stringify(executed) === JSON.stringify(next.value)) return;
      divergence = { recorded: next.value, executed };
      simulation.stop();
    },
  });
  const served = reader.header.origin.program === "serve";
  if (served) bringVisitors(simulation, reader, path);
  else simulation.advance(origin.scenario.duration);
  simulation.finish();
  const left = divergence === null && !exhausted ? expected.next() : null;
  report(path, compared, divergence, left?.done === false ? left.value : null, !served);
}

/** What came from outside comes again when it came, and the run ends when it ended. */
function bringVisitors(simulation: Simulation, reader: LogReader, path: string): void {
  let end = 0;
  for (const { type, at, kind, data, seq } of reader.records()) {
    end = at;
    if (type !== "stimulus") continue;
    simulation.advance(at);
    const what = interventionFromJson(data, simulation.scenario);
    if (what !== null) {
      simulation.intervene(what);
      continue;
    }
    const position = { file: path, line: 1, column: 1 };
    const found = `${kind} with seq ${seq}`;
    const expected = "something that comes into a run from outside";
    const advice = "It was written by something else.";
    refuse([{ code: "E_LOG_HEADER", severity: "error", position, found, expected, advice }]);
  }
  simulation.advance(end);
}

function report(
  path: string,
  compared: number,
  divergence: Divergence | null,
  left: LogRecord | null,
  mayGoOn: boolean,
): void {
  if (divergence !== null) {
    const { recorded, executed } = divergence;
    // An interrupted run ends where it was stopped; executing it again simply goes on. A served one
    // is stopped again where it was.
    if (mayGoOn && recorded.type === "end" && isStopped(recorded)) {
      console.log(`${path}: ${compared - 1} records are the same; the run was stopped there`);
      return;
    }
    console.log(
      `${path}: diverges at record ${compared}, seq ${recorded.seq}, ${formatTime(recorded.at)}`,
    );
    console.log(`  recorded: ${JSON.stringify(recorded)}`);
    console.log(`  executed: ${JSON.stringify(executed)}`);
    process.exitCode = EXIT.violated;
  } else if (left !== null) {
    console.log(`${path}: executing it again ends before seq ${left.seq}`);
    process.exitCode = EXIT.violated;
  } else {
    console.log(`${path}: intact, and ${compared} records are the same when executed again`);
  }
}

function isStopped(record: LogRecord): boolean {
  return (record.data as { verdict?: string }).verdict === "stopped";
}

async function verifyRecording(path: string, reader: LogReader): Promise<void> {
  const result = await rederive(reader.header, reader.records());
  if (result.ok) {
    const { stimuli, facts, effects } = result;
    console.log(
      `${path}: intact; ${stimuli} stimuli give the same ${facts} facts and ${effects} effects`,
    );
    return;
  }
  const { divergence } = result;
  console.log(
    `${path}: diverges at seq ${divergence.seq}, ${formatTime(divergence.at)}, ${divergence.host}`,
  );
  console.log(`  recorded: ${divergence.recorded}`);
  console.log(`  derived:  ${divergence.derived}`);
  process.exitCode = EXIT.violated;
}

/** What a run's header says it was run from, checked: the checksum only says that it was written so. */
export function originOf(reader: LogReader, path: string): Parsed<Required<RunOrigin>> {
  const { origin } = reader.header;
  const scenario = scenarioFromJson(origin.scenario, path);
  if (!scenario.ok) return scenario;
  const plan = faultPlanFromJson(origin.plan, scenario.value, path);
  if (!plan.ok) return plan;
  const { seed, invariants = "events" } = origin;
  if (typeof seed !== "number" || !Number.isSafeInteger(seed) || seed < 0 || seed > SEED_MAX) {
    const found = `the seed ${JSON.stringify(seed) ?? "missing"}`;
    return badHeader(path, found, `a whole number from 0 to ${SEED_MAX}`);
  }
  const mode = INVARIANT_MODES.find((known) => known === invariants);
  if (mode === undefined) {
    const found = `invariants ${JSON.stringify(invariants)}`;
    return badHeader(path, found, INVARIANT_MODES.join(" or "));
  }
  const value = { scenario: scenario.value, seed, plan: plan.value, invariants: mode };
  return { ok: true, value, warnings: [] };
}

function badHeader(path: string, found: string, expected: string): Parsed<never> {
  const position = { file: path, line: 1, column: 1 };
  const advice = "It was written by something else.";
  const code = "E_LOG_HEADER";
  return {
    ok: false,
    diagnostics: [{ code, severity: "error", position, found, expected, advice }],
  };
}
