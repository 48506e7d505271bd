/** A semantic version (semver 2.0.0), as Nebraska's library reads it: strictly. */
export interface SemanticVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Dot-separated identifiers after `-`. */
  readonly prerelease: readonly string[];
}

const NUMBER = "(0|[1-9][0-9]*)";
const IDENTIFIERS = "([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)";
const PATTERN = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${IDENTIFIERS})?(?:\\+${IDENTIFIERS})?$`,
);
const NUMERIC = /^[0-9]+$/;

/** Null unless the text is a semantic version. */
export function parseVersion(text: string): SemanticVersion | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const prerelease = match[4]?.split(".") ?? [];
  if (prerelease.some((id) => NUMERIC.test(id) && id.length > 1 && id.startsWith("0"))) return null;
  const [major, minor, patch] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return { major, minor, patch, prerelease };
}

const ZERO: SemanticVersion = { major: 0, minor: 0, patch: 0, prerelease: [] };

/** Below, at or above 0; what is no version counts as 0.0.0, as Nebraska has it. */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a) ?? ZERO;
  const y = parseVersion(b) ?? ZERO;
  return (
    x.major - y.major ||
    x.minor - y.minor ||
    x.patch - y.patch ||
    comparePrerelease(x.prerelease, y.prerelease)
  );
}

/** A version without prerelease comes after the same one with. */
function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareIdentifiers(a[i] ?? "", b[i] ?? "");
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers below words, numbers by value, words by ASCII. */
function compareIdentifiers(a: string, b: string): number {
  const [aNumeric, bNumeric] = [NUMERIC.test(a), NUMERIC.test(b)];
  if (aNumeric && bNumeric) return Number(a) - Number(b);
  if (aNumeric !== bNumeric) return aNumeric ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
