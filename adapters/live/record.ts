import type { LogRecord, Micros, RecordType } from "../../core/kernel/index.js";

/** Where records go, in order. `write` throws when the record could not be kept. */
export interface RecordSink {
  write(record: LogRecord): void;
  /** Hands everything written so far to the operating system, so that a kill loses nothing of it. */
  flush(): void;
  close(): void;
}

/**
 * Stimuli of the world itself, which say what machines there are:
 * `world.started` (data: program, time as ISO 8601): the program was started, so no machine of an
 * earlier start lives on; `world.created` (data: machine, config): a fresh machine on a host.
 */
export const WORLD_STARTED = "world.started";
export const WORLD_CREATED = "world.created";

/** Anything of a machine's unions. */
export interface Kinded {
  readonly kind: string;
}

/** What a record says, apart from its place. */
export interface Told {
  readonly type: RecordType;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A fact's kind is dotted already; stimuli and effects get the name of their machine. The rest is the data. */
export function tell(type: "stimulus" | "fact" | "effect", machine: string, item: Kinded): Told {
  const { kind, ...data } = item;
  return { type, kind: type === "fact" ? kind : `${machine}.${kind}`, data };
}

/** Machine and kind of a stimulus or effect as recorded; null when the name has no dot. */
export function untell(kind: string): { readonly machine: string; readonly kind: string } | null {
  const dot = kind.indexOf(".");
  return dot < 0 ? null : { machine: kind.slice(0, dot), kind: kind.slice(dot + 1) };
}

/** Stamps records with the next seq and a time that never goes back. */
export class Recorder {
  readonly #sink: RecordSink;
  #seq: number;
  #at: Micros;

  /** @param seq - the first to give; `at` - no record is earlier */
  constructor(sink: RecordSink, seq = 0, at: Micros = 0) {
    this.#sink = sink;
    this.#seq = seq;
    this.#at = at;
  }

  /** Sets the time of the records to come, and returns it. */
  advance(now: Micros): Micros {
    if (now > this.#at) this.#at = now;
    return this.#at;
  }

  /** Writes one record and returns its seq. */
  write(told: Told, host: string, cause: number | null): number {
    const seq = this.#seq++;
    const { type, kind, data } = told;
    this.#sink.write({ seq, at: this.#at, host, type, kind, data, cause });
    return seq;
  }

  flush(): void {
    this.#sink.flush();
  }

  /** Ends the log: it is complete. */
  end(): void {
    this.write({ type: "end", kind: "end", data: {} }, "", null);
    this.#sink.close();
  }
}
