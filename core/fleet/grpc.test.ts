import { expect, test } from "vitest";
import { hashState } from "../kernel/index.js";
import type { FleetConfig } from "./index.js";
import { FleetWorld } from "./testing/world.js";

const SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n";

function grpcHost(index: number, config: Partial<FleetConfig> = {}): Partial<FleetConfig> {
  return { publicIp: `10.0.0.${index}`, enableGrpc: true, ...config };
}

/** Hosts with gRPC of which the first leads; each runs for a while before the next starts. */
function cluster(configs: readonly Partial<FleetConfig>[], runner?: "immer"): FleetWorld {
  const world = new FleetWorld(
    configs.map((config, index) => grpcHost(index, config)),
    runner,
  );
  for (const index of configs.keys()) {
    world.start(index);
    world.run(3);
  }
  return world;
}

function engines(world: FleetWorld): (string | undefined)[] {
  return world.hosts.map(({ state }) =>
    state.grpc?.current === "rpc" ? state.grpc.engine?.id : undefined,
  );
}

/** Runs on until something is so, for two minutes at most. */
function runUntil(world: FleetWorld, isSo: () => boolean, seconds = 0.01): void {
  for (const start = world.now; !isSo() && world.now - start < 120_000_000; ) world.run(seconds);
  expect(isSo()).toBe(true);
}

function requestsFrom(world: FleetWorld, index: number): string[] {
  return (world.requests.get(world.host(index).id) ?? []).map(({ op, key }) => `${op} ${key}`);
}

test("the engine that leads is the registry of all, and etcd is asked for machines and leases only", () => {
  const world = cluster([{}, {}, {}]);
  const [leader] = world.hosts;
  expect(engines(world)).toEqual([leader?.id, leader?.id, leader?.id]);
  expect(world.told("fleet.grpc-serving")).toHaveLength(1);
  world.requests.clear();
  expect(world.fleetctlVia(2, "start", "web.service", SLEEP)).toBe(
    "Triggered unit web.service start",
  );
  world.run(20);
  expect(world.running("web.service")).toHaveLength(1);
  const units = requestsFrom(world, 2).filter((request) =>
    /\/(job|unit|states?)(\/|$)/.test(request),
  );
  expect(units.filter((request) => !request.startsWith("watch"))).toEqual([]);
  expect(world.value("job/web.service/target")).toBe(leader?.id);
  expect(world.value("job/web.service/job-state")).toBeNull();
  expect(world.value(`states/web.service/${leader?.id}`)).toBeNull();
});

test("a fleetd shows units and states as the engine that leads knows them", () => {
  const world = cluster([{}, {}]);
  world.fleetctlVia(1, "start", "web.service", SLEEP);
  world.run(10);
  const get = (target: string) => {
    const answer = world.http(1, { method: "GET", target, contentTypes: [], body: "" });
    return answer?.kind === "answer" ? JSON.parse(answer.body) : null;
  };
  const machineID = world.host(0).id;
  expect(get("/fleet/v1/units").units).toMatchObject([
    { name: "web.service", currentState: "launched", desiredState: "launched", machineID },
  ]);
  expect(get("/fleet/v1/units/web.service")).toMatchObject({ currentState: "launched", machineID });
  expect(get("/fleet/v1/state").states).toMatchObject([
    { name: "web.service", machineID, systemdActiveState: "active" },
  ]);
  expect(get("/fleet/v1/state/none.service")).toEqual({});
});

test("when the engine ends in order, another takes its place with what etcd has, and units move", () => {
  const world = cluster([{}, {}, {}]);
  world.fleetctlVia(1, "start", "web.service", SLEEP);
  world.run(6);
  expect(world.running("web.service")).toEqual([0]);
  world.stop(0, "SIGTERM");
  world.run(15);
  const next = world.told("fleet.engine-leader").at(-1)?.host;
  expect(next).not.toBe(world.host(0).id);
  expect(engines(world).slice(1)).toEqual([next, next]);
  expect(world.told("fleet.grpc-serving").at(-1)?.fact).toMatchObject({ units: 1, scheduled: 1 });
  world.run(5);
  expect(world.running("web.service")).toHaveLength(1);
  expect(world.running("web.service")).not.toEqual([0]);
});

