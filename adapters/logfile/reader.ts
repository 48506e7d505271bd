import { closeSync, fstatSync, openSync } from "node:fs";
import {
  type Diagnostic,
  isTornLine,
  LogDecoder,
  type LogHeader,
  type LogPlace,
  type LogRecord,
  type Micros,
  type Parsed,
} from "../../core/kernel/index.js";
import { LineReader } from "./lines.js";

/** How far a log was read, and where in the file that is. */
export interface FilePlace extends Omit<LogPlace, "lines"> {
  /** Lines before this place, the header included; null behind a place that bisection found. */
  readonly lines: number | null;
  /** Byte offset of the next line. */
  readonly offset: number;
}

/** How the readable part of a log ends. */
export type LogStatus =
  /** With its end record, and nothing behind it. */
  | { readonly kind: "ended"; readonly place: FilePlace }
  /** Before its end record: the run crashed, or is still going on. `torn` bytes of a line follow. */
  | { readonly kind: "truncated"; readonly place: FilePlace; readonly torn: number }
  /** At something that no writer wrote there. `place` is where the intact part ends. */
  | { readonly kind: "damaged"; readonly place: FilePlace; readonly detail: string };

/** Lines between two entries of the index that `verify` makes. */
export const INDEX_EVERY = 4_096;

/** Opens a log and reads its header. */
export function openLog(path: string): Parsed<LogReader> {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    return refuse(path, "E_FILE_UNREADABLE", reasonOf(error), "a log", "Check the path.");
  }
  const opened = readHeader(path, descriptor);
  if (!opened.ok) closeSync(descriptor);
  return opened;
}

function readHeader(path: string, descriptor: number): Parsed<LogReader> {
  if (!fstatSync(descriptor).isFile()) {
    const advice = "Write it to a file first.";
    return refuse(path, "E_FILE_UNREADABLE", "something that is not a file", "a log file", advice);
  }
  const lines = new LineReader(descriptor, 0);
  const line = lines.next();
  if (line === null) {
    if (!isTornLine(null, lines.tail)) return noHeader(path, "no Orrery log header");
    const found = lines.tail === "" ? "an empty file" : "a header that was cut short";
    const advice = "The run crashed before it wrote anything, or this is not its log.";
    return refuse(path, "E_LOG_TRUNCATED", found, "an Orrery log", advice);
  }
  const decoded = new LogDecoder().line(line);
  if (decoded.ok && "header" in decoded) {
    const sum = line.slice(-18, -2);
    const start = { lines: 1, seq: -1, at: -1, sum, ended: false, offset: line.length + 1 };
    const reader = new LogReader(path, descriptor, decoded.header, start);
    return { ok: true, value: reader, warnings: [] };
  }
  if (!decoded.ok && decoded.problem === "version") {
    const advice = "Read it with the version of Orrery that wrote it, or a newer one.";
    return refuse(path, "E_LOG_VERSION", decoded.detail, "format version 1", advice);
  }
  return noHeader(path, decoded.ok ? "no header" : decoded.detail);
}

function noHeader(path: string, found: string): Parsed<never> {
  const expected = "an Orrery log, which begins with its header";
  const advice = "Is this the right file? If it is, its first line was damaged.";
  return refuse(path, "E_LOG_HEADER", found, expected, advice);
}

/**
 * Reads a log, whole or in part, checking every line against the chain as it goes. Memory is
 * bounded by the longest line. A log may grow while it is read.
 */
export class LogReader {
  readonly header: LogHeader;
  readonly path: string;
  /** Behind the header. */
  readonly start: FilePlace;
  readonly #descriptor: number;
  /** Places in the file, ascending; more of them once the log was verified. */
  #index: FilePlace[];
  #status: LogStatus | null = null;

  /** Use `openLog`. */
  constructor(path: string, descriptor: number, header: LogHeader, start: FilePlace) {
    this.path = path;
    this.header = header;
    this.start = start;
    this.#descriptor = descriptor;
    this.#index = [start];
  }

  /** How the reading that last came to an end ended; null before that. */
  get status(): LogStatus | null {
    return this.#status;
  }

  /** Reads the whole log and says how it ends. Makes later seeks quicker. */
  verify(): LogStatus {
    const index: FilePlace[] = [this.start];
    const walk = this.#walk(this.start, index);
    for (let step = walk.next(); ; step = walk.next()) {
      if (step.done === true) {
        this.#index = index;
        return step.value;
      }
    }
  }

  /** The records from `place` on (the first unless given), as far as they are intact; then see `status`. */
  *records(place: FilePlace = this.start): Generator<LogRecord, LogStatus, undefined> {
    return yield* this.#walk(place, null);
  }

