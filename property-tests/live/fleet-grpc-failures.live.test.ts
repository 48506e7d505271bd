import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import type { V2Request } from "../../core/etcd/client.js";
import { createUnit } from "../../core/fleet/fleetctl.js";
import type { RpcRequest } from "../../core/fleet/grpc-calls.js";
import { deleteMachine, schedule, writeMachine } from "../../core/fleet/registry.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";
import { parseUnit, unitFromOptions } from "../../core/fleet/unit-file.js";
import { SECOND } from "../../core/kernel/index.js";
import { EtcdProxy, type Fate, type Fates } from "./etcd-proxy.js";
import { EtcdServer } from "./etcd-server.js";
import { answered, commandOf, contents, freeAddress, READ_ALL, RealMux } from "./fleet-grpc.js";
import { ModelMux, modelAnswer } from "./fleet-grpc-model.js";
import { hasGo } from "./fleetctl.js";
import { whyNot } from "./needs.js";
import { until } from "./program.js";

const SELF = "m1";
const UNIT = "a.service";

/** A scheduled unit, and a machine that takes part in gRPC. */
function beginning(): V2Request[] {
  const parsed = parseUnit("[Service]\nExecStart=/bin/true\n");
  if (!parsed.ok) throw new Error(parsed.error);
  const capabilities = { disableEngine: false, grpc: true };
  return [
    ...createUnit(PREFIX, UNIT, parsed.unit, "launched"),
    schedule(PREFIX, UNIT, SELF),
    writeMachine(PREFIX, { id: SELF, publicIp: "", metadata: {}, capabilities }, 600, false),
  ];
}

/** The nth request of a method, for a key if one is given, has another fate than the rest. */
function nth(n: number, method: string, fate: Fate, key?: string): Fates {
  let seen = 0;
  return (asked, of) => {
    if (asked !== method || (key !== undefined && of !== `${PREFIX}/${key}`)) return "answered";
    seen++;
    return seen === n ? fate : "answered";
  };
}

const READS: readonly RpcRequest[] = [
  { rpc: "GetUnits" },
  { rpc: "GetScheduledUnits" },
  { rpc: "GetUnitStates" },
];

const skipped = whyNot("etcd") ?? (hasGo() ? null : "no Go");

