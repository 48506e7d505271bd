import { readFileSync, writeFileSync } from "node:fs";
import { LogWriter, openLog } from "../../adapters/logfile/index.js";
import { createSimulation, type RunOrigin, runHeader } from "../../sim/index.js";
import type { Finding } from "./finding.js";

/** Writes the log of a run into a file, as `orrery run --out` does. */
export function writeRunLog(path: string, origin: RunOrigin): void {
  const writer = LogWriter.create(path, runHeader(origin), { overwrite: true, sync: "close" });
  if (!writer.ok) throw new Error(writer.diagnostics.map((d) => d.found).join("; "));
  const simulation = createSimulation(origin, {
    record: (record) => void writer.value.write(record),
  });
  simulation.advance(origin.scenario.duration);
  simulation.finish();
  const problem = writer.value.close();
  if (problem !== null) throw new Error(problem.found);
}

/** How reading a log ends: at which record something is wrong, or that nothing is. */
export function logVerdict(path: string): number | "intact" | "cut" {
  const opened = openLog(path);
  if (!opened.ok) return 0;
  try {
    const status = opened.value.verify();
    if (status.kind === "ended") return "intact";
    return status.kind === "truncated" ? "cut" : (status.place.lines ?? -1);
  } finally {
    opened.value.close();
  }
}

/**
 * With one bit of the log at `path` flipped, reading it names the record that holds the bit. The
 * damaged copy is written to `scratch`.
 */
export function flipIsNamed(path: string, scratch: string, byte: number, bit: number): Finding {
  const bytes = readFileSync(path);
  const value = bytes[byte];
  if (value === undefined) return `no byte ${byte}`;
  let record = 0;
  for (let i = bytes.indexOf(10); i >= 0 && i < byte; i = bytes.indexOf(10, i + 1)) record++;
  bytes[byte] = value ^ (1 << bit);
  writeFileSync(scratch, bytes);
  const verdict = logVerdict(scratch);
  return verdict === record ? null : `bit ${bit} of byte ${byte}, record ${record}: ${verdict}`;
}
