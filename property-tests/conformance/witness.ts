import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./suite.js";

/** A file of witness data. */
export interface WitnessFile {
  /** Path within the data folder, such as `raft/quorum/joint_vote.txt`. */
  readonly path: string;
  readonly text: string;
}

/** The files of a folder of witness data whose names end in `suffix`, by name; skipped if the folder is absent. */
export function witnessFiles(
  dataDir: string,
  folder: string,
  suffix: string,
  report: Report,
): WitnessFile[] {
  const directory = join(dataDir, folder);
  if (!existsSync(directory)) {
    report.skip(folder);
    return [];
  }
  return readdirSync(directory)
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => ({
      path: `${folder}/${name}`,
      text: readFileSync(join(directory, name), "utf8"),
    }));
}

/** The text of one file of witness data; null, and skipped, if it is absent. */
export function witnessFile(dataDir: string, path: string, report: Report): string | null {
  const file = join(dataDir, path);
  if (!existsSync(file)) {
    report.skip(path);
    return null;
  }
  return readFileSync(file, "utf8");
}

/** What a row says the answer is, and what ours is. */
export type RowRun<Row> = (row: Row) => { readonly expected: unknown; readonly actual: unknown };

/**
 * Compares every row of a file of JSON lines, as `write` writes both sides: members of a list one a
 * line, so that a difference is easy to see.
 */
export function forEachRow<Row extends { readonly id: string }>(
  dataDir: string,
  path: string,
  report: Report,
  run: RowRun<Row>,
  write: (value: unknown) => string,
): void {
  const show = (value: unknown): string =>
    Array.isArray(value) ? value.map((item) => write(item)).join("\n") : write(value);
  const text = witnessFile(dataDir, path, report);
  if (text === null) return;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const row = JSON.parse(line) as Row;
    const { expected, actual } = run(row);
    report.compare(`${path} ${row.id}`, () => line, show(expected), show(actual));
  }
}
