import { defineConfig } from "vitest/config";

/** Tests against real servers and real hosts: one file at a time, as they share the machine. */
export default defineConfig({
  test: {
    include: ["{adapters,property-tests,bin}/**/*.live.test.ts"],
    environment: "node",
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
