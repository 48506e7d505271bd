import { defineConfig } from "vitest/config";

/** Folders of TypeScript sources with the tests beside them. */
const MODULES = "{core,sim,adapters,viz,property-tests}/**/*.test.{ts,tsx}";

/**
 * Three kinds of tests. Those of modules share two processes: to load the modules again for each file would
 * take longer than most files do, and what a module remembered from one file to the next would be a fault.
 * Those of commands have a process for each file, as commands may change theirs. Those of the program start it.
 */
export default defineConfig({
  test: {
    environment: "node",
    exclude: ["**/node_modules/**", "**/*.live.test.ts"],
    setupFiles: ["property-tests/testing/seed.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "modules", include: [MODULES], isolate: false } },
      {
        extends: true,
        test: { name: "commands", include: ["bin/*.test.ts", "bin/commands/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "program",
          include: ["bin/program/**/*.test.ts"],
          globalSetup: ["bin/testing/build.ts"],
        },
      },
    ],
  },
});