test("when the engine's machine is lost, nobody leads, and who asks waits five seconds for nothing", () => {
  const world = cluster([{}, {}, {}]);
  world.fleetctlVia(1, "start", "web.service", SLEEP);
  world.run(6);
  world.cutOff.add(world.host(0).id);
  world.host(0).etcd = "cut";
  world.run(120);
  expect(world.value("lease/engine-leader")).toContain(world.host(0).id);
  expect(world.told("fleet.engine-leader")).toHaveLength(1);
  const list = { method: "GET", target: "/fleet/v1/units", contentTypes: [], body: "" };
  const asked = world.now;
  expect(world.http(1, list)).toMatchObject({ kind: "answer", status: 500 });
  expect(world.now - asked).toBeGreaterThanOrEqual(5_000_000);
});

test("profile fixed: the registry stays in etcd, and another engine leads", () => {
  const world = cluster(Array.from({ length: 3 }, () => ({ profile: "fixed" as const })));
  expect(engines(world)).toEqual([undefined, undefined, undefined]);
  world.cutOff.add(world.host(0).id);
  world.host(0).etcd = "cut";
  world.run(30);
  expect(world.told("fleet.engine-leader")).toHaveLength(2);
});

test("an engine that takes over while etcd is slow knows of no unit, and all machines stop theirs", () => {
  const world = cluster([{}, {}]);
  world.fleetctlVia(0, "start", "web@1.service", `${SLEEP}[X-Fleet]\nConflicts=web@*\n`);
  world.fleetctlVia(0, "start", "web@2.service", `${SLEEP}[X-Fleet]\nConflicts=web@*\n`);
  world.run(8);
  world.stop(0, "SIGTERM");
  runUntil(world, () => world.told("fleet.engine-leader").length === 2, 0.001);
  runUntil(world, () => world.host(1).state.grpc?.change?.step === "load", 0.001);
  // The first of what it reads it does not hear.
  world.host(1).etcd = "unheard";
  world.run(0.9);
  world.host(1).etcd = "up";
  world.run(10);
  const [, serving] = world.told("fleet.grpc-serving");
  expect(serving?.fact).toMatchObject({ units: 0, scheduled: 0 });
  expect([...world.running("web@1.service"), ...world.running("web@2.service")]).toEqual([]);
  expect(world.value("job/web@1.service/target-state")).toBe("launched");
});

test("a write that etcd did and did not answer is unknown to the engine for good", () => {
  const world = cluster([{}, {}]);
  world.fleetctlVia(0, "submit", "web.service", SLEEP);
  world.fleetctlVia(0, "load", "web.service", SLEEP);
  runUntil(world, () => world.host(0).state.engine.step === "task", 0.001);
  world.host(0).etcd = "unheard";
  runUntil(world, () => world.value("job/web.service/target") !== null);
  world.run(0.5);
  world.host(0).etcd = "up";
  world.run(60);
  expect(world.value("job/web.service/target")).not.toBeNull();
  expect(world.host(0).state.grpc?.server?.memory.schedule.get("web.service")).toBeUndefined();
  expect(world.told("fleet.task")).toEqual([]);
});

test("what is gone from etcd cannot be destroyed", () => {
  const world = cluster([{}, {}]);
  world.fleetctlVia(1, "submit", "web.service", SLEEP);
  expect(world.fleetctl("destroy", "web.service")).toBe("Destroyed web.service");
  expect(world.fleetctlVia(1, "destroy", "web.service")).toContain("status 500");
  expect(world.host(0).state.grpc?.server?.memory.units.has("web.service")).toBe(true);
});

test("a unit that came into etcd by another way is unknown to the engine", () => {
  const world = cluster([{}, {}]);
  world.fleetctl("start", "web.service", SLEEP);
  world.fleetctlVia(1, "start", "api.service", SLEEP);
  world.run(30);
  expect(world.running("web.service")).toEqual([]);
  expect(world.running("api.service")).toHaveLength(1);
});

test("where a machine is without gRPC the engine looks into etcd as well, and keeps states there", () => {
  const world = new FleetWorld([
    grpcHost(0),
    grpcHost(1, { enableGrpc: false, disableEngine: true }),
  ]);
  world.start(1);
  world.run(1);
  world.start(0);
  world.run(3);
  world.fleetctl("start", "web@1.service", `${SLEEP}[X-Fleet]\nConflicts=web@*\n`);
  world.fleetctl("start", "web@2.service", `${SLEEP}[X-Fleet]\nConflicts=web@*\n`);
  world.run(12);
  const running = [...world.running("web@1.service"), ...world.running("web@2.service")];
  expect(running.sort()).toEqual([0, 1]);
  const list = { method: "GET", target: "/fleet/v1/state", contentTypes: [], body: "" };
  const answer = world.http(0, list);
  const states = answer?.kind === "answer" ? JSON.parse(answer.body).states : [];
  expect(states.map(({ name }: { name: string }) => name)).toEqual([
    "web@1.service",
    "web@2.service",
  ]);
});

