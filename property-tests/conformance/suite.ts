/** A comparison of one part of the model with what the real system answered. */
export interface Suite {
  /** What the command line calls it, such as `raft-interaction`. */
  readonly name: string;
  /** One line: what is compared with whose answers. */
  readonly about: string;
  /**
   * Runs every case of the witness data in `dataDir`, telling `report` of each. A part whose data
   * is absent is skipped with `report.skip`. Throws only on witness data it cannot read.
   */
  run(dataDir: string, report: Report): void | Promise<void>;
}

/** A case in which the model and the witness differ. */
export interface Difference {
  /** Where the case stands: file and line, or its name in the file. */
  readonly name: string;
  /** What both were asked. */
  readonly input: string;
  readonly expected: string;
  readonly actual: string;
}

/** Where a suite tells what came out. */
export interface Report {
  /** A case in which model and witness agree. */
  pass(): void;
  fail(difference: Difference): void;
  /** Passes if the texts are equal, and tells if they are. Everything but `name` may be costly: give functions. */
  compare(name: string, input: () => string, expected: string, actual: string): boolean;
  /** A part that is not in the data folder, such as `raft/generated`. */
  skip(part: string): void;
}

/** What came out of one suite. */
export interface Outcome {
  readonly suite: string;
  readonly passed: number;
  readonly total: number;
  readonly skipped: readonly string[];
  /** The first case that differs. */
  readonly first: Difference | null;
}

/** Runs one suite. An exception counts as one more case, which differs. */
export async function runSuite(suite: Suite, dataDir: string): Promise<Outcome> {
  let passed = 0;
  let total = 0;
  let first: Difference | null = null;
  const skipped: string[] = [];
  const report: Report = {
    pass() {
      passed++;
      total++;
    },
    fail(difference) {
      total++;
      first ??= difference;
    },
    compare(name, input, expected, actual) {
      if (expected === actual) this.pass();
      else this.fail({ name, input: input(), expected, actual });
      return expected === actual;
    },
    skip(part) {
      skipped.push(part);
    },
  };
  try {
    await suite.run(dataDir, report);
  } catch (error) {
    const actual = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report.fail({ name: suite.name, input: "", expected: "the suite to run to its end", actual });
  }
  return { suite: suite.name, passed, total, skipped, first };
}
