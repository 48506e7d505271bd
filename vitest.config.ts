import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Four kinds of tests, the longest first, so that no long file is left over at the end.
 *
 * - `simulations`: a process for each file. A simulation takes up to half as long again in a process that has
 *   run the same machines under immer.
 * - `program`: the program as users have it, built once and started.
 * - `commands`: a process for each file, as commands may change theirs.
 * - `modules`: two processes for all files. To load the modules again for each would take longer than most do.
 */
const KINDS = {
  simulations: { include: ["{sim,property-tests}/*.test.ts"] },
  program: { include: ["bin/program/**/*.test.ts"], globalSetup: ["bin/testing/build.ts"] },
  commands: { include: ["bin/*.test.ts", "bin/commands/**/*.test.ts"] },
  modules: {
    include: ["{core,adapters,viz}/**/*.test.{ts,tsx}", "{sim,property-tests}/*/**/*.test.ts"],
    isolate: false,
  },
};

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const kinds = Object.keys(KINDS);
    const kind = ({ project }: TestSpecification) => kinds.indexOf(project.name);
    return (await super.sort(files)).sort((left, right) => kind(left) - kind(right));
  }
}

export default defineConfig({
  test: {
    environment: "node",
    exclude: [...configDefaults.exclude, "**/*.live.test.ts"],
    setupFiles: ["property-tests/testing/seed.ts"],
    maxWorkers: 2,
    // What the code that is tested prints is shown for tests that fail.
    silent: "passed-only",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    projects: Object.entries(KINDS).map(([name, kind]) => ({
      extends: true,
      test: { name, ...kind },
    })),
  },
});
