import { type Generator, type Micros, nextBelow, SECOND } from "../kernel/index.js";

/** update_check_scheduler.cc, in seconds as there. */
export const FIRST_CHECK_SECONDS = 7 * 60;
const PERIODIC_SECONDS = 45 * 60;
const REGULAR_FUZZ_SECONDS = 10 * 60;
const BACKOFF_MAX_SECONDS = 4 * 60 * 60;

/** Closed ranges of µs; checks fall on whole seconds within them. */
export interface CheckTimes {
  /** From the daemon's start to its first check. */
  readonly first: readonly [Micros, Micros];
  /** From one regular check to the next. */
  readonly every: readonly [Micros, Micros];
}

/** What decides when the next check is. */
export interface CheckSchedule {
  lastIntervalSeconds: number;
  /** From the server's last answer; used once. 0: none. */
  pollIntervalSeconds: number;
  /** Of the last check; 0: none. */
  httpStatus: number;
  /** A timer is armed; a check that an operator asked for does not move it. */
  scheduled: boolean;
}

/** Delay to the first check after the daemon starts: 7 minutes, give or take 5. */
export function firstCheckDelay(
  schedule: CheckSchedule,
  generator: Generator,
  times?: CheckTimes,
): Micros {
  if (times !== undefined) {
    schedule.lastIntervalSeconds = middleSeconds(times.first);
    return within(times.first, generator);
  }
  schedule.lastIntervalSeconds = FIRST_CHECK_SECONDS;
  return fuzzed(FIRST_CHECK_SECONDS, REGULAR_FUZZ_SECONDS, generator);
}

/**
 * Delay to the next check: 45 minutes give or take 5. On HTTP 500 or 503 twice the last interval,
 * at most 4 hours, give or take half of it; a server may ask for an interval of its own, within
 * the same bounds.
 */
export function nextCheckDelay(
  schedule: CheckSchedule,
  generator: Generator,
  times?: CheckTimes,
): Micros {
  let interval = 0;
  if (schedule.pollIntervalSeconds > 0) {
    interval = schedule.pollIntervalSeconds;
    schedule.pollIntervalSeconds = 0;
  } else if (schedule.httpStatus === 500 || schedule.httpStatus === 503) {
    interval = 2 * schedule.lastIntervalSeconds;
  }
  interval = Math.min(interval, BACKOFF_MAX_SECONDS);
  let fuzz = interval;
  if (times !== undefined && interval < middleSeconds(times.every)) {
    schedule.lastIntervalSeconds = middleSeconds(times.every);
    return within(times.every, generator);
  }
  if (times === undefined && interval < PERIODIC_SECONDS) {
    interval = PERIODIC_SECONDS;
    fuzz = REGULAR_FUZZ_SECONDS;
  }
  schedule.lastIntervalSeconds = interval;
  return fuzzed(interval, fuzz, generator);
}

/** A whole number of seconds within a range; its low end when no second lies in it. */
function within([low, high]: readonly [Micros, Micros], generator: Generator): Micros {
  const first = Math.ceil(low / SECOND);
  const last = Math.floor(high / SECOND);
  return last < first ? low : (first + nextBelow(generator, last - first + 1)) * SECOND;
}

function middleSeconds([low, high]: readonly [Micros, Micros]): number {
  return Math.floor((low + high) / 2 / SECOND);
}

/** A whole number of seconds in [interval − fuzz/2, interval + fuzz/2]. */
function fuzzed(intervalSeconds: number, fuzzSeconds: number, generator: Generator): Micros {
  const low = intervalSeconds - Math.floor(fuzzSeconds / 2);
  return (low + nextBelow(generator, fuzzSeconds + 1)) * SECOND;
}
