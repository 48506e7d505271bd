import type { LogRecord, Micros, RecordType } from "../../core/kernel/index.js";

const TYPES: readonly RecordType[] = ["stimulus", "fact", "effect", "checkpoint", "end"];
const CHUNK_BYTES = 1 << 20;

/**
 * The records of one log, by index from 0, kept in columns.
 *
 * A record costs 43 bytes plus its data as JSON text: a million facts of 80 bytes take about
 * 130 MB, and the garbage collector has a few hundred buffers to look at instead of millions of
 * objects. Growing doubles the columns, so the peak while loading is one and a half times that.
 * Data is parsed again when asked for. At most 65,536 kinds and 2^32 records.
 */
export class RecordStore {
  readonly #hosts = new Names();
  readonly #kinds = new Names();
  readonly #data = new Texts();
  #seq = new Float64Array(1024);
  #at = new Float64Array(1024);
  #cause = new Float64Array(1024);
  #host = new Uint32Array(1024);
  #kind = new Uint16Array(1024);
  #type = new Uint8Array(1024);
  #length = 0;

  /** Adds a record; `seq` must rise, as the log codec demands. Returns its index. */
  append(record: LogRecord): number {
    const index = this.#length;
    if (index === this.#seq.length) this.#grow();
    this.#seq[index] = record.seq;
    this.#at[index] = record.at;
    this.#cause[index] = record.cause ?? -1;
    this.#host[index] = this.#hosts.id(record.host);
    this.#kind[index] = this.#kinds.id(record.kind);
    this.#type[index] = TYPES.indexOf(record.type);
    this.#data.append(JSON.stringify(record.data ?? null));
    this.#length = index + 1;
    return index;
  }

  /** How many records there are. */
  get length(): number {
    return this.#length;
  }

  /** Bytes held, columns and data together, spare room included. */
  get bytes(): number {
    return this.#seq.length * 31 + this.#data.bytes;
  }

  /** The columns of an index outside the log read as -1, 0 or "". */
  seq(index: number): number {
    return this.#seq[index] ?? -1;
  }

  at(index: number): Micros {
    return this.#at[index] ?? 0;
  }

  /** `seq` of the cause, or null for what came from outside. */
  cause(index: number): number | null {
    const cause = this.#cause[index] ?? -1;
    return cause < 0 ? null : cause;
  }

  host(index: number): string {
    return this.#hosts.name(this.#host[index] ?? 0);
  }

  kind(index: number): string {
    return this.#kinds.name(this.#kind[index] ?? 0);
  }

  type(index: number): RecordType {
    return TYPES[this.#type[index] ?? 1] ?? "fact";
  }

  /** The data as JSON text. */
  dataText(index: number): string {
    return this.#data.text(index);
  }

  /** The data, parsed; a new value at every call. */
  data(index: number): unknown {
    const parsed: unknown = JSON.parse(this.#data.text(index));
    return parsed;
  }

  /** Every kind seen, in the order of first appearance. */
  get kinds(): readonly string[] {
    return this.#kinds.all;
  }

  /** The id `host(i)` is interned under, for comparing without text; -1 for a name never seen. */
  hostId(name: string): number {
    return this.#hosts.find(name);
  }

  hostIdAt(index: number): number {
    return this.#host[index] ?? -1;
  }

  kindId(name: string): number {
    return this.#kinds.find(name);
  }

  kindIdAt(index: number): number {
    return this.#kind[index] ?? -1;
  }

  /** Index of the record with exactly this `seq`, or -1: a run's log leaves stimuli out. */
  indexOfSeq(seq: number): number {
    const index = this.#firstAtLeast(this.#seq, seq);
    return this.#seq[index] === seq && index < this.#length ? index : -1;
  }

  /** Index of the last record with `seq` not above this, or -1. */
  indexUpToSeq(seq: number): number {
    return this.#firstAtLeast(this.#seq, seq + 1) - 1;
  }

  /** Index of the last record at or before a time, or -1 if the log begins later. */
  indexUpToTime(at: Micros): number {
    return this.#firstAtLeast(this.#at, Math.floor(at) + 1) - 1;
  }

  #firstAtLeast(column: Float64Array, value: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((column[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const size = this.#seq.length * 2;
    this.#seq = copyInto(new Float64Array(size), this.#seq);
    this.#at = copyInto(new Float64Array(size), this.#at);
    this.#cause = copyInto(new Float64Array(size), this.#cause);
    this.#host = copyInto(new Uint32Array(size), this.#host);
    this.#kind = copyInto(new Uint16Array(size), this.#kind);
    this.#type = copyInto(new Uint8Array(size), this.#type);
  }
}

function copyInto<Column extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(
  target: Column,
  source: Column,
): Column {
  target.set(source);
  return target;
}

/** Names under dense ids, in the order of first appearance. */
class Names {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];

  id(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#names.length;
    this.#ids.set(name, id);
    this.#names.push(name);
    return id;
  }

  find(name: string): number {
    return this.#ids.get(name) ?? -1;
  }

  name(id: number): string {
    return this.#names[id] ?? "";
  }

  get all(): readonly string[] {
    return this.#names;
  }
}

/** Texts one after another in chunks of bytes, found again by their index. */
class Texts {
  readonly #chunks: Buffer[] = [Buffer.allocUnsafe(CHUNK_BYTES)];
  #chunk = new Uint32Array(1024);
  #start = new Uint32Array(1024);
  #size = new Uint32Array(1024);
  #count = 0;
  #used = 0;

  append(text: string): void {
    const size = Buffer.byteLength(text);
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || this.#used + size > chunk.length) {
      chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, size));
      this.#chunks.push(chunk);
      this.#used = 0;
    }
    if (this.#count === this.#chunk.length) this.#grow();
    chunk.write(text, this.#used);
    this.#chunk[this.#count] = this.#chunks.length - 1;
    this.#start[this.#count] = this.#used;
    this.#size[this.#count] = size;
    this.#used += size;
    this.#count++;
  }

  text(index: number): string {
    const chunk = this.#chunks[this.#chunk[index] ?? 0];
    if (chunk === undefined || index < 0 || index >= this.#count) return "null";
    const start = this.#start[index] ?? 0;
    return chunk.toString("utf8", start, start + (this.#size[index] ?? 0));
  }

  get bytes(): number {
    let bytes = this.#chunk.length * 12;
    for (const chunk of this.#chunks) bytes += chunk.length;
    return bytes;
  }

  #grow(): void {
    const size = this.#chunk.length * 2;
    this.#chunk = copyInto(new Uint32Array(size), this.#chunk);
    this.#start = copyInto(new Uint32Array(size), this.#start);
    this.#size = copyInto(new Uint32Array(size), this.#size);
  }
}
