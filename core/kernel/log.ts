import { createHash, type Hash, hashHex, hashText } from "./hash.js";
import type { Micros } from "./units.js";

/**
 * The log codec. A log is a text file of JSON lines that any tool can read; each line ends in
 * `"sum":"…"`, a 64-bit checksum over the line and the checksum of the line before, so that a
 * record can neither be changed, dropped, repeated nor moved without notice.
 *
 *     {"orrery":1,"kind":"run",…,"sum":"…"}            the header, record 0
 *     {"seq":17,"at":1500000,"host":"a1",…,"sum":"…"}  one record a line, seq and at never decrease
 *     {"seq":99,…,"type":"end",…,"sum":"…"}            the end record of a complete log
 *
 * Lines are ASCII (everything else is \u-escaped), so a byte is a character. Appending whole
 * lines is crash-safe: what a crash leaves is a prefix of the file, whose last line may be cut.
 */
export const LOG_VERSION = 1;

/** `run` logs hold facts, hashes and checkpoints: seed and scenario bring the stimuli back. `recording`s hold every stimulus. */
export type LogKind = "run" | "recording";

export interface LogHeader {
  readonly orrery: typeof LOG_VERSION;
  readonly kind: LogKind;
  /** Whatever brings the run back: scenario, seed, machines and their configuration. */
  readonly origin: Readonly<Record<string, unknown>>;
}

export type RecordType = "stimulus" | "fact" | "effect" | "checkpoint" | "end";

/** One record. `seq` counts every stimulus, fact and effect of the run, stored or not. */
export interface LogRecord {
  readonly seq: number;
  readonly at: Micros;
  /** Name of the host or service it happened on; "" for the cluster. */
  readonly host: string;
  readonly type: RecordType;
  /** Dotted name, such as `raft.became-leader`. */
  readonly kind: string;
  /** JSON data; its shape follows from `kind`. */
  readonly data: unknown;
  /** `seq` of what led to it; null for what came from outside. */
  readonly cause: number | null;
}

/** Encodes one log, line by line, in order. Holds the chain's state and nothing else. */
export class LogEncoder {
  #sum = "";

  /** The header line, with its newline. Must come first. */
  header(header: LogHeader): string {
    if (this.#sum !== "") throw new Error("the header is the first line of a log");
    return this.#seal(ascii(JSON.stringify(header)));
  }

  /** The line of one record, with its newline. */
  record(record: LogRecord): string {
    if (this.#sum === "") throw new Error("a log begins with its header");
    return this.#seal(ascii(JSON.stringify(record)));
  }

  /** Continues a log whose last line carried `sum`. */
  static after(sum: string): LogEncoder {
    const encoder = new LogEncoder();
    encoder.#sum = sum;
    return encoder;
  }

  /** The checksum of the last line written: it stands for the whole log so far. */
  get sum(): string {
    return this.#sum;
  }

  #seal(json: string): string {
    const body = json.slice(0, -1);
    this.#sum = chain(this.#sum, body);
    return `${body},"sum":"${this.#sum}"}\n`;
  }
}

const SUFFIX = /^,"sum":"([0-9a-f]{16})"\}$/;
const SUFFIX_LENGTH = ',"sum":"0123456789abcdef"}'.length;

/** What became of one line. */
export type DecodedLine =
  | { readonly ok: true; readonly header: LogHeader }
  | { readonly ok: true; readonly record: LogRecord }
  | {
      readonly ok: false;
      /** Index of the damaged record, the header being 0. */
      readonly record: number;
      readonly problem: "header" | "version" | "checksum" | "order";
      readonly detail: string;
    };

/** Decodes one log, line by line, in order, and checks every line against the chain. */
export class LogDecoder {
  #sum = "";
  #lines = 0;
  #seq = -1;
  #at = -1;
  #ended = false;

  /** @param line - without its newline */
  line(line: string): DecodedLine {
    const record = this.#lines;
    const body = line.slice(0, -SUFFIX_LENGTH);
    const sum = SUFFIX.exec(line.slice(-SUFFIX_LENGTH))?.[1];
    if (record === 0 && !line.startsWith('{"orrery":')) {
      return { ok: false, record, problem: "header", detail: "no Orrery log header" };
    }
    if (sum === undefined || chain(this.#sum, body) !== sum) {
      const version = record === 0 ? newerVersion(line) : null;
      if (version !== null) {
        return { ok: false, record, problem: "version", detail: `format version ${version}` };
      }
      return { ok: false, record, problem: "checksum", detail: "does not match its checksum" };
    }
    const parsed = JSON.parse(`${body}}`) as LogHeader | LogRecord;
    if (record === 0) return this.#header(parsed as LogHeader, sum);
    return this.#record(parsed as LogRecord, sum);
  }

  #header(header: LogHeader, sum: string): DecodedLine {
    if (header.orrery !== LOG_VERSION) {
      const detail = `format version ${String(header.orrery)}`;
      return { ok: false, record: 0, problem: "version", detail };
    }
    this.#lines = 1;
    this.#sum = sum;
    return { ok: true, header };
  }

  #record(record: LogRecord, sum: string): DecodedLine {
    const index = this.#lines;
    if (this.#ended || record.seq <= this.#seq || record.at < this.#at) {
      const detail = this.#ended ? "follows the end record" : "is out of order";
      return { ok: false, record: index, problem: "order", detail };
    }
    this.#lines++;
    this.#sum = sum;
    this.#seq = record.seq;
    this.#at = record.at;
    this.#ended = record.type === "end";
    return { ok: true, record };
  }

  /** True once the end record has been read: the log is complete. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Lines accepted so far, the header included. */
  get lines(): number {
    return this.#lines;
  }

  /** The checksum of the last line accepted. */
  get sum(): string {
    return this.#sum;
  }
}

function newerVersion(line: string): number | null {
  const version = Number(/^\{"orrery":(\d+)[,}]/.exec(line)?.[1]);
  return version > LOG_VERSION ? version : null;
}

/** The checksum of a line: over the previous checksum and the line's body. */
function chain(previous: string, body: string): string {
  const hash: Hash = createHash();
  hashText(hash, previous);
  hashText(hash, body);
  return hashHex(hash);
}

const NOT_ASCII = /[\u007f-\uffff]/g;

function ascii(json: string): string {
  return json.replace(
    NOT_ASCII,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
