import type { Micros } from "../../core/kernel/index.js";
import { formatDuration } from "../../viz/index.js";

/**
 * Progress of a run on standard error: a line that is redrawn on a terminal, a line each quarter
 * elsewhere.
 */
export class Progress {
  readonly #enabled: boolean;
  readonly #terminal = process.stderr.isTTY === true;
  readonly #started = Date.now();
  #quarter = 0;
  #drawn = 0;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  show(at: Micros, duration: Micros, events: number): void {
    if (!this.#enabled) return;
    const part = duration === 0 ? 1 : at / duration;
    if (this.#terminal) {
      if (Date.now() - this.#drawn < REDRAW_MS) return;
      this.#drawn = Date.now();
      process.stderr.write(`\r\u001b[2K${this.#line(at, part, events)}`);
    } else if (Math.floor(part * 4) > this.#quarter) {
      this.#quarter = Math.floor(part * 4);
      process.stderr.write(`${this.#line(at, part, events)}\n`);
    }
  }

  /** Takes the line away. */
  done(): void {
    if (this.#enabled && this.#terminal) process.stderr.write("\r\u001b[2K");
  }

  #line(at: Micros, part: number, events: number): string {
    const wall = Math.max(Date.now() - this.#started, 1);
    const percent = `${Math.floor(part * 100)} %`.padStart(5);
    const rate = `${Math.round(events / wall)} k events/s`;
    const speed = `${Math.round(at / wall / 1000)}x real time`;
    return `${percent}  ${formatDuration(at)} simulated, ${rate}, ${speed}`;
  }
}

const REDRAW_MS = 100;
