import type { Diagnostic, Parsed } from "../../core/kernel/index.js";

/** Largest scenario or included file, in bytes. */
export const FILE_BYTES_MAX = 1024 * 1024;

/** The text of a file's bytes: UTF-8 without NUL, a leading byte order mark dropped. */
export function decodeText(
  bytes: Uint8Array,
  file: string,
  bytesMax = FILE_BYTES_MAX,
): Parsed<string> {
  if (bytes.length > bytesMax) {
    return refuse(
      file,
      1,
      1,
      "E_FILE_TOO_LARGE",
      `${bytes.length} bytes`,
      `at most ${bytesMax} bytes`,
      "Scenarios are written by hand; is this the right file?",
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const { line, column } = firstMalformed(bytes);
    return refuse(
      file,
      line,
      column,
      "E_FILE_NOT_TEXT",
      "bytes that are not UTF-8",
      "UTF-8 text",
      "Save the file as UTF-8; a log or an archive is not a scenario.",
    );
  }
  return checkText(text, file);
}

/** Refuses text with NUL characters, which no YAML file holds and every binary file does. */
export function checkText(text: string, file: string): Parsed<string> {
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    const { line, column } = lineAndColumn(text, nul);
    return refuse(
      file,
      line,
      column,
      "E_FILE_NOT_TEXT",
      "a NUL character",
      "text",
      "This looks like a binary file; is it the right one?",
    );
  }
  return { ok: true, value: text, warnings: [] };
}

function refuse(
  file: string,
  line: number,
  column: number,
  code: Diagnostic["code"],
  found: string,
  expected: string,
  advice: string,
): Parsed<never> {
  const position = { file, line, column };
  return {
    ok: false,
    diagnostics: [{ code, severity: "error", position, found, expected, advice }],
  };
}

/** Where the first byte stands that UTF-8 does not allow. The decoder says that, not where. */
function firstMalformed(bytes: Uint8Array): { line: number; column: number } {
  // Bisection over prefixes: a prefix decodes, in stream mode, exactly if the fault lies behind it.
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (decodes(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  const text = new TextDecoder("utf-8").decode(bytes.subarray(0, good), { stream: true });
  return lineAndColumn(text, text.length);
}

function decodes(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) {
    line++;
    start = i + 1;
  }
  return { line, column: offset - start + 1 };
}
