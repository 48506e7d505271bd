/** Orders names as people do: `web@2` before `web@10`. Total: equal only if the same. */
export function compareNames(left: string, right: string): number {
  const l = left.split(/(\d+)/);
  const r = right.split(/(\d+)/);
  for (let i = 0; i < Math.min(l.length, r.length); i++) {
    const a = l[i] ?? "";
    const b = r[i] ?? "";
    if (a === b) continue;
    // Odd places are the numbers; longer digits than a number holds fall back to their text.
    const difference = i % 2 === 1 ? Number(a) - Number(b) : 0;
    if (difference !== 0) return difference;
    return a < b ? -1 : 1;
  }
  return l.length - r.length;
}
