import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Diagnostic, Parsed } from "../../core/kernel/index.js";
import type { ReadFile } from "./include.js";
import { parseScenario } from "./parse.js";
import type { Scenario } from "./scenario.js";
import { decodeText, FILE_BYTES_MAX } from "./text.js";

/**
 * Reads and parses a scenario file. Files it includes must lie in its folder or below, symbolic
 * links followed.
 */
export function loadScenario(
  path: string,
  options: { readonly invariants?: readonly string[] } = {},
): Parsed<Scenario> {
  const text = readText(path, "a readable scenario file");
  if (!text.ok) return text;
  return parseScenario(text.value, { ...options, file: path, readFile: readBeside(path) });
}

/** The text of a file that somebody named, within the limits of `decodeText`. */
export function readText(path: string, expected = "a readable file"): Parsed<string> {
  const read = readBounded(path);
  if (read.ok) return decodeText(read.bytes, path);
  return { ok: false, diagnostics: [unreadable(path, read.reason, expected)] };
}

/** A file or folder that cannot be had, for a reason in words or as an exception. */
export function unreadable(path: string, why: unknown, expected: string): Diagnostic {
  return {
    code: "E_FILE_UNREADABLE",
    severity: "error",
    position: { file: path, line: 1, column: 1 },
    found: typeof why === "string" ? why : reasonOf(why),
    expected,
    advice: "Check the path and its permissions.",
  };
}

/** Reads files in the folder of `path`, for `parseScenario`. */
export function readBeside(path: string): ReadFile {
  return (relative) => {
    try {
      const folder = realpathSync(dirname(path));
      const file = realpathSync(join(folder, relative));
      if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
        return { ok: false, reason: "it is a link out of the scenario's folder" };
      }
      return readBounded(file);
    } catch (error) {
      return { ok: false, reason: reasonOf(error) };
    }
  };
}

/** At most one byte more than the limit, so that whoever decodes sees that it is too much. */
function readBounded(path: string): ReturnType<ReadFile> {
  let descriptor: number | null = null;
  try {
    // Opening a pipe would otherwise wait for whoever writes to it.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(descriptor);
    if (!status.isFile()) return { ok: false, reason: "it is not a regular file" };
    const bytes = new Uint8Array(Math.min(status.size, FILE_BYTES_MAX) + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return { ok: true, bytes: bytes.subarray(0, length) };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function reasonOf(error: unknown): string {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "reading it is not permitted";
    case "EISDIR":
      return "it is a folder";
    default:
      return code === "" ? String(error) : code;
  }
}
