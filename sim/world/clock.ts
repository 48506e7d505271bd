import type { Micros } from "../../core/kernel/index.js";

/**
 * A host's wall clock against true time: `local = anchor + elapsed + elapsed × drift`. It goes on
 * while the host is down (a battery keeps it), and steps and drift changes apply from where it is.
 */
export class Clock {
  #anchorTrue: Micros;
  #anchorLocal: Micros;
  #driftPpm: number;

  /**
   * @param start - wall clock time of true time 0, µs since the Unix epoch
   * @param offset - how far the clock is ahead at true time 0
   * @param driftPpm - microseconds gained per true second
   */
  constructor(start: Micros, offset: Micros, driftPpm: number) {
    this.#anchorTrue = 0;
    this.#anchorLocal = start + offset;
    this.#driftPpm = driftPpm;
  }

  /** What the clock shows at true time `at`. */
  read(at: Micros): Micros {
    const elapsed = at - this.#anchorTrue;
    return this.#anchorLocal + elapsed + Math.floor((elapsed * this.#driftPpm) / 1_000_000);
  }

  /** How long in true time the clock takes to advance by `delay`; at least 0. */
  trueDelay(delay: Micros): Micros {
    if (this.#driftPpm === 0) return delay;
    return Math.ceil((delay * 1_000_000) / (1_000_000 + this.#driftPpm));
  }

  /** Steps the clock by `by` at true time `at`. Timers already armed do not notice. */
  step(at: Micros, by: Micros): void {
    this.#anchorLocal = this.read(at) + by;
    this.#anchorTrue = at;
  }

  /** Changes the drift from true time `at` on, adding `ppm` to it. */
  addDrift(at: Micros, ppm: number): void {
    this.#anchorLocal = this.read(at);
    this.#anchorTrue = at;
    this.#driftPpm += ppm;
  }
}