describe.skipIf(skipped !== null)("the gRPC registry of fleet 1.0 itself, when things fail", () => {
  let store: EtcdServer;
  let client: EtcdV2Client;
  let proxy: EtcdProxy;
  let model: ModelMux;
  let leader: RealMux;

  beforeAll(async () => {
    store = await EtcdServer.create();
    client = new EtcdV2Client({ endpoints: [store.url] });
    proxy = await EtcdProxy.start(store.url);
  });
  afterAll(async () => {
    await proxy?.stop();
    client?.close();
    await store?.remove();
  });

  beforeEach(async () => {
    proxy.fate = () => "answered";
    await client.ask({ op: "delete", key: PREFIX, recursive: true }, 5 * SECOND);
    leader = await RealMux.start(proxy.url, SELF);
    model = new ModelMux(SELF, leader.address);
    for (const request of beginning()) {
      model.etcd(request);
      await client.ask(request, 5 * SECOND);
    }
  });
  afterEach(() => leader.kill());

  async function compare(request: RpcRequest): Promise<unknown> {
    const theirs = answered(request, await leader.call(commandOf(request)));
    expect([request, modelAnswer(request, model.call(request))]).toEqual([request, theirs]);
    return theirs;
  }

  /** Both lead, while one request to etcd fares badly. */
  async function lead(fates: () => Fates): Promise<void> {
    model.fate = fates();
    model.lead();
    model.fate = () => "answered";
    proxy.fate = fates();
    await leader.lead();
    proxy.fate = () => "answered";
  }

  test.each([
    ["the units", 1, "job", [0, 0]],
    ["the unit files", 1, "unit", [0, 0]],
    ["the schedule", 2, "job", [1, 0]],
    ["the states", 1, "states", [1, 0]],
    ["a third list", 3, "job", [1, 1]],
  ] as const)(
    "an engine that begins to serve and does not hear of %s serves what it has",
    async (_, n, key, counts) => {
      await lead(() => nth(n, "GET", "unheard", key));
      for (const request of READS) await compare(request);
      const [units, scheduled] = [
        await compare({ rpc: "GetUnits" }),
        await compare({ rpc: "GetScheduledUnits" }),
      ];
      expect([units, scheduled].map((all) => (Array.isArray(all) ? all.length : all))).toEqual(
        counts,
      );
      expect(model.exits).toEqual([]);
    },
  );

  test("an engine that begins to serve and does not hear of the machines ends", async () => {
    await lead(() => nth(1, "GET", "unheard", "machines"));
    expect(await leader.exit()).toBe(1);
    expect(model.exits).toEqual([1]);
  });

  test("an engine that begins to serve where a machine is not JSON ends", async () => {
    const junk: V2Request = { op: "put", key: `${PREFIX}/machines/m2/object`, value: "junk" };
    model.etcd(junk);
    await client.ask(junk, 5 * SECOND);
    await lead(() => () => "answered");
    expect(await leader.exit()).toBe(1);
    expect(model.exits).toEqual([1]);
  });

  test("an engine that begins to serve while etcd is silent ends", async () => {
    store.freeze(true);
    await leader.lead();
    store.freeze(false);
    expect(await leader.exit()).toBe(1);
    model.fate = () => "unheard";
    model.lead();
    expect(model.exits).toEqual([1]);
  });

  test.each<RpcRequest>([
    { rpc: "SetUnitTargetState", unit: UNIT, state: "inactive" },
    { rpc: "UnscheduleUnit", unit: UNIT, machine: SELF },
    { rpc: "DestroyUnit", unit: UNIT },
  ])("what etcd did and did not answer the engine never hears of: $rpc", async (request) => {
    await lead(() => () => "answered");
    const fates: Fates = (method) => (method === "GET" ? "answered" : "unanswered");
    model.fate = fates;
    proxy.fate = fates;
    expect(await compare(request)).toBe("error");
    model.fate = proxy.fate = () => "answered";
    for (const read of READS) await compare(read);
    expect(await compare({ rpc: "GetUnit", unit: UNIT })).toMatchObject({ state: "launched" });
    const again = request.rpc === "SetUnitTargetState" ? null : "error";
    expect(await compare(request)).toBe(request.rpc === "UnscheduleUnit" ? null : again);
  });

  const report = { load: "loaded", active: "active", sub: "running", hash: "1".repeat(40) };
  const file = unitFromOptions([{ section: "Service", name: "ExecStart", value: "/bin/false" }]);

  const SEVERAL: readonly (readonly [RpcRequest, "PUT" | "DELETE", number])[] = [
    [{ rpc: "CreateUnit", unit: { name: "b.service", file, state: "launched" } }, "PUT", 3],
    [{ rpc: "SaveUnitState", state: { name: UNIT, machine: SELF, ...report }, ttl: 60 }, "PUT", 2],
    [{ rpc: "RemoveUnitState", unit: UNIT }, "DELETE", 2],
  ];
  test.each(SEVERAL.map(([request, method, writes]) => ({ ...request, request, method, writes })))(
    "whichever of several writes etcd does not do or answer, the engine does as the model: $rpc",
    async ({ request, method, writes }) => {
      const other = { id: "m2", publicIp: "", metadata: {} };
      const presence = writeMachine(PREFIX, other, 600, false);
      model.etcd(presence);
      await client.ask(presence, 5 * SECOND);
      await lead(() => () => "answered");
      for (const fate of ["unheard", "unanswered"] as const) {
        for (let n = 1; n <= writes; n++) {
          model.fate = nth(n, method, fate);
          proxy.fate = nth(n, method, fate);
          await compare(request);
          model.fate = proxy.fate = () => "answered";
          for (const read of READS) await compare(read);
          const left = await client.ask(READ_ALL, 5 * SECOND);
          expect(contents(model.etcd(READ_ALL))).toEqual(contents(left));
        }
      }
    },
  );

  test("states are told until their time is over, and with heartbeats count for good", async () => {
    await lead(() => () => "answered");
    const state = { name: UNIT, machine: SELF, ...report };
    const calls: readonly RpcRequest[] = [
      { rpc: "SaveUnitState", state, ttl: 2 },
      { rpc: "GetUnitStates" },
      { rpc: "GetScheduledUnit", unit: UNIT },
      { rpc: "UnitHeartbeat", unit: UNIT, machine: SELF },
    ];
    for (const call of calls) await compare(call);
    await sleep(2_500);
    model.pass(2.5);
    expect(await compare({ rpc: "GetUnitStates" })).toEqual([]);
    expect(await compare({ rpc: "GetUnitState", unit: UNIT })).toMatchObject({ name: "" });
    const scheduled = await compare({ rpc: "GetScheduledUnit", unit: UNIT });
    expect(scheduled).toMatchObject({ state: "launched" });
  });

  describe("between a fleetd and the engine that leads", () => {
    let follower: RealMux;
    const GET = { call: "GetUnits" };
    const CLOSING = "rpc error: code = 13 desc = transport is closing";
    const DEADLINE = "rpc error: code = 4 desc = context deadline exceeded";

    beforeEach(async () => {
      follower = await RealMux.start(store.url, "m2");
    });
    afterEach(() => follower.kill());

    const connect = async (): Promise<void> => {
      await leader.lead();
      expect((await follower.engineChanged(SELF, leader.address, true)).error).toBe("");
    };
    const resign = () => leader.engineChanged("other", "", false);

    test("a connection is made once somebody listens, and calls wait until then", async () => {
      const connecting = follower.engineChanged(SELF, leader.address, true);
      await sleep(200);
      const over: string[] = [];
      const held = follower.call(GET).then(({ error }) => over.push(`called ${error}`));
      await sleep(2_000);
      expect(over).toEqual([]);
      await leader.lead();
      expect((await connecting).error).toBe("");
      await held;
      expect(over).toEqual(["called "]);
      expect((await follower.call({ call: "IsRegistryReady" })).value).toBe(true);
    });

    test("a fleetd that finds nobody for twelve seconds ends", async () => {
      await follower.engineChanged(SELF, freeAddress(), true);
      expect(await follower.exit()).toBe(1);
      expect(follower.log).toContain("Unable to dial to registry: grpc: timed out when dialing");
    });

    test.each([
      ["the server stops", () => resign()],
      ["its process ends", () => leader.kill()],
    ])("a call under way fails when %s", async (_, end) => {
      await connect();
      const asked = new Promise<void>((resolve) => {
        proxy.fate = (method) => {
          if (method === "PUT") resolve();
          return method === "PUT" ? "unheard" : "answered";
        };
      });
      const under = follower.call({ call: "SetUnitTargetState", unit: UNIT, state: "inactive" });
      await asked;
      await end();
      expect((await under).error).toBe(CLOSING);
    });

    test("a call after the server has stopped waits for the next one, five seconds at most", async () => {
      await connect();
      await resign();
      expect((await follower.call(GET)).error).toBe(DEADLINE);
      const waiting = follower.call(GET);
      await sleep(2_000);
      await leader.lead();
      expect((await waiting).error).toBe("");
    });

    test("a connection to a server that is silent is made all the same, and its calls run out of time", async () => {
      await leader.lead();
      leader.freeze(true);
      expect((await follower.engineChanged(SELF, leader.address, true)).error).toBe("");
      expect((await follower.call({ call: "UseEtcdRegistry" })).value).toBe(false);
      expect((await follower.call(GET)).error).toBe(DEADLINE);
    });

    test("a call that a silent server takes is carried out when it wakes, after its caller gave up", async () => {
      await connect();
      leader.freeze(true);
      const call = { call: "SetUnitTargetState", unit: UNIT, state: "inactive" };
      expect((await follower.call(call)).error).toBe(DEADLINE);
      leader.freeze(false);
      await until(10, "the late write", async () => {
        const { value } = await follower.call({ call: "GetUnit", unit: UNIT });
        return JSON.stringify(value).includes('"state":"inactive"');
      });
    });

    test("a target state that is none arrives as loaded, and a unit without one is", async () => {
      await client.ask({ op: "delete", key: `${PREFIX}/job/${UNIT}/target-state` }, 5 * SECOND);
      await connect();
      const state = async () => (await follower.call({ call: "GetUnit", unit: UNIT })).value;
      expect(await state()).toMatchObject({ state: "loaded" });
      await follower.call({ call: "SetUnitTargetState", unit: UNIT, state: "inactive" });
      expect(await state()).toMatchObject({ state: "inactive" });
      await follower.call({ call: "SetUnitTargetState", unit: UNIT, state: "running" });
      expect(await state()).toMatchObject({ state: "loaded" });
    });

    const write = (request: V2Request) => client.ask(request, 5 * SECOND);

    async function present(id: string, publicIp: string, grpc: boolean): Promise<void> {
      const capabilities = { disableEngine: false, grpc };
      await write(deleteMachine(PREFIX, id));
      await write(writeMachine(PREFIX, { id, publicIp, metadata: {}, capabilities }, 600, false));
    }

    /** The lease says that the machine leads. */
    const elect = (machine: string) =>
      write({
        op: "put",
        key: `${PREFIX}/lease/engine-leader`,
        value: JSON.stringify({ MachineID: machine, Version: 1 }),
      });

    const usesEtcd = async () => (await follower.call({ call: "UseEtcdRegistry" })).value;

    test("a fleetd without an engine finds the one that leads, and once led without gRPC stays with etcd", async () => {
      await leader.lead();
      await present(SELF, leader.address, true);
      await present("m3", "", false);
      await elect(SELF);
      void follower.call({ call: "ConnectToRegistry" });
      expect(await usesEtcd()).toBe(true);
      await until(30, "the engine that leads", async () => (await usesEtcd()) === false);
      await elect("m3");
      await until(30, "the registry of etcd", async () => (await usesEtcd()) === true);
      await elect(SELF);
      await sleep(12_000);
      expect(await usesEtcd()).toBe(true);
      // It does not even look any more: where the machine of the engine is missing it would end.
      await elect("ghost");
      await sleep(6_000);
      expect(await usesEtcd()).toBe(true);
    });

    test("a fleetd without an engine ends where the machine of the one that leads is missing", async () => {
      await elect("ghost");
      void follower.call({ call: "ConnectToRegistry" });
      expect(await follower.exit()).toBe(2);
      expect(follower.log).toContain("nil pointer dereference");
    });

    test("without its lease an engine that others still reach keeps every one of them from leading", async () => {
      const lease: V2Request = { op: "get", key: `${PREFIX}/lease/engine-leader` };
      const leads = async (): Promise<string | undefined> => {
        const reply = await write(lease);
        return reply.ok ? reply.node.value : undefined;
      };
      await present(SELF, leader.address, true);
      await present("m2", follower.address, true);
      void leader.call({ call: "RunEngine" });
      await until(30, "an engine that leads", async () => (await leads())?.includes(SELF) === true);
      // A machine that dies takes the lease with it: it is good for 500,000 intervals, of a second here.
      const held = await write(lease);
      expect(held.ok && (held.node.ttl ?? 0) > 400_000).toBe(true);
      void follower.call({ call: "RunEngine" });
      await until(30, "its registry", async () => (await usesEtcd()) === false);
      await write({ op: "delete", key: lease.key });
      await sleep(10_000);
      expect(await leads()).toBeUndefined();
      await leader.kill();
      await until(60, "the other", async () => (await leads())?.includes("m2") === true);
    });
  });
});
