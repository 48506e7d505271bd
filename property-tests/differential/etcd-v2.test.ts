import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { V2Request } from "../../core/etcd/index.js";
import { EtcdServer } from "../live/etcd-server.js";
import { whyNot } from "../live/needs.js";
import { compareRuns, expiringStep, SHORT_TTL, type Step, step } from "./etcd-v2.js";

const missing = whyNot("etcd") !== null;
const runs = Number(process.env.ORRERY_RUNS ?? 60);

let server: EtcdServer | null = null;

beforeAll(async () => {
  if (!missing) server = await EtcdServer.create();
});

afterAll(async () => {
  await server?.remove();
});

function clientUrl(): string {
  if (server === null) throw new Error("etcd must be on the PATH");
  return server.url;
}

test.skipIf(missing)(
  "a real etcd and the v2 store give the same answers to the same requests",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: "max" }),
        async (steps) => {
          expect(await compareRuns(clientUrl(), steps)).toEqual([]);
        },
      ),
      { numRuns: runs },
    );
  },
  600_000,
);

test.skipIf(missing)(
  "a real etcd and the v2 store let the same keys expire, and tell the same watchers",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(expiringStep, { minLength: 1, maxLength: 40, size: "max" }),
        async (steps) => {
          const wait = SHORT_TTL * 1000 + 1200;
          expect(await compareRuns(clientUrl(), steps, wait)).toEqual([]);
        },
      ),
      { numRuns: Math.ceil(runs / 20), endOnFailure: runs < 100 },
    );
  },
  600_000,
);

test.skipIf(missing)(
  "a real etcd and the v2 store forget the same changes",
  async () => {
    const watch = (back: number): Step => {
      const request: Extract<V2Request, { readonly op: "watch" }> = { op: "watch", key: "/a" };
      return { request, back };
    };
    const puts = Array.from(
      { length: 1003 },
      (): Step => ({ request: { op: "put", key: "/a", value: "x" } }),
    );
    const watches = [998, 999, 1000, 1001, 1002].map((back) => watch(back));
    expect(await compareRuns(clientUrl(), [...puts, ...watches])).toEqual([]);
  },
  120_000,
);
