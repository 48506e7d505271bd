import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PREFIX, Registry } from "../../core/fleet/testing/registry.js";
import { EtcdServer } from "./etcd-server.js";
import { RealApi } from "./fleet-api.js";
import { comparable, etcd, http, ourAnswer } from "./fleet-api-actions.js";
import { hasGo } from "./fleetctl.js";
import { whyNot } from "./needs.js";

const actions = fc.array(fc.oneof({ weight: 4, arbitrary: http }, { weight: 1, arbitrary: etcd }), {
  minLength: 5,
  maxLength: 40,
});

const skipped = whyNot("etcd") ?? (hasGo() ? null : "no Go");

describe.skipIf(skipped !== null)("the API server of fleet 1.0 itself", () => {
  let store: EtcdServer;
  let real: RealApi;

  beforeAll(async () => {
    store = await EtcdServer.create();
    real = await RealApi.start(store.url);
  });
  afterAll(async () => {
    await real?.stop();
    await store?.remove();
  });

  test("answers as the model does, whatever is asked and whatever the registry holds", async () => {
    let answers = 0;
    const statuses = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(actions, async (all) => {
        const model = new Registry("faithful");
        await real.etcd({ op: "delete", key: PREFIX, recursive: true });
        for (const action of all) {
          if ("etcd" in action) {
            model.etcd(action.etcd);
            await real.etcd(action.etcd);
            continue;
          }
          const modelled = comparable(model.ask(action.http));
          const theirs = comparable(await real.ask(action.http));
          const ours = ourAnswer(action.http, modelled, theirs, (of) => model.ask(of));
          answers++;
          const status = theirs.slice(0, 3);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          expect([action.http, ours]).toEqual([action.http, theirs]);
        }
      }),
      { numRuns: Number(process.env.ORRERY_FLEET_API_RUNS ?? "100") },
    );
    console.log(`${answers} answers compared: ${JSON.stringify(Object.fromEntries(statuses))}`);
    expect(answers).toBeGreaterThan(500);
  });
});
