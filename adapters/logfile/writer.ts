import {
  type Diagnostic,
  LogEncoder,
  type LogHeader,
  type LogRecord,
  type Parsed,
} from "../../core/kernel/index.js";
import { openLog } from "./reader.js";
import { type LogSink, openSink } from "./sink.js";

/** Bytes gathered before they are written. */
export const CHUNK_BYTES = 64 * 1024;

export interface LogWriterOptions {
  /** Replace a file that is there already; otherwise that is an error. */
  readonly overwrite?: boolean;
  /** Sync at every checkpoint record, or only when the log is closed. */
  readonly sync?: "checkpoints" | "close";
}

/**
 * Writes a log so that a crash at any moment leaves a readable one: whole lines go out in chunks,
 * in order, appended; checkpoints and the close are synced. After a failed write the file is cut
 * back to its last whole line, and every later call reports the same failure.
 */
export class LogWriter {
  readonly #sink: LogSink;
  readonly #path: string;
  readonly #encoder: LogEncoder;
  readonly #syncCheckpoints: boolean;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #filled = 0;
  /** Bytes of whole lines in the file. */
  #bytes: number;
  #records: number;
  #failure: Diagnostic | null = null;
  #closed = false;

  private constructor(
    sink: LogSink,
    path: string,
    encoder: LogEncoder,
    start: { readonly bytes: number; readonly records: number },
    options: LogWriterOptions,
  ) {
    this.#sink = sink;
    this.#path = path;
    this.#encoder = encoder;
    this.#bytes = start.bytes;
    this.#records = start.records;
    this.#syncCheckpoints = options.sync !== "close";
  }

  /** Begins a new log in a file. The header is on disk when this returns. */
  static create(
    path: string,
    header: LogHeader,
    options: LogWriterOptions = {},
  ): Parsed<LogWriter> {
    let sink: LogSink;
    try {
      sink = openSink(path, options.overwrite === true ? "overwrite" : "refuse");
    } catch (error) {
      return { ok: false, diagnostics: [writeProblem(path, error, 0)] };
    }
    return LogWriter.to(sink, path, header, options);
  }

  /** Begins a new log on a sink; `path` is what problems call it. */
  static to(
    sink: LogSink,
    path: string,
    header: LogHeader,
    options: LogWriterOptions = {},
  ): Parsed<LogWriter> {
    const encoder = new LogEncoder();
    const line = encoder.header(header);
    const writer = new LogWriter(sink, path, encoder, { bytes: 0, records: 0 }, options);
    writer.#append(line);
    const problem = writer.sync();
    if (problem === null) return { ok: true, value: writer, warnings: [] };
    writer.close();
    return { ok: false, diagnostics: [problem] };
  }

  /**
   * Goes on with a log that a crash cut short: what is left of a torn line is dropped. A log that
   * is complete, or damaged, is refused.
   */
  static resume(
    path: string,
    options: Omit<LogWriterOptions, "overwrite"> = {},
  ): Parsed<LogWriter> {
    const opened = openLog(path);
    if (!opened.ok) return opened;
    const status = opened.value.verify();
    opened.value.close();
    if (status.kind !== "truncated") {
      const found = status.kind === "ended" ? "a complete log" : "a damaged log";
      const expected = "a log that was cut short";
      const advice = "Write to another file.";
      const position = { file: path, line: 1, column: 1 };
      const code = "E_LOG_WRITE";
      return {
        ok: false,
        diagnostics: [{ code, severity: "error", position, found, expected, advice }],
      };
    }
    try {
      const sink = openSink(path, "append");
      sink.truncate(status.place.offset);
      const start = { bytes: status.place.offset, records: (status.place.lines ?? 1) - 1 };
      const encoder = LogEncoder.after(status.place.sum);
      const writer = new LogWriter(sink, path, encoder, start, options);
      return { ok: true, value: writer, warnings: [] };
    } catch (error) {
      return { ok: false, diagnostics: [writeProblem(path, error, (status.place.lines ?? 1) - 1)] };
    }
  }