test("without its lease an engine that others still reach keeps every one of them from leading", () => {
  const world = cluster([{}, {}]);
  world.etcd({ op: "delete", key: "/_coreos.com/fleet/lease/engine-leader" });
  world.run(120);
  expect(world.value("lease/engine-leader")).toBeNull();
  expect(world.told("fleet.engine-lost")).toHaveLength(1);
});

test("a fleetd without an engine looks for the one that leads, and fails where its machine is missing", () => {
  const world = cluster([{}, { disableEngine: true }]);
  world.run(10);
  expect(engines(world)).toEqual([world.host(0).id, world.host(0).id]);
  world.fleetctlVia(1, "start", "web.service", SLEEP);
  world.run(5);
  expect(world.running("web.service")).toHaveLength(1);
  world.cutOff.add(world.host(0).id);
  world.host(0).etcd = "cut";
  world.run(60);
  expect(world.host(1).exits).toEqual([1]);
  world.start(1);
  world.run(5);
  expect(world.host(1).exits).toEqual([1, 2]);
});

test("a fleetd without an engine that was led without gRPC stays with etcd, whoever leads then", () => {
  const world = cluster([{}, { disableEngine: true }]);
  world.run(10);
  const [leader, blind] = world.hosts;
  const leads = (machine: string): void => {
    const lease = JSON.stringify({ MachineID: machine, Version: 1 });
    world.etcd({ op: "put", key: "/_coreos.com/fleet/lease/engine-leader", value: lease });
    world.run(12);
  };
  const presence = { ID: "e".repeat(32), PublicIP: "10.0.0.9" };
  const key = `/_coreos.com/fleet/machines/${presence.ID}/object`;
  world.etcd({ op: "put", key, value: JSON.stringify(presence) });
  expect(blind?.state.grpc?.current).toBe("rpc");
  leads(presence.ID);
  expect(blind?.state.grpc?.current).toBe("etcd");
  leads(leader?.id ?? "");
  world.run(60);
  expect(blind?.state.grpc?.current).toBe("etcd");
  expect(blind?.exits).toEqual([]);
});

test("a fleetd that cannot reach the engine that leads ends after twelve seconds", () => {
  const world = new FleetWorld([grpcHost(0), grpcHost(1)]);
  world.start(0);
  world.run(3);
  world.cutOff.add(world.host(0).id);
  world.start(1);
  world.run(11);
  expect(world.host(1).exits).toEqual([]);
  world.run(3);
  expect(world.host(1).exits).toEqual([1]);
});

test("an engine without gRPC that leads takes all back to etcd", () => {
  const world = new FleetWorld([grpcHost(0), grpcHost(1), { publicIp: "10.0.0.2" }]);
  world.startAll();
  world.run(6);
  const leads = world.hosts.findIndex(({ id }) => world.value("lease/engine-leader")?.includes(id));
  world.stop(leads, "SIGTERM");
  const lease = JSON.stringify({ MachineID: world.host(2).id, Version: 1 });
  world.etcd({ op: "put", key: "/_coreos.com/fleet/lease/engine-leader", value: lease });
  world.run(12);
  expect(engines(world)).toEqual([undefined, undefined, undefined]);
  expect(world.told("fleet.registry-etcd").length).toBeGreaterThan(0);
});

test("with gRPC an immutable run and a run in place ask and tell the same", () => {
  const story = (runner?: "immer") => {
    const world = cluster([{}, { disableEngine: true }, {}], runner);
    world.run(8);
    for (let i = 0; i < 4; i++) world.fleetctlVia(2, "start", `web@${i}.service`, SLEEP);
    world.run(12);
    world.stop(0, "SIGTERM");
    world.run(30);
    world.start(0);
    world.run(20);
    return world;
  };
  const inPlace = story();
  const immer = story("immer");
  expect(immer.facts).toEqual(inPlace.facts);
  expect(immer.effects).toEqual(inPlace.effects);
  expect(inPlace.facts.length).toBeGreaterThan(30);
  for (const [index, host] of inPlace.hosts.entries()) {
    expect(hashState(immer.host(index).state)).toBe(hashState(host.state));
  }
});
