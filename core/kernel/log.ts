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
    const { seq, at, host, type, kind, data, cause } = record;
    if (!isCount(seq) || !isCount(at) || !(cause === null || isCount(cause))) {
      throw new RangeError(`not a record: seq ${seq}, at ${at}, cause ${cause}`);
    }
    // Keys in one order whoever made the record, so that a reader finds seq and at without parsing.
    const head = `{"seq":${seq},"at":${at},"host":${JSON.stringify(host)},"type":"${type}"`;
    const tail = `"data":${JSON.stringify(data) ?? "null"},"cause":${cause}}`;
    return this.#seal(ascii(`${head},"kind":${JSON.stringify(kind)},${tail}`));
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
      /** `form`: the checksum fits, yet no encoder writes such a line. */
      readonly problem: "header" | "version" | "checksum" | "order" | "form";
      readonly detail: string;
    };

/** How far a log was read: what a decoder must know to go on from there. */
export interface LogPlace {
  /** Lines accepted, the header included: the index of the next record. */
  readonly lines: number;
  /** Of the last record; -1 after the header. */
  readonly seq: number;
  readonly at: Micros;
  /** The checksum of the last line. */
  readonly sum: string;
  readonly ended: boolean;
}

/** Decodes one log, line by line, in order, and checks every line against the chain. */
export class LogDecoder {
  #sum = "";
  #lines = 0;
  #seq = -1;
  #at = -1;
  #ended = false;

  /** @param line - without its newline */
  line(line: string): DecodedLine {
    return this.#lines === 0 ? this.#header(line) : this.#next(line);
  }

  #header(line: string): DecodedLine {
    if (!line.startsWith('{"orrery":')) return refuse(0, "header", "no Orrery log header");
    // A newer version may chain its lines in another way, so this is asked before the checksum.
    const version = newerVersion(line);
    if (version !== null) return refuse(0, "version", `format version ${version}`);
    const sealed = unseal("", line);
    if (sealed === null) return refuse(0, "checksum", "does not match its checksum");
    const header = parseObject(sealed.json);
    if (!isHeader(header)) return refuse(0, "form", "is no header of this format");
    this.#lines = 1;
    this.#sum = sealed.sum;
    return { ok: true, header };
  }

  #next(line: string): DecodedLine {
    const sealed = unseal(this.#sum, line);
    if (sealed === null) return refuse(this.#lines, "checksum", "does not match its checksum");
    const record = parseObject(sealed.json);
    if (!isRecord(record)) return refuse(this.#lines, "form", "is no record of this format");
    return this.#record(record, sealed.sum);
  }

  #record(record: LogRecord, sum: string): DecodedLine {
    const index = this.#lines;
    if (this.#ended || record.seq <= this.#seq || record.at < this.#at) {
      return refuse(index, "order", this.#ended ? "follows the end record" : "is out of order");
    }
    this.#lines++;
    this.#sum = sum;
    this.#seq = record.seq;
    this.#at = record.at;
    this.#ended = record.type === "end";
    return { ok: true, record };
  }

  /** Continues a log that was read as far as `place`. */
  static after(place: LogPlace): LogDecoder {
    const decoder = new LogDecoder();
    decoder.#sum = place.sum;
    decoder.#lines = place.lines;
    decoder.#seq = place.seq;
    decoder.#at = place.at;
    decoder.#ended = place.ended;
    return decoder;
  }

  /** How far this decoder has read. */
  get place(): LogPlace {
    const { lines, ended, sum } = this;
    return { lines, seq: this.#seq, at: this.#at, sum, ended };
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

function refuse(
  record: number,
  problem: Exclude<DecodedLine, { ok: true }>["problem"],
  detail: string,
): DecodedLine {
  return { ok: false, record, problem, detail };
}

/** A line's JSON and checksum; null when the checksum is not that of the line in its place. */
function unseal(previous: string, line: string): { json: string; sum: string } | null {
  const body = line.slice(0, -SUFFIX_LENGTH);
  const sum = SUFFIX.exec(line.slice(-SUFFIX_LENGTH))?.[1];
  if (sum === undefined || chain(previous, body) !== sum) return null;
  return { json: `${body}}`, sum };
}

function parseObject(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

const TYPES: ReadonlySet<unknown> = new Set<RecordType>([
  "stimulus",
  "fact",
  "effect",
  "checkpoint",
  "end",
]);

function isRecord(value: unknown): value is LogRecord {
  if (value === null || typeof value !== "object") return false;
  const record = value as Partial<Record<keyof LogRecord, unknown>>;
  return (
    isCount(record.seq) &&
    isCount(record.at) &&
    typeof record.host === "string" &&
    TYPES.has(record.type) &&
    typeof record.kind === "string" &&
    (record.cause === null || isCount(record.cause))
  );
}

function isHeader(value: unknown): value is LogHeader {
  if (value === null || typeof value !== "object") return false;
  const { orrery, kind, origin } = value as Partial<Record<keyof LogHeader, unknown>>;
  if (orrery !== LOG_VERSION) return false;
  return (kind === "run" || kind === "recording") && typeof origin === "object" && origin !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Whether the bytes behind a log's last newline are what a crash leaves: the beginning of a line
 * that was being written, perhaps all of it but the newline, perhaps followed by the zeros with
 * which some file systems fill what they had no time to write. Everything else is damage.
 *
 * A beginning of a line is printable ASCII that goes on from `{"seq":` (`{"orrery":` for the
 * header) and closes its outermost brace, if it does, as its last character; and a line that is
 * whole carries the right checksum.
 */
export function isTornLine(place: LogPlace | null, tail: string): boolean {
  const text = tail.replace(/\0+$/, "");
  const start = place === null ? '{"orrery":' : '{"seq":';
  if (place?.ended === true) return tail === "";
  if (!text.startsWith(start.slice(0, text.length))) return false;
  const closed = closingBrace(text);
  if (closed < 0) return true;
  return closed === text.length - 1 && unseal(place?.sum ?? "", text) !== null;
}

/** Where the outermost brace closes; text.length when something unprintable comes first; -1 if neither. */
function closingBrace(text: string): number {
  let depth = 0;
  let quoted = false;
  let escaped = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return text.length;
    const character = text[i];
    if (escaped) escaped = false;
    else if (quoted) {
      if (character === "\\") escaped = true;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return i;
  }
  return -1;
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
