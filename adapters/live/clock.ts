import type { Micros } from "../../core/kernel/index.js";

/** Time as a live world sees it: monotonic, in integer microseconds since the log began. */
export interface LiveClock {
  now(): Micros;
  /** Calls once after `delay`; the result takes it back. */
  after(delay: Micros, due: () => void): () => void;
}

// setTimeout turns anything above 2^31-1 ms into 1 ms.
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's monotonic clock. It goes on from `base` when a log is continued. */
export function realClock(base: Micros = 0): LiveClock {
  const origin = process.hrtime.bigint();
  const now = (): Micros => base + Number((process.hrtime.bigint() - origin) / 1_000n);
  return {
    now,
    after: (delay, due) => {
      const end = now() + delay;
      let timeout: NodeJS.Timeout;
      const wait = (): void => {
        const left = end - now();
        if (left <= 0) due();
        else timeout = setTimeout(wait, Math.min(Math.ceil(left / 1_000), LONGEST_MS));
      };
      timeout = setTimeout(wait, Math.min(Math.ceil(delay / 1_000), LONGEST_MS));
      return () => clearTimeout(timeout);
    },
  };
}
