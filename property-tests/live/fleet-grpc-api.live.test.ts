import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { V2Request } from "../../core/etcd/client.js";
import type { RpcRequest } from "../../core/fleet/grpc-calls.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";
import { SECOND } from "../../core/kernel/index.js";
import { type ApiAction, comparable, etcd, http, ourAnswer } from "./fleet-api-actions.js";
import { commandOf, contents, muxOverEtcd, READ_ALL } from "./fleet-grpc.js";
import { ModelMux } from "./fleet-grpc-model.js";
import { hasGo } from "./fleetctl.js";
import { whyNot } from "./needs.js";
import "../testing/seed.js";

/** Besides what the API and etcd are asked: what engine and agents call, and who leads from now on. */
type Action =
  | ApiAction
  | { readonly rpc: RpcRequest }
  | { readonly leads: "this one" | "one without gRPC" };

const SELF = "m1";
const HASH = "1".repeat(40);

const calls: fc.Arbitrary<Action> = fc
  .tuple(
    fc.constantFrom("ScheduleUnit", "UnscheduleUnit", "UnitHeartbeat", "SaveUnitState"),
    fc.constantFrom(...["a.service", "b.service", "t@1.service"]),
    fc.constantFrom(SELF, "m2"),
  )
  .map(([rpc, unit, machine]): Action => {
    if (rpc !== "SaveUnitState") return { rpc: { rpc, unit, machine } };
    const report = { load: "loaded", active: "active", sub: "running", hash: HASH };
    return { rpc: { rpc, state: { name: unit, machine, ...report }, ttl: 600 } };
  });

const actions: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: http },
    { weight: 3, arbitrary: etcd },
    { weight: 4, arbitrary: calls },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Action>({ leads: "this one" }, { leads: "one without gRPC" }),
    },
  ),
  { minLength: 10, maxLength: 60, size: "large" },
);

const RUNS = Number(process.env.ORRERY_FLEET_GRPC_RUNS ?? "60");
const skipped = whyNot("etcd") ?? (hasGo() ? null : "no Go");

describe.skipIf(skipped !== null)("the API server of fleet 1.0 over its gRPC registry", () => {
  const over = muxOverEtcd(SELF);

  test(
    "answers as the model does, whoever leads and whatever the registries hold",
    async () => {
      const { client, real } = over();
      let answers = 0;
      const statuses = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(actions, async (all) => {
          const model = new ModelMux(SELF, real.address);
          const lead = async (grpc: boolean): Promise<void> => {
            const [id, publicIp] = grpc ? [SELF, real.address] : ["other", ""];
            model.engineChanged({ id, publicIp, grpc });
            const { error } = await real.engineChanged(id, publicIp, grpc);
            expect([error, model.exits]).toEqual(["", []]);
          };
          const write = async (request: V2Request): Promise<void> => {
            model.etcd(request);
            await client.ask(request, 5 * SECOND);
          };
          await write({ op: "delete", key: PREFIX, recursive: true });
          await lead(false);
          await lead(true);
          for (const action of all) {
            if ("etcd" in action) await write(action.etcd);
            else if ("leads" in action) await lead(action.leads === "this one");
            else if ("rpc" in action) {
              if (model.state.grpc?.current !== "rpc") continue;
              model.call(action.rpc);
              await real.call(commandOf(action.rpc));
            } else {
              const modelled = comparable(model.ask(action.http));
              const theirs = comparable(await real.ask(action.http));
              const ours = ourAnswer(action.http, modelled, theirs, (of) => model.ask(of));
              answers++;
              const status = `${theirs.slice(0, 3)} of ${model.state.grpc?.current}`;
              statuses.set(status, (statuses.get(status) ?? 0) + 1);
              expect([action.http, ours]).toEqual([action.http, theirs]);
            }
          }
          const left = await client.ask(READ_ALL, 5 * SECOND);
          expect(contents(model.etcd(READ_ALL))).toEqual(contents(left));
        }),
        { numRuns: RUNS },
      );
      console.log(`${answers} answers compared: ${JSON.stringify(Object.fromEntries(statuses))}`);
      expect(answers).toBeGreaterThan(500);
    },
    60_000 + 5_000 * RUNS,
  );
});
