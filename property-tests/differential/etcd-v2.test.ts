import fc from "fast-check";
import { expect, test } from "vitest";
import { installedEtcd, startEtcd } from "./etcd-server.js";
import { compareRuns, step } from "./etcd-v2.js";

const installed = installedEtcd();
const required = process.env.ORRERY_WITNESS_REQUIRED === "1";

test.skipIf(installed === null && !required)(
  "a real etcd and the v2 store give the same answers to the same requests",
  async () => {
    expect(installed, "etcd must be on the PATH").not.toBeNull();
    const server = await startEtcd();
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
          expect(await compareRuns(server.clientUrl, steps)).toEqual([]);
        }),
        {
          numRuns: Number(process.env.ORRERY_RUNS ?? 60),
          endOnFailure: false,
          interruptAfterTimeLimit: 100_000,
        },
      );
    } finally {
      await server.stop();
    }
  },
  120_000,
);
