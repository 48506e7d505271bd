/**
 * How a release behaves where releases differ: one field for each difference that a client can see, named after
 * the defect or the change, true where the release has it. A member reads this and never a version number.
 */
export interface EtcdProfile {
  readonly line: "3.4" | "3.6";
  /** --pre-vote unless told otherwise: on since 3.5. */
  readonly preVote: boolean;
}

const PROFILES = {
  /** 3.4.23, which Debian 12 ships. */
  "3.4": { line: "3.4", preVote: false },
  /** 3.6.16. */
  "3.6": { line: "3.6", preVote: true },
} as const satisfies Record<EtcdProfile["line"], EtcdProfile>;

/** The profile for a version such as `3.4.23`: releases before 3.5 are taken for 3.4, all others for 3.6. */
export function profileOf(version: string): EtcdProfile {
  const [major = 3, minor = 4] = version.split(".").map(Number);
  return major < 3 || (major === 3 && minor < 5) ? PROFILES["3.4"] : PROFILES["3.6"];
}
