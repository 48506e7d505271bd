import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{core,sim,adapters,viz,property-tests,bin}/**/*.test.{ts,tsx}"],
    exclude: ["**/node_modules/**", "**/*.live.test.ts"],
    environment: "node",
    setupFiles: ["property-tests/testing/seed.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
