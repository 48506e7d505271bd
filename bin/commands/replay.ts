import { Command } from "commander";
import { logProblem, openLog } from "../../adapters/logfile/index.js";
import { formatDiagnostic } from "../../core/kernel/index.js";
import { openReplay, parseAddress, Timeline } from "../../viz/index.js";
import { accept, refuse } from "./shared.js";

/** `orrery replay FILE`: the log on a screen. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("scrub through a log in the terminal; without a terminal, print its report")
    .argument("<log>", "log file of a run or a recording, or one record of it: FILE#SEQ")
    .addHelpText(
      "after",
      `
Keys: space plays and pauses, arrows step, [ and ] step on one host, n jumps to the next violation,
f to the next fault, l to the next change of leader, g to a time or a record, ? shows them all.

Examples:
  orrery replay run.orlog
  orrery replay run.orlog#1426
  orrery replay run.orlog | less`,
    )
    .action(replay);
}

async function replay(address: string): Promise<void> {
  const { path, start } = parseAddress(address);
  const reader = accept(openLog(path));
  const timeline = Timeline.of(reader.header, reader.records());
  const { status } = reader;
  const problem = status === null ? null : logProblem(path, status);
  await openReplay({ timeline }, { path, ...(start === undefined ? {} : { start }) });
  if (problem === null) return;
  if (problem.severity === "error") refuse([problem]);
  console.error(formatDiagnostic(problem));
}
