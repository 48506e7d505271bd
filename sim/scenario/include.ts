import { excerpt, type Path, type SourceDocument } from "./document.js";
import { decodeText, FILE_BYTES_MAX } from "./text.js";

/** Reads a file beside the scenario; `path` is relative, with `/`, and never leads out of its folder. */
export type ReadFile = (
  path: string,
) =>
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** Most bytes all included files may have together. */
export const INCLUDED_BYTES_MAX = 8 * 1024 * 1024;

/** Texts of files a scenario names. A file must lie in the scenario's folder or below it. */
export class Includes {
  readonly #source: SourceDocument;
  readonly #readFile: ReadFile;
  readonly #texts = new Map<string, string | null>();
  #bytes = 0;

  constructor(source: SourceDocument, readFile: ReadFile) {
    this.#source = source;
    this.#readFile = readFile;
  }

  /** The text given inline or by file name; null when there is none or it cannot be had. */
  text(
    path: Path,
    inline: string | undefined,
    inlineKey: string,
    file: string | undefined,
    fileKey: string,
  ): string | null {
    if (inline !== undefined && file !== undefined) {
      this.#source.report(
        [...path, fileKey],
        "E_SCENARIO_DUPLICATE",
        `both ${inlineKey} and ${fileKey}`,
        "one of them",
        "Keep the text here or in the file.",
        "key",
      );
      return null;
    }
    return file === undefined ? (inline ?? null) : this.file([...path, fileKey], file);
  }

  /** The text of a file named at `path`. */
  file(path: Path, file: string): string | null {
    const normal = insideFolder(file);
    if (normal === null) {
      this.#source.report(
        path,
        "E_SCENARIO_VALUE",
        `the path "${excerpt(file)}"`,
        "a relative path in the scenario's own folder",
        "Move the file beside the scenario, so that the folder can be passed on as a whole.",
      );
      return null;
    }
    const known = this.#texts.get(normal);
    if (known !== undefined) return known;
    const text = this.#read(path, normal);
    this.#texts.set(normal, text);
    return text;
  }

  #read(path: Path, file: string): string | null {
    const read = this.#readFile(file);
    if (!read.ok) {
      const found = `the file "${excerpt(file)}": ${read.reason}`;
      const advice = "Check the name; it is relative to the scenario's folder.";
      this.#source.report(path, "E_FILE_UNREADABLE", found, "a readable text file", advice);
      return null;
    }
    this.#bytes += read.bytes.length;
    if (this.#bytes > INCLUDED_BYTES_MAX) {
      const found = `more than ${INCLUDED_BYTES_MAX} bytes of included files`;
      const expected = `at most ${INCLUDED_BYTES_MAX} bytes together`;
      this.#source.report(path, "E_FILE_TOO_LARGE", found, expected, "Include less.");
      return null;
    }
    const decoded = decodeText(read.bytes, file, FILE_BYTES_MAX);
    if (decoded.ok) return decoded.value;
    for (const problem of decoded.diagnostics) this.#source.problems.push(problem);
    return null;
  }
}

/** The path without `.` and inner `..`; null when it is absolute or leads out of its folder. */
function insideFolder(path: string): string | null {
  if (path.startsWith("/") || path.includes("\\") || /^[A-Za-z]:/.test(path)) return null;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.length === 0 ? null : parts.join("/");
}
