/** What a check found wrong, in a sentence; null when what it checks holds. */
export type Finding = string | null;

/** The first place at which two lists of JSON texts differ, in words; null when they are the same. */
export function firstDifference(
  left: readonly string[],
  right: readonly string[],
  what: string,
): Finding {
  const length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) {
    if (left[i] === right[i]) continue;
    return `${what} ${i}: ${left[i] ?? "nothing"} and ${right[i] ?? "nothing"}`;
  }
  return null;
}