  /** Adds a record. Null, or what keeps the log from being written. */
  write(record: LogRecord): Diagnostic | null {
    if (this.#closed) throw new Error("the log is closed");
    if (this.#failure !== null) return this.#failure;
    this.#append(this.#encoder.record(record));
    this.#records++;
    if (record.type === "checkpoint" && this.#syncCheckpoints) return this.sync();
    return this.#failure;
  }

  /** Hands what is gathered to the operating system, so that readers see it. */
  flush(): Diagnostic | null {
    if (this.#failure === null && this.#filled > 0) {
      this.#send(this.#chunk.subarray(0, this.#filled));
      this.#filled = 0;
    }
    return this.#failure;
  }

  /** Flushes, and makes what was written survive a power loss. */
  sync(): Diagnostic | null {
    this.flush();
    if (this.#failure !== null) return this.#failure;
    try {
      this.#sink.sync();
    } catch (error) {
      this.#failure = writeProblem(this.#path, error, this.#records);
    }
    return this.#failure;
  }

  /** Syncs and closes. A log without an end record counts as cut short. */
  close(): Diagnostic | null {
    if (this.#closed) return this.#failure;
    this.sync();
    this.#closed = true;
    try {
      this.#sink.close();
    } catch (error) {
      this.#failure ??= writeProblem(this.#path, error, this.#records);
    }
    return this.#failure;
  }

  /** Bytes written or gathered. */
  get bytes(): number {
    return this.#bytes + this.#filled;
  }

  /** Records written or gathered, the header not counted. */
  get records(): number {
    return this.#records;
  }

  /** The checksum of the last line: it stands for the whole log so far. */
  get sum(): string {
    return this.#encoder.sum;
  }

  #append(line: string): void {
    if (this.#filled + line.length > CHUNK_BYTES) this.flush();
    if (this.#failure !== null) return;
    if (line.length > CHUNK_BYTES) {
      this.#send(Buffer.from(line, "latin1"));
      return;
    }
    this.#filled += this.#chunk.write(line, this.#filled, "latin1");
  }

  #send(bytes: Uint8Array): void {
    let sent = 0;
    try {
      while (sent < bytes.length) sent += this.#sink.write(bytes.subarray(sent));
      this.#bytes += bytes.length;
    } catch (error) {
      this.#failure = writeProblem(this.#path, error, this.#records);
      this.#bytes += bytes.subarray(0, sent).lastIndexOf(NEWLINE) + 1;
      this.#filled = 0;
      try {
        this.#sink.truncate(this.#bytes);
      } catch {
        // Then a torn line stays behind, which readers know how to take.
      }
    }
  }
}

const NEWLINE = 0x0a;

/** What an error of the operating system means for a log, and what to do about it. */
function writeProblem(path: string, error: unknown, records: number): Diagnostic {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const [found, advice] = REASONS[code] ?? [
    error instanceof Error ? error.message : String(error),
    "Write the log somewhere else.",
  ];
  const kept = records > 0 ? " What was written so far is intact and can be read." : "";
  return {
    code: "E_LOG_WRITE",
    severity: "error",
    position: { file: path, line: records + 1, column: 1 },
    found,
    expected: "a file that can be written",
    advice: advice + kept,
  };
}

const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  EEXIST: ["a file that is there already", "Name another file, or allow overwriting it."],
  ENOENT: ["no such folder", "Make the folder first."],
  ENOTDIR: ["a path through something that is no folder", "Correct the path."],
  EISDIR: ["a folder", "Name a file in it."],
  EACCES: ["no permission to write", "Write where you may, or change the permissions."],
  EPERM: ["no permission to write", "Write where you may, or change the permissions."],
  EROFS: ["a read-only file system", "Write to another file system."],
  ENOSPC: ["no space left on the device", "Free some space or write to another device."],
  EDQUOT: ["the disk quota used up", "Free some space or write to another device."],
  EFBIG: ["a file as large as is allowed", "Raise the limit on file sizes, or run for less long."],
  EIO: ["an error of the device", "Write to another device; this one may be failing."],
  EMFILE: ["too many open files", "Raise the limit on open files."],
  EPIPE: ["a pipe nobody reads from any more", "Write to a file."],
};
