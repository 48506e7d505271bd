import { play, type Script, scriptText } from "./raft-play.js";

/** A script for which the library and our machine answer differently. */
export interface Difference {
  readonly script: Script;
  /** Outputs of the library, one per directive up to a panic. */
  readonly expected: readonly string[];
  readonly actual: readonly string[];
  /** The first directive that differs, from 0. */
  readonly at: number;
}

/** Where two lists of outputs first differ, byte for byte; null if nowhere. */
export function firstDifference(
  expected: readonly string[],
  actual: readonly string[],
): number | null {
  const length = Math.max(expected.length, actual.length);
  for (let at = 0; at < length; at++) if (expected[at] !== actual[at]) return at;
  return null;
}

/** Asks the library for the outputs of one script. */
export type Ask = (script: Script) => Promise<readonly string[]>;

/**
 * Leaves directives out while the rest still differs: half of them at once, then fewer, down to two
 * (a tick and what pins its timeout) and one.
 */
export async function shrink(
  difference: Difference,
  ask: Ask,
  traced = false,
): Promise<Difference> {
  let best = cut(difference);
  for (let size = Math.ceil(best.script.length / 2); size >= 1; ) {
    let smaller: Difference | null = null;
    for (let from = best.script.length - size; from >= 0 && smaller === null; from--) {
      smaller = await judge(
        [...best.script.slice(0, from), ...best.script.slice(from + size)],
        ask,
        traced,
      );
    }
    if (smaller === null) size = Math.floor(size / 2);
    else best = cut(smaller);
  }
  return best;
}

/** What comes after the difference says nothing about it. */
function cut({ script, expected, actual, at }: Difference): Difference {
  const end = at + 1;
  return {
    script: script.slice(0, end),
    expected: expected.slice(0, end),
    actual: actual.slice(0, end),
    at,
  };
}

/** How a script differs; null if it does not, or if there is no answer that it should have. */
async function judge(script: Script, ask: Ask, traced: boolean): Promise<Difference | null> {
  const { outputs: actual, sound } = play(script, traced);
  if (!sound) return null;
  const expected = await ask(script);
  const at = firstDifference(expected, actual);
  if (at === null || expected[at] === "refused") return null;
  return { script, expected, actual, at };
}

/** The script up to the difference with the library's outputs, then what our machine answers. */
export function describeDifference({ script, expected, actual, at }: Difference): string {
  const answer = (outputs: readonly string[]) => outputs[at] ?? "(nothing: it ended before)";
  return [
    scriptText(script.slice(0, at), expected),
    script[at] ?? "",
    "--- expected",
    answer(expected),
    "--- actual",
    answer(actual),
    "---",
  ].join("\n");
}
