import { existsSync } from "node:fs";
import type { RecordSink } from "../../adapters/live/index.js";
import { LogWriter, openLog } from "../../adapters/logfile/index.js";
import {
  type Diagnostic,
  LOG_VERSION,
  type LogHeader,
  type LogRecord,
  type Micros,
  type Parsed,
} from "../../core/kernel/index.js";
import { FlagError, refuse } from "./live-flags.js";

/** A log that is being written, and where it goes on. */
export interface Recording {
  readonly sink: RecordSink;
  /** `seq` of the next record. */
  readonly seq: number;
  /** No record is earlier: 0, or the time a cut log is continued at. */
  readonly at: Micros;
}

/** What makes a log one of a command: its program and when its time began. */
export interface RecordingOrigin extends Readonly<Record<string, unknown>> {
  readonly program: string;
  /** ISO 8601 of time 0. */
  readonly started: string;
}

/**
 * Begins a recording; or goes on with one of the same program that a crash cut short, handing its
 * records to `earlier` first. A complete log, another program's and anything else is left alone.
 *
 * @throws FlagError
 */
export function openRecording(
  path: string,
  origin: RecordingOrigin,
  earlier: (record: LogRecord, header: LogHeader) => void,
): Recording {
  if (existsSync(path)) return continueRecording(path, origin, earlier);
  const header: LogHeader = { orrery: LOG_VERSION, kind: "recording", origin };
  return { sink: sinkOf(accept(LogWriter.create(path, header))), seq: 0, at: 0 };
}

function continueRecording(
  path: string,
  origin: RecordingOrigin,
  earlier: (record: LogRecord, header: LogHeader) => void,
): Recording {
  const reader = accept(openLog(path));
  const { program, started } = reader.header.origin;
  if (reader.header.kind !== "recording" || program !== origin.program) {
    reader.close();
    const expected = `a new file, or a recording of ${origin.program} that was cut short`;
    refuse("E_LOG_WRITE", "--out", `another log, ${path}`, expected, "Choose another path");
  }
  let seq = -1;
  let at = 0;
  for (const record of reader.records()) {
    earlier(record, reader.header);
    seq = record.seq;
    at = record.at;
  }
  reader.close();
  const sink = sinkOf(accept(LogWriter.resume(path)));
  const since = (Date.parse(origin.started) - Date.parse(String(started))) * 1_000;
  return { sink, seq: seq + 1, at: Number.isSafeInteger(since) && since > at ? since : at };
}

function sinkOf(writer: LogWriter): RecordSink {
  const check = (problem: Diagnostic | null): void => {
    if (problem !== null) throw new FlagError(problem);
  };
  return {
    write: (record) => check(writer.write(record)),
    flush: () => check(writer.flush()),
    close: () => check(writer.close()),
  };
}

function accept<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  const [first] = parsed.diagnostics;
  if (first === undefined) throw new Error("refused without a reason");
  throw new FlagError(first);
}
