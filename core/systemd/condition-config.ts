/** What a Condition…= or Assert…= of the filesystem asks. */
export const CONDITION_KINDS = [
  "PathExists",
  "PathExistsGlob",
  "PathIsDirectory",
  "DirectoryNotEmpty",
  "FileNotEmpty",
] as const;

/** A Condition…= or Assert…= on a path. */
export interface Condition {
  readonly kind: (typeof CONDITION_KINDS)[number];
  readonly path: string;
  readonly negated: boolean;
  /** With `|`: one of these suffices. */
  readonly trigger: boolean;
  readonly assert: boolean;
}
