import { closeSync, openSync, writeSync } from "node:fs";
import type { RecordSink } from "../../adapters/live/index.js";
import { LOG_VERSION, LogEncoder, type LogRecord } from "../../core/kernel/index.js";
import { refuse } from "./live-flags.js";

/** Begins a recording. @throws FlagError when the file exists or cannot be written. */
export function openRecording(path: string, origin: Readonly<Record<string, unknown>>): RecordSink {
  let file: number;
  try {
    file = openSync(path, "wx");
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    refuse("E_LOG_WRITE", "--out", found, "a new file in a writable folder", "Choose another path");
  }
  const encoder = new LogEncoder();
  writeSync(file, encoder.header({ orrery: LOG_VERSION, kind: "recording", origin }));
  return {
    write: (record: LogRecord) => {
      writeSync(file, encoder.record(record));
    },
    close: () => closeSync(file),
  };
}
