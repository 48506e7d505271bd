import type { Micros } from "../../core/kernel/index.js";
import type { MeasureKind, Moment } from "../scenario/scenario.js";

/** One measured quantity of a run. */
export interface Measurement {
  /** Line of the expectation in the scenario's file. */
  readonly line: number;
  readonly kind: MeasureKind["kind"];
  /** Terms, parts per million, µs, errors, requests or facts. */
  readonly value: number;
}

/** What a measure reads at a moment. */
export interface Reading {
  /** Highest term of any member so far. */
  readonly term: number;
  /** Whether some member leads a quorum of its voters. */
  readonly led: boolean;
  /** When a write of the probe was last answered; 0 before the first. */
  readonly writtenAt: Micros;
}

type Interval = Extract<Moment, { readonly from: Micros }>;

/**
 * One quantity over an interval, kept up to date by readings. What a reading shows lasts until the
 * next one, so there has to be a reading after each change and at both ends of the interval.
 */
export class Measure {
  readonly #kind: MeasureKind["kind"];
  readonly #from: Micros;
  readonly #until: Micros;
  #last: { readonly at: Micros; readonly reading: Reading } | null = null;
  #termAtFrom = 0;
  #ledFor: Micros = 0;
  #counted = 0;
  #outage: Micros = 0;

  constructor(kind: MeasureKind["kind"], when: Interval) {
    this.#kind = kind;
    this.#from = when.from;
    this.#until = when.until;
  }

  read(at: Micros, reading: Reading): void {
    if (at < this.#from || at > this.#until) return;
    const { at: before, reading: then } = this.#last ?? { at: this.#from, reading };
    if (this.#last === null) this.#termAtFrom = reading.term;
    if (then.led) this.#ledFor += at - before;
    const gap = at - Math.max(this.#from, Math.min(reading.writtenAt, at));
    const ended = Math.max(this.#from, reading.writtenAt) - Math.max(this.#from, then.writtenAt);
    this.#outage = Math.max(this.#outage, gap, ended);
    this.#last = { at, reading };
  }

  /** One more of what is counted. */
  count(at: Micros): void {
    if (at >= this.#from && at <= this.#until) this.#counted++;
  }

  /** What was measured so far: terms, parts per million of the interval, µs, errors, requests or facts. */
  value(): number {
    switch (this.#kind) {
      case "terms":
        return (this.#last?.reading.term ?? 0) - this.#termAtFrom;
      case "led":
        return Math.round((this.#ledFor * 1_000_000) / (this.#until - this.#from));
      case "outage":
        return this.#outage;
      case "errors":
      case "requests":
      case "facts":
        return this.#counted;
    }
  }
}
