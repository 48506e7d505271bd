import { Command } from "commander";
import { logProblem, openLog } from "../../adapters/logfile/index.js";
import { formatDiagnostic } from "../../core/kernel/index.js";
import { openReplay } from "../../viz/index.js";
import { accept, refuse } from "./shared.js";

/** `orrery replay FILE`: the log on a screen. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("scrub through a log in the terminal; without a terminal, print its report")
    .argument("<log>", "log file of a run or a recording")
    .addHelpText(
      "after",
      `
Keys: space plays and pauses, arrows step, [ and ] step on one host, n jumps to the next violation,
f to the next fault, l to the next change of leader, g to a time or a record, ? shows them all.

Examples:
  orrery replay run.orlog
  orrery replay run.orlog | less`,
    )
    .action(async (path: string) => {
      const reader = accept(openLog(path));
      const records = [...reader.records()];
      const { status } = reader;
      const problem = status === null ? null : logProblem(path, status);
      if (problem !== null && records.length === 0 && status?.kind === "damaged") refuse([problem]);
      await openReplay({ header: reader.header, records }, { path });
      if (problem !== null) console.error(formatDiagnostic(problem));
    });
}
