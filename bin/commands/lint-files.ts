import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Diagnostic } from "../../core/kernel/index.js";
import { unreadable } from "../../sim/index.js";

/** Folders nested deeper than this are not entered. */
const DEPTH_MAX = 32;

/** Files below folders, beyond which it stops: a wrong folder, most likely. */
const FILES_MAX = 10_000;

/** A file to look at; `asked` when it was named, and not found in a folder. */
export interface LintFile {
  readonly path: string;
  readonly asked: boolean;
}

/** The files named, and those in the folders named and below, sorted by name; links in them are not followed. */
export function filesOf(paths: readonly string[]): {
  readonly files: readonly LintFile[];
  readonly problems: readonly Diagnostic[];
} {
  const files: LintFile[] = [];
  const problems: Diagnostic[] = [];
  const walk = (folder: string, depth: number): void => {
    let entries: ReturnType<typeof list>;
    try {
      entries = list(folder);
    } catch (error) {
      problems.push(unreadable(folder, error, "a folder that can be read"));
      return;
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (files.length >= FILES_MAX) return;
      if (entry.isFile()) files.push({ path, asked: false });
      else if (entry.isDirectory() && !isSkipped(entry.name) && depth < DEPTH_MAX) {
        walk(path, depth + 1);
      }
    }
  };
  for (const path of paths) {
    const before = files.length;
    try {
      if (!statSync(path).isDirectory()) files.push({ path, asked: true });
      else {
        walk(path, 0);
        if (files.length >= FILES_MAX) problems.push(tooMany(path));
        if (files.length === before)
          problems.push(unreadable(path, "an empty folder", "files in it"));
      }
    } catch (error) {
      problems.push(unreadable(path, error, "a file or a folder"));
    }
  }
  return { files, problems };
}

function list(folder: string) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

const isSkipped = (name: string): boolean => name === "node_modules" || name === ".git";

function tooMany(path: string): Diagnostic {
  return {
    code: "E_FILE_TOO_LARGE",
    severity: "error",
    position: { file: path, line: 1, column: 1 },
    found: `more than ${FILES_MAX} files`,
    expected: "fewer",
    advice: "The rest was not looked at: name folders below it.",
  };
}