  /**
   * The place before the first record at or after a time, or with this or a later `seq`. Finds it
   * by bisection, reading few lines. What lies before the place is not checked; null when the
   * lines on the way are damaged, in which case reading from the start says where.
   */
  seek(target: { readonly at: Micros } | { readonly seq: number }): FilePlace | null {
    const before = (record: { readonly at: number; readonly seq: number }): boolean =>
      "at" in target ? record.at < target.at : record.seq < target.seq;
    let low = this.start;
    let high = fstatSync(this.#descriptor).size;
    for (const place of this.#index) {
      if (place.seq >= 0 && !before(place)) {
        high = Math.min(high, place.offset);
        break;
      }
      low = place;
    }
    // Once the stretch is short, reading it through is quicker than halving it.
    while (high - low.offset > SEEK_STOP_BYTES) {
      const middle = low.offset + Math.floor((high - low.offset) / 2);
      const place = this.#placeAfter(middle, high);
      if (place === "damaged") return null;
      if (place !== null && before(place)) low = place;
      else high = middle;
    }
    return this.#scan(low, before);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  *#walk(place: FilePlace, index: FilePlace[] | null): Generator<LogRecord, LogStatus, undefined> {
    const lines = new LineReader(this.#descriptor, place.offset);
    // The decoder counts lines; from a place that bisection found its count means nothing.
    const decoder = LogDecoder.after({ ...place, lines: place.lines ?? 1 });
    const placeAt = (offset: number): FilePlace => {
      const { lines: count, ...rest } = decoder.place;
      return { ...rest, lines: place.lines === null ? null : count, offset };
    };
    for (let line = lines.next(); line !== null; line = lines.next()) {
      const decoded = decoder.line(line);
      const offset = lines.offset - line.length - 1;
      if (!decoded.ok) {
        return this.#stop({
          kind: "damaged",
          place: placeAt(offset),
          detail: decoded.detail,
        });
      }
      if ("header" in decoded) throw new Error("a decoder past the header met a header");
      if (index !== null && decoder.lines % INDEX_EVERY === 0) {
        index.push(placeAt(lines.offset));
      }
      yield decoded.record;
    }
    const end = placeAt(lines.offset);
    if (!isTornLine(decoder.place, lines.tail)) {
      const detail = end.ended ? "follows the end record" : "is no beginning of a record";
      return this.#stop({ kind: "damaged", place: end, detail });
    }
    if (end.ended) return this.#stop({ kind: "ended", place: end });
    return this.#stop({ kind: "truncated", place: end, torn: lines.tail.length });
  }

  #stop(status: LogStatus): LogStatus {
    this.#status = status;
    return status;
  }

  /** The place behind the first line that begins after `offset`; null when there is none before `end`. */
  #placeAfter(offset: number, end: number): FilePlace | "damaged" | null {
    const lines = new LineReader(this.#descriptor, offset);
    if (lines.next() === null || lines.offset >= end) return null;
    const line = lines.next();
    if (line === null) return null;
    return placeOf(line, lines.offset) ?? "damaged";
  }

  #scan(
    low: FilePlace,
    before: (record: { readonly at: number; readonly seq: number }) => boolean,
  ): FilePlace | null {
    const lines = new LineReader(this.#descriptor, low.offset);
    let place = low;
    for (let line = lines.next(); line !== null; line = lines.next()) {
      const next = placeOf(line, lines.offset);
      if (next === null) return null;
      if (!before(next)) return place;
      place = { ...next, lines: place.lines === null ? null : place.lines + 1 };
    }
    return place;
  }
}

/** Below this, a stretch of the file is read through. */
const SEEK_STOP_BYTES = 128 * 1024;

const HEAD = /^\{"seq":(\d{1,16}),"at":(\d{1,16}),"host":"(?:[^"\\]|\\.)*","type":"([a-z]+)"/;
const SUM = /^,"sum":"([0-9a-f]{16})"\}$/;

/** The place behind a line, by what the line says of itself; null when it is no whole record. */
function placeOf(line: string, offset: number): FilePlace | null {
  const head = HEAD.exec(line);
  const sum = SUM.exec(line.slice(-SUM_LENGTH))?.[1];
  if (head === null || sum === undefined) return null;
  const ended = head[3] === "end";
  return { lines: null, seq: Number(head[1]), at: Number(head[2]), sum, ended, offset };
}

const SUM_LENGTH = ',"sum":"0123456789abcdef"}'.length;

/** What to tell a user about a log that is not complete; null when it is. */
export function logProblem(path: string, status: LogStatus): Diagnostic | null {
  if (status.kind === "ended") return null;
  const { lines, seq, at, offset } = status.place;
  const position = { file: path, line: (lines ?? 0) + 1, column: 1 };
  const last = seq < 0 ? "its header" : `the record of seq ${seq} at ${at} µs`;
  if (status.kind === "truncated") {
    return {
      code: "E_LOG_TRUNCATED",
      severity: "warning",
      position,
      found: `the end of the file after ${last}`,
      expected: "an end record",
      advice: "The run crashed or is still going on. What is there is intact and is used.",
    };
  }
  return {
    code: "E_LOG_DAMAGED",
    severity: "error",
    position,
    found: `record ${lines}, at byte ${offset}, which ${status.detail}`,
    expected: "the record that was written there",
    advice: `What comes before, up to ${last}, is intact.`,
  };
}

function refuse(
  path: string,
  code: Diagnostic["code"],
  found: string,
  expected: string,
  advice: string,
): Parsed<never> {
  const position = { file: path, line: 1, column: 1 };
  return {
    ok: false,
    diagnostics: [{ code, severity: "error", position, found, expected, advice }],
  };
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "a file that may not be read";
  return error instanceof Error ? error.message : String(error);
}
