import type { Difference } from "./play.js";
import type { Step } from "./steps.js";

/** Steps that the sides answer differently, the last of them for the first time. */
export interface Failing {
  readonly steps: readonly Step[];
  readonly difference: Difference;
}

/** Plays steps on fresh clusters. */
export type Replay = (steps: readonly Step[]) => Promise<Difference | null>;

/**
 * Leaves steps out while the sides still differ: half of them at once, then fewer, down to one. Ends
 * after so many seconds, with the best found until then.
 */
export async function shrink(failing: Failing, replay: Replay, seconds: number): Promise<Failing> {
  const end = performance.now() + seconds * 1_000;
  const isOver = (): boolean => performance.now() > end;
  let best = cut(failing);
  for (let size = Math.ceil((best.steps.length - 1) / 2); size >= 1 && !isOver(); ) {
    let smaller: Failing | null = null;
    for (let from = best.steps.length - 1 - size; from > -size && !isOver(); from -= size) {
      const steps = without(best.steps, Math.max(0, from), from + size);
      const difference = await replay(steps);
      if (difference === null) continue;
      smaller = cut({ steps, difference });
      break;
    }
    if (smaller === null) size = Math.floor(size / 2);
    else {
      best = smaller;
      size = Math.max(1, Math.min(size, Math.ceil((best.steps.length - 1) / 2)));
      if (best.steps.length === 1) break;
    }
  }
  return best;
}

function without(steps: readonly Step[], from: number, to: number): readonly Step[] {
  return [...steps.slice(0, from), ...steps.slice(to)];
}

/** What comes after the difference says nothing about it. */
function cut({ steps, difference }: Failing): Failing {
  return { steps: steps.slice(0, difference.at + 1), difference };
}
