import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import { createUnit } from "../../core/fleet/fleetctl.js";
import type { RpcRequest, RpcUnit, RpcUnitState } from "../../core/fleet/grpc-calls.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";
import { type UnitFile, unitFromOptions } from "../../core/fleet/unit-file.js";
import { toBytes } from "../../core/go/index.js";
import { SECOND } from "../../core/kernel/index.js";
import { answered, commandOf, contents, muxOverEtcd, READ_ALL } from "./fleet-grpc.js";
import { ModelMux, modelAnswer } from "./fleet-grpc-model.js";
import { hasGo } from "./fleetctl.js";
import { whyNot } from "./needs.js";
import "../testing/seed.js";

/** A call of the registry, a new server, or what is written to etcd behind its back. */
type Action =
  | { readonly kind: "call"; readonly request: RpcRequest }
  | { readonly kind: "restart" }
  | { readonly kind: "etcd"; readonly requests: readonly V2Request[] };

const SELF = "m1";
const UNITS = ["a.service", "b.service", "g.service", "t@.service", "t@1.service"];
const unit = fc.constantFrom(...UNITS);
const machine = fc.constantFrom(SELF, "m2");
const jobState = fc.constantFrom("inactive" as const, "loaded" as const, "launched" as const);

const option = fc.constantFrom(
  { section: "Service", name: "ExecStart", value: "/bin/true" },
  { section: "Service", name: "ExecStart", value: toBytes("/bin/sh -c 'a && b > \"c\" é'") },
  { section: "X-Fleet", name: "Global", value: "true" },
  { section: "X-Fleet", name: "Conflicts", value: "b*" },
  { section: "X-Fleet", name: "MachineID", value: "m1" },
  { section: "Unit", name: "Description", value: "" },
);

const file: fc.Arbitrary<UnitFile> = fc.array(option, { maxLength: 3 }).map(unitFromOptions);

const rpcUnit: fc.Arbitrary<RpcUnit> = fc.record({ name: unit, file, state: jobState });

const rpcState: fc.Arbitrary<RpcUnitState> = fc.record({
  name: unit,
  machine,
  load: fc.constantFrom("loaded", "not-found"),
  active: fc.constantFrom("active", "failed", ""),
  sub: fc.constantFrom("running", "dead"),
  hash: fc.constantFrom("1".repeat(40), "abc"),
});

const placed = (
  rpc: "ScheduleUnit" | "UnscheduleUnit" | "UnitHeartbeat",
): fc.Arbitrary<RpcRequest> => fc.record({ unit, machine }).map((request) => ({ rpc, ...request }));

const named = (
  rpc:
    | "GetUnit"
    | "GetScheduledUnit"
    | "GetUnitState"
    | "DestroyUnit"
    | "ClearUnitHeartbeat"
    | "RemoveUnitState",
): fc.Arbitrary<RpcRequest> => unit.map((name) => ({ rpc, unit: name }));

const request: fc.Arbitrary<RpcRequest> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom<RpcRequest>(
      { rpc: "GetUnits" },
      { rpc: "GetScheduledUnits" },
      { rpc: "GetUnitStates" },
    ),
  },
  { weight: 3, arbitrary: rpcUnit.map((of): RpcRequest => ({ rpc: "CreateUnit", unit: of })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ unit, state: jobState })
      .map((of): RpcRequest => ({ rpc: "SetUnitTargetState", ...of })),
  },
  {
    weight: 3,
    arbitrary: rpcState.map((state): RpcRequest => ({ rpc: "SaveUnitState", state, ttl: 600 })),
  },
  ...(["ScheduleUnit", "UnscheduleUnit", "UnitHeartbeat"] as const).map((rpc) => ({
    weight: 2,
    arbitrary: placed(rpc),
  })),
  named("DestroyUnit"),
  named("ClearUnitHeartbeat"),
  named("RemoveUnitState"),
  named("GetUnit"),
  named("GetScheduledUnit"),
  named("GetUnitState"),
);

const put = (key: string, value: string): V2Request => ({
  op: "put",
  key: `${PREFIX}/${key}`,
  value,
});

const present = (id: string, grpc: boolean): V2Request =>
  put(
    `machines/${id}/object`,
    `{"ID":"${id}","PublicIP":"127.0.0.1"${grpc ? ',"Capabilities":{"GRPC":true}' : ""}}`,
  );

