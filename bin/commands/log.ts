import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { type LogReader, logProblem, openLog } from "../../adapters/logfile/index.js";
import {
  formatDiagnostic,
  globMatches,
  type LogRecord,
  type Micros,
} from "../../core/kernel/index.js";
import { historyOfRecords } from "../../core/workload/index.js";
import { createSimulation } from "../../sim/index.js";
import {
  clientsPicture,
  describe,
  formatTime,
  parseTime,
  spaceTime,
  Timeline,
} from "../../viz/index.js";
import { outputIsTaken, writeBeside } from "./output.js";
import { accept, refuse, wholeNumber } from "./shared.js";
import { writeTlaTrace } from "./tla-trace.js";
import { originOf } from "./verify.js";

const RECORD_TYPES: readonly LogRecord["type"][] = [
  "stimulus",
  "fact",
  "effect",
  "checkpoint",
  "end",
];

interface LogFlags {
  readonly kind?: string;
  readonly host?: string;
  readonly type?: string;
  readonly grep?: RegExp;
  readonly from?: Micros;
  readonly to?: Micros;
  readonly limit?: number;
  readonly stimuli?: true;
  readonly json?: true;
  readonly svg?: string;
  readonly history?: string;
  readonly tlaTrace?: string;
}

/** `orrery log FILE`: the records of a log, filtered. */
export function logCommand(): Command {
  return new Command("log")
    .description("print the records of a log")
    .argument("<log>", "log file of a run or a recording")
    .option("--kind <glob>", "only kinds like this: raft.*, *.role")
    .option("--host <glob>", "only hosts like this")
    .addOption(new Option("--type <type>", "only records of this type").choices(RECORD_TYPES))
    .option("--grep <regex>", "only records whose text matches", regex)
    .option("--from <time>", "not before this time: 12.5s, 10m", time)
    .option("--to <time>", "not after this time", time)
    .option("--limit <n>", "at most so many records", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--stimuli", "with the stimuli of a run, which are executed again to get them")
    .option("--json", "one JSON object a line, as in the file")
    .addOption(
      new Option("--svg <file>", "draw the log as a space-time picture instead").conflicts([
        "history",
        "tlaTrace",
      ]),
    )
    .addOption(
      new Option("--history <file>", "draw what clients of etcd saw, checked, instead").conflicts(
        "tlaTrace",
      ),
    )
    .option("--tla-trace <file>", "write raft's events for etcd's TLA+ specification instead")
    .addHelpText(
      "after",
      `
Examples:
  orrery log run.orlog --kind 'etcd.role'
  orrery log run.orlog --host core-2 --from 10m --to 12m
  orrery log run.orlog --svg run.svg
  orrery log run.orlog --history history.svg
  orrery log run.orlog --tla-trace run.ndjson --to 60s
  orrery log run.orlog --stimuli --from 60s --to 61s --json`,
    )
    .action(log);
}

function log(path: string, flags: LogFlags): void {
  const reader = accept(openLog(path));
  if (flags.svg !== undefined) {
    writePicture(flags.svg, path, spaceTime(Timeline.of(reader.header, reader.records())));
    return;
  }
  if (flags.history !== undefined) {
    drawHistory(reader, path, flags.history);
    return;
  }
  if (flags.tlaTrace !== undefined) {
    writeTlaTrace(reader, path, flags.tlaTrace, flags);
    return;
  }
  const print = printer(flags);
  if (flags.stimuli === true && reader.header.kind === "run") {
    const origin = accept(originOf(reader, path));
    const until = flags.to ?? origin.scenario.duration;
    let more = true;
    const offer = (record: LogRecord) => {
      if (more) more = print(record);
    };
    const simulation = createSimulation(origin, { record: offer, stimulus: offer });
    while (more && simulation.advance(Math.min(simulation.at + 1_000_000, until))) {
      if (simulation.at >= until) break;
    }
    return;
  }
  const place =
    flags.from === undefined ? reader.start : (reader.seek({ at: flags.from }) ?? reader.start);
  for (const record of reader.records(place)) {
    if (!print(record)) return;
  }
  const { status } = reader;
  const problem = status === null ? null : logProblem(path, status);
  if (problem === null) return;
  if (problem.severity === "error") refuse([problem]);
  console.error(formatDiagnostic(problem));
}

function drawHistory(reader: LogReader, path: string, file: string): void {
  const history = historyOfRecords(reader.records());
  if (history.calls.length + history.watches.length === 0) {
    const position = { file: path, line: 1, column: 1 };
    const found = "no clients of etcd in the log";
    const expected = "the log of a run whose scenario has `clients:`";
    const advice = "Draw it with --svg.";
    refuse([{ code: "E_FLAG", severity: "error", position, found, expected, advice }]);
  }
  writePicture(file, path, clientsPicture(history));
}

function writePicture(file: string, log: string, svg: string): void {
  writeBeside(file, log, (partial) => {
    writeFileSync(partial, svg);
    return null;
  });
}

/** Prints records that pass the filters; false once there can be no more. */
function printer(flags: LogFlags): (record: LogRecord) => boolean {
  let printed = 0;
  return (record) => {
    if (flags.to !== undefined && record.at > flags.to) return false;
    if (passes(record, flags)) {
      const line = flags.json === true ? JSON.stringify(record) : lineOf(record);
      if (flags.grep === undefined || flags.grep.test(line)) {
        process.stdout.write(`${line}\n`);
        printed++;
      }
    }
    return outputIsTaken() && (flags.limit === undefined || printed < flags.limit);
  };
}

function passes(record: LogRecord, flags: LogFlags): boolean {
  if (flags.from !== undefined && record.at < flags.from) return false;
  if (flags.type !== undefined && record.type !== flags.type) return false;
  if (flags.kind !== undefined && !globMatches(flags.kind, record.kind)) return false;
  return flags.host === undefined || globMatches(flags.host, record.host);
}

function lineOf(record: LogRecord): string {
  const { seq, at, host, type, kind, data, cause } = record;
  const mark = type === "fact" ? "" : `${type} `;
  const from = cause === null ? "" : `  <- ${cause}`;
  const where = (host === "" ? "-" : host).padEnd(12);
  return `${formatTime(at).padStart(14)} ${String(seq).padStart(8)} ${where} ${mark}${kind.padEnd(24)} ${describe(kind, data)}${from}`;
}

function time(text: string): Micros {
  const value = parseTime(text);
  if (value === null) throw new InvalidArgumentError("expected a time such as 12.5s, 10m or 1h.");
  return value;
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError("expected a regular expression.");
  }
}