/** What other fleetds, operators and accidents write. */
const behind: fc.Arbitrary<readonly V2Request[]> = fc
  .tuple(
    fc.constantFrom(
      ...["target", "no-target", "job-state", "target-state", "states", "forget", "create"],
      ...["half-create", "with-grpc", "without-grpc", "no-machine", "junk"],
    ),
    rpcUnit,
    machine,
    fc.constantFrom("inactive", "loaded", "launched", "", "running"),
  )
  .map(([what, of, at, state]): readonly V2Request[] => {
    const { name } = of;
    switch (what) {
      case "target":
        return [put(`job/${name}/target`, at)];
      case "no-target":
        return [{ op: "delete", key: `${PREFIX}/job/${name}/target` }];
      case "job-state":
        return [put(`job/${name}/job-state`, at)];
      case "target-state":
        return [put(`job/${name}/target-state`, state)];
      case "states":
        return [
          put(
            `states/${name}/${at}`,
            `{"loadState":"loaded","activeState":"active","subState":"exited","machineState":{"ID":"${at}"},"unitHash":"def"}`,
          ),
        ];
      case "forget":
        return [{ op: "delete", key: `${PREFIX}/job/${name}`, recursive: true }];
      case "create":
        return createUnit(PREFIX, name, of.file, of.state);
      case "half-create":
        return createUnit(PREFIX, name, of.file, of.state).slice(0, 2);
      case "with-grpc":
        return [present(at, true)];
      case "without-grpc":
        return [present(at, false)];
      case "no-machine":
        return [{ op: "delete", key: `${PREFIX}/machines/${at}`, recursive: true }];
      default:
        return [put(`states/${name}/${at}`, "no json")];
    }
  });

/** What is in etcd when the server starts: in every other run a machine that takes no part in gRPC, too. */
const beginning = fc
  .tuple(fc.boolean(), fc.array(behind, { maxLength: 6 }))
  .map(([others, requests]) => [present("m3", !others), ...requests.flat()]);

const actions: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: request.map((of): Action => ({ kind: "call", request: of })) },
    { weight: 3, arbitrary: behind.map((requests): Action => ({ kind: "etcd", requests })) },
    { weight: 1, arbitrary: fc.constant<Action>({ kind: "restart" }) },
  ),
  { minLength: 10, maxLength: 60, size: "large" },
);

/** Of several states of a unit fleet gives any: if it is one of them, the model may have meant it. */
function choose(request: RpcRequest, ours: unknown, theirs: unknown, model: ModelMux): unknown {
  if (request.rpc !== "GetUnitState") return ours;
  const kept = model.state.grpc?.server?.memory.states.get(request.unit)?.values() ?? [];
  const meant = [...kept].find(({ state }) => isDeepStrictEqual(state, theirs));
  return meant?.state ?? ours;
}

const RUNS = Number(process.env.ORRERY_FLEET_GRPC_RUNS ?? "60");
const skipped = whyNot("etcd") ?? (hasGo() ? null : "no Go");

describe.skipIf(skipped !== null)("the gRPC registry of fleet 1.0 itself", () => {
  const over = muxOverEtcd(SELF);
  const etcd = (request: V2Request): Promise<EtcdReply> => over().client.ask(request, 5 * SECOND);

  /** Another engine leads for a moment, so that the server is a new one. */
  async function restart(model: ModelMux): Promise<void> {
    const { real } = over();
    model.engineChanged({ id: "other", publicIp: "", grpc: false });
    await real.engineChanged("other", "", false);
    model.lead();
    const { error } = await real.lead();
    expect([error, model.exits, model.state.grpc?.current]).toEqual(["", [], "rpc"]);
  }

  test(
    "answers as the model does and leaves the same in etcd, whatever is called and written",
    async () => {
      const { real } = over();
      const counts = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(beginning, actions, async (before, all) => {
          const model = new ModelMux(SELF, real.address);
          await etcd({ op: "delete", key: PREFIX, recursive: true });
          const write = async (requests: readonly V2Request[]): Promise<void> => {
            for (const request of requests) {
              model.etcd(request);
              await etcd(request);
            }
          };
          await write(before);
          await restart(model);
          for (const action of all) {
            if (action.kind === "etcd") await write(action.requests);
            else if (action.kind === "restart") await restart(model);
            else {
              const { request } = action;
              const answer = answered(request, await real.call(commandOf(request)));
              const ours = choose(
                request,
                modelAnswer(request, model.call(request)),
                answer,
                model,
              );
              const name = `${request.rpc}${answer === "error" ? " error" : ""}`;
              counts.set(name, (counts.get(name) ?? 0) + 1);
              expect([request, ours]).toEqual([request, answer]);
            }
          }
          expect(contents(model.etcd(READ_ALL))).toEqual(contents(await etcd(READ_ALL)));
        }),
        { numRuns: RUNS },
      );
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      console.log(`${total} answers compared: ${JSON.stringify(Object.fromEntries(counts))}`);
      expect(total).toBeGreaterThan(500);
    },
    60_000 + 5_000 * RUNS,
  );
});
