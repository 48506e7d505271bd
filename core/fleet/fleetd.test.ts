import { expect, test } from "vitest";
import { hashState, SECOND } from "../kernel/index.js";
import { FleetWorld } from "./testing/world.js";

function started(count: number, config: object = {}): FleetWorld {
  const world = new FleetWorld(Array.from({ length: count }, () => config));
  world.startAll();
  world.run(3);
  return world;
}

const X = (...lines: string[]) =>
  `[Service]\nExecStart=/bin/true\n\n[X-Fleet]\n${lines.join("\n")}\n`;

test("hosts register, one engine leads, and nothing more is told while nothing happens", () => {
  const world = started(3);
  expect(world.told("fleet.registered")).toHaveLength(3);
  expect(world.told("fleet.engine-leader")).toHaveLength(1);
  const before = world.facts.length;
  world.run(300);
  expect(world.facts.slice(before)).toEqual([]);
});

test("a unit that is started runs on one host within four seconds and its state is published", () => {
  const world = started(3);
  expect(world.fleetctl("start", "web.service")).toBe("Triggered unit web.service start");
  world.run(4);
  const target = world.targetOf("web.service");
  expect(target).not.toBeNull();
  expect(world.running("web.service")).toEqual([target]);
  const { id } = world.host(target ?? 0);
  expect(JSON.parse(world.value(`states/web.service/${id}`) ?? "")).toEqual({
    loadState: "loaded",
    activeState: "active",
    subState: "running",
    machineState: { ID: id, PublicIP: "", Metadata: null, Capabilities: null, Version: "" },
    unitHash: "86943ac9f3754cb90f8dd38bf6da7b0cad074592",
  });
  expect(world.value("job/web.service/job-state")).toBe(id);
});

test("units spread over the least loaded hosts", () => {
  const world = started(3);
  for (let i = 0; i < 9; i++) world.fleetctl("start", `web@${i}.service`);
  world.run(10);
  const loads = world.hosts.map(({ systemd }) => systemd.active.size);
  expect(loads).toEqual([3, 3, 3]);
});

test("stop, start, unload and destroy take a unit through its states", () => {
  const world = started(1);
  world.fleetctl("start", "web.service");
  world.run(8);
  world.fleetctl("stop", "web.service");
  world.run(8);
  expect(world.running("web.service")).toEqual([]);
  expect(world.host(0).systemd.files.has("web.service")).toBe(true);
  world.fleetctl("start", "web.service");
  world.run(8);
  expect(world.running("web.service")).toEqual([0]);
  world.fleetctl("unload", "web.service");
  world.run(8);
  expect(world.host(0).systemd.files.size).toBe(0);
  expect(world.targetOf("web.service")).toBeNull();
  expect(world.value(`states/web.service/${world.host(0).id}`)).toBeNull();
  expect(world.fleetctl("destroy", "web.service")).toBe("Destroyed web.service");
  expect(world.value("job/web.service/object")).toBeNull();
});

test("the units of a host that dies run elsewhere within TTL and two passes", () => {
  const world = started(3);
  for (let i = 0; i < 6; i++) world.fleetctl("start", `web@${i}.service`);
  world.run(10);
  const died = world.now;
  world.stop(2, "SIGKILL");
  world.host(2).systemd.active.clear();
  world.run(45);
  expect(world.host(0).systemd.active.size + world.host(1).systemd.active.size).toBe(6);
  const moves = world.told("fleet.unscheduled").map(({ fact, at }) => ({ fact, at }));
  expect(moves).toHaveLength(2);
  for (const { fact, at } of moves) {
    expect(fact).toMatchObject({ reason: `target Machine(${world.host(2).id}) went away` });
    expect(at - died).toBeLessThan(33 * SECOND);
  }
});

test("a unit whose [Install] section has nothing to enable is not loaded, and neither is what comes after it", () => {
  const world = started(1);
  world.host(0).systemd.linkless.add("app.service");
  world.fleetctl(
    "start",
    "app.service",
    "[Service]\nExecStart=/bin/true\n[Install]\nAlso=web.service\n",
  );
  world.run(6);
  world.fleetctl("start", "web.service");
  world.run(20);
  expect(world.running("app.service")).toEqual([]);
  expect(world.running("web.service")).toEqual([]);
  expect(world.told("fleet.task-failed")).toMatchObject([{ fact: { error: "nothing to enable" } }]);
});

test("a template that is started blinds its machine: nothing more is loaded, reported or purged", () => {
  const world = started(1);
  world.fleetctl("start", "web.service");
  world.run(6);
  world.fleetctl("start", "app@.service");
  world.run(6);
  const { systemd } = world.host(0);
  expect(systemd.files.has("app@.service")).toBe(true);
  world.fleetctl("start", "other.service");
  world.fleetctl("destroy", "app@.service");
  world.run(60);
  expect(world.running("other.service")).toEqual([]);
  expect(systemd.files.has("app@.service")).toBe(true);
  expect(world.value(`states/other.service/${world.host(0).id}`)).toBeNull();
  world.stop(0, "SIGTERM");
  world.run(10);
  expect(world.host(0).exits).toEqual([0]);
  expect(world.running("web.service")).toEqual([0]);
});

test("profile fixed: a template that is started is placed nowhere and keeps nobody", () => {
  const world = started(1, { profile: "fixed" });
  world.fleetctl("start", "app@.service");
  world.fleetctl("start", "web.service");
  world.run(10);
  expect(world.targetOf("app@.service")).toBeNull();
  expect(world.running("web.service")).toEqual([0]);
});

test("a host that is cut off keeps its units while they also run elsewhere, and drops them on return", () => {
  const world = started(2);
  world.fleetctl("start", "web.service");
  world.run(10);
  const home = world.targetOf("web.service") ?? 0;
  world.host(home).etcd = "cut";
  world.run(50);
  expect(world.running("web.service")).toEqual([0, 1]);
  expect(world.told("fleet.presence-lost", home)).toHaveLength(1);
  world.host(home).etcd = "up";
  world.run(80);
  expect(world.running("web.service")).toEqual([1 - home]);
  expect(world.told("fleet.registered", home)).toHaveLength(2);
});

test("profile fixed: a host that is cut off has stopped its units before they start elsewhere", () => {
  const world = started(2, { profile: "fixed" });
  world.fleetctl("start", "web.service");
  world.run(10);
  const home = world.targetOf("web.service") ?? 0;
  world.host(home).etcd = "cut";
  for (let second = 0; second < 60; second++) {
    world.run(1);
    expect(world.running("web.service").length).toBeLessThan(2);
  }
  expect(world.running("web.service")).toEqual([1 - home]);
  expect(world.told("fleet.fenced", home)).toHaveLength(1);
});

test("profile fixed: a fenced host starts what is still its own when etcd comes back", () => {
  const world = started(1, { profile: "fixed" });
  world.fleetctl("start", "web.service");
  world.run(10);
  world.host(0).etcd = "cut";
  world.run(50);
  expect(world.running("web.service")).toEqual([]);
  world.host(0).etcd = "up";
  world.run(90);
  expect(world.running("web.service")).toEqual([0]);
});

test.each(["faithful", "fixed"] as const)(
  "profile %s: a beat that is lost is sent again in time",
  (profile) => {
    const world = started(1, { profile });
    for (let round = 0; round < 40; round++) {
      world.host(0).etcd = round % 2 === 0 ? "cut" : "unheard";
      world.run(2);
      world.host(0).etcd = "up";
      world.run(21);
    }
    expect(world.told("fleet.presence-lost", 0)).toEqual([]);
    expect(world.told("fleet.fenced", 0)).toEqual([]);
  },
);

test("an outage shorter than the monitor's patience moves nothing", () => {
  const world = started(3);
  world.fleetctl("start", "web.service");
  world.run(10);
  const before = world.facts.length;
  for (const host of world.hosts) host.etcd = "cut";
  world.run(8);
  for (const host of world.hosts) host.etcd = "up";
  world.run(60);
  const kinds = new Set(world.facts.slice(before).map(({ fact }) => fact.kind));
  expect([...kinds].filter((kind) => !kind.startsWith("fleet.engine"))).toEqual([]);
});

test("beats that fail while reads succeed make an agent unload all it runs", () => {
  const world = started(2);
  world.fleetctl("start", "web.service");
  world.run(10);
  const home = world.targetOf("web.service") ?? 0;
  // The own object goes, its directory stays, reads go on.
  world.etcd({ op: "delete", key: `/_coreos.com/fleet/machines/${world.host(home).id}/object` });
  world.host(home).etcd = "read-only";
  world.run(6);
  expect(world.told("fleet.unloaded-all", home)).toHaveLength(1);
  expect(world.host(home).systemd.files.size).toBe(0);
});

test("profile fixed: a missing machine object leaves the units alone", () => {
  const world = started(1, { profile: "fixed" });
  world.fleetctl("start", "web.service");
  world.run(10);
  world.etcd({ op: "delete", key: `/_coreos.com/fleet/machines/${world.host(0).id}/object` });
  world.host(0).etcd = "read-only";
  world.run(6);
  expect(world.told("fleet.unloaded-all")).toEqual([]);
  expect(world.running("web.service")).toEqual([0]);
});

test("five units that conflict with each other run on three hosts, one each", () => {
  const world = started(3);
  for (let i = 0; i < 5; i++) world.fleetctl("start", `c.${i}.service`, X("Conflicts=c.*.service"));
  world.run(20);
  expect(world.hosts.map(({ systemd }) => systemd.active.size)).toEqual([1, 1, 1]);
});

test("a follower lands beside its peer, and both move together", () => {
  const world = started(3);
  world.fleetctl("start", "ping.service");
  world.fleetctl("start", "pong.service", X("MachineOf=ping.service"));
  world.run(10);
  const home = world.targetOf("ping.service") ?? 0;
  expect(world.running("pong.service")).toEqual([home]);
  world.stop(home, "SIGTERM");
  world.run(15);
  const next = world.targetOf("ping.service");
  expect(next).not.toBe(home);
  expect(world.running("ping.service")).toEqual([next]);
  expect(world.running("pong.service")).toEqual([next]);
});

test("a global unit runs on every host that fits, and on new ones", () => {
  const world = new FleetWorld([
    { metadata: { disk: "ssd" } },
    { metadata: { disk: "hdd" } },
    { metadata: { disk: "ssd" } },
  ]);
  world.start(0);
  world.start(1);
  world.run(3);
  world.fleetctl("start", "logs.service", X("Global=true", "MachineMetadata=disk=ssd"));
  world.run(8);
  expect(world.running("logs.service")).toEqual([0]);
  world.start(2);
  world.run(8);
  expect(world.running("logs.service")).toEqual([0, 2]);
  expect(world.targetOf("logs.service")).toBeNull();
});

test("of two conflicting globals every host runs the alphabetically first", () => {
  const world = started(3);
  world.fleetctl("start", "g.1.service", X("Global=true", "Conflicts=g.*.service"));
  world.fleetctl("start", "g.0.service", X("Global=true", "Conflicts=g.*.service"));
  world.run(20);
  expect(world.running("g.0.service")).toEqual([0, 1, 2]);
  expect(world.running("g.1.service")).toEqual([]);
});

test("a unit that replaces another takes its place and the other moves", () => {
  const world = started(2);
  world.fleetctl("start", "old.service", X(`MachineID=${world.host(0).id}`));
  world.run(8);
  world.fleetctl("start", "new.service", X("Replaces=old.service"));
  world.run(12);
  const homes = [world.targetOf("old.service"), world.targetOf("new.service")];
  expect(homes).toContain(0);
  expect(homes[0]).not.toBe(homes[1]);
});

test("the engine's lease passes to another host within its TTL when the leader dies", () => {
  const world = started(3);
  const [first] = world.told("fleet.engine-leader");
  const leader = world.hosts.findIndex(({ id }) => id === first?.host);
  const died = world.now;
  world.stop(leader, "SIGKILL");
  world.run(15);
  const [, second] = world.told("fleet.engine-leader");
  expect(second?.host).not.toBe(first?.host);
  expect((second?.at ?? 0) - died).toBeLessThanOrEqual(13 * SECOND);
  expect(
    world.hosts.filter(({ state }) => state.engine.lease?.machine === state.config.machineId),
  ).toHaveLength(1);
});

test("a leader that loses etcd stops leading at its next pass", () => {
  const world = started(1);
  world.host(0).etcd = "cut";
  world.run(20);
  // The version cannot be read, so the lease is not even looked at; it is lost at the first renewal.
  world.host(0).etcd = "up";
  world.run(10);
  expect(world.told("fleet.engine-lost")).toHaveLength(1);
  expect(world.told("fleet.engine-leader")).toHaveLength(2);
});

test("SIGTERM unloads everything, hands the units over at once and leaves the registry clean", () => {
  const world = started(2);
  world.fleetctl("start", "web.service");
  world.run(10);
  const home = world.targetOf("web.service") ?? 0;
  world.stop(home, "SIGTERM");
  world.run(10);
  expect(world.host(home).exits).toEqual([0]);
  expect(world.running("web.service")).toEqual([1 - home]);
  expect(world.host(home).systemd.files.size).toBe(0);
  expect(world.value(`machines/${world.host(home).id}/object`)).toBeNull();
});

test("a fleetd that is killed and started again starts nothing twice and stops nothing", () => {
  const world = started(1);
  for (let i = 0; i < 4; i++) world.fleetctl("start", `web@${i}.service`);
  world.run(10);
  world.stop(0, "SIGKILL");
  world.run(1);
  expect(world.host(0).exits).toEqual([137]);
  world.start(0);
  // Its own machine object has to expire before it can register.
  world.run(60);
  expect(world.told("fleet.registered", 0)).toHaveLength(2);
  const { systemd } = world.host(0);
  expect(systemd.stopped).toEqual([]);
  expect(systemd.started).toHaveLength(4);
  expect(systemd.active.size).toBe(4);
  // Loads and starts are issued again all the same.
  expect(systemd.calls.get("start")).toBe(8);
});

test("a fleetd that comes back after its presence expired drops what has moved meanwhile", () => {
  const world = started(2);
  for (let i = 0; i < 4; i++) world.fleetctl("start", `web@${i}.service`);
  world.run(10);
  world.stop(0, "SIGKILL");
  world.run(1);
  world.start(0);
  world.run(90);
  expect(world.host(0).systemd.stopped).toHaveLength(2);
  expect(world.host(1).systemd.active.size).toBe(4);
  expect(world.host(0).systemd.files.size).toBe(0);
});

test("a unit that cannot be enabled halts the pass for all units behind it, again and again, told once", () => {
  const world = started(1);
  world.host(0).systemd.broken.add("a.service");
  world.fleetctl(
    "start",
    "a.service",
    "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n",
  );
  world.run(10);
  world.fleetctl("start", "b.service");
  world.run(30);
  expect(world.running("b.service")).toEqual([]);
  expect(world.told("fleet.task-failed")).toHaveLength(1);
  world.host(0).systemd.broken.clear();
  world.run(10);
  expect(world.running("b.service")).toEqual([0]);
});

test("a unit seen between the writes of its creation is scheduled and loaded but not started", () => {
  const world = started(1);
  world.fleetctl("submit", "web.service");
  world.etcd({ op: "delete", key: "/_coreos.com/fleet/job/web.service/target-state" });
  world.run(10);
  expect(world.targetOf("web.service")).toBe(0);
  expect(world.host(0).systemd.files.has("web.service")).toBe(true);
  expect(world.running("web.service")).toEqual([]);
});

test("a unit that dies is reported and is not started again by fleet", () => {
  const world = started(1);
  world.fleetctl("start", "web.service");
  world.run(10);
  world.host(0).systemd.die("web.service");
  world.run(30);
  expect(world.running("web.service")).toEqual([]);
  expect(world.told("fleet.unit-state").at(-1)?.fact).toEqual({
    kind: "fleet.unit-state",
    unit: "web.service",
    active: "inactive",
    sub: "dead",
  });
});

test("replaced content is unloaded and loaded again", () => {
  const world = started(1);
  world.fleetctl("start", "web.service");
  world.run(10);
  world.fleetctl("destroy", "web.service");
  world.fleetctl("start", "web.service", "[Service]\nExecStart=/bin/false\n");
  world.run(10);
  expect(world.host(0).systemd.files.get("web.service")).toBe("[Service]\nExecStart=/bin/false\n");
  expect(world.host(0).systemd.stopped).toEqual(["web.service"]);
});

test("two hosts with one machine ID: the second cannot register while the first lives", () => {
  const world = new FleetWorld([{ machineId: "d".repeat(32) }, { machineId: "d".repeat(32) }]);
  world.startAll();
  world.run(120);
  expect(world.host(0).state.phase).toBe("running");
  expect(world.host(1).state.phase).toBe("registering");
});

test("an engine of version 0 has its lease stolen, and its remainder is waited for", () => {
  const world = new FleetWorld([{}]);
  world.etcd({
    op: "put",
    key: "/_coreos.com/fleet/lease/engine-leader",
    value: "old-machine",
    ttl: 8,
  });
  world.start(0);
  world.fleetctl("start", "web.service");
  world.run(5);
  expect(world.told("fleet.engine-leader")).toHaveLength(1);
  expect(world.targetOf("web.service")).toBeNull();
  world.run(5);
  expect(world.targetOf("web.service")).toBe(0);
});

test("an engine of a higher version keeps this one out", () => {
  const world = new FleetWorld([{}]);
  world.etcd({ op: "put", key: "/_coreos.com/fleet/engine/version", value: "2" });
  world.start(0);
  world.fleetctl("start", "web.service");
  world.run(20);
  expect(world.targetOf("web.service")).toBeNull();
});

test("a quiet host asks systemd for unit states only when they are written again", () => {
  const world = started(1);
  world.fleetctl("start", "web.service");
  world.run(10);
  const before = world.host(0).systemd.calls.get("list-units") ?? 0;
  world.run(240);
  const calls = (world.host(0).systemd.calls.get("list-units") ?? 0) - before;
  expect(calls).toBe(10);
});

test("an immutable run and a run in place ask and tell the same", () => {
  const story = (runner: "in-place" | "immer") => {
    const world = new FleetWorld([{}, {}, { profile: "fixed" }], runner);
    world.startAll();
    world.run(3);
    for (let i = 0; i < 5; i++) world.fleetctl("start", `web@${i}.service`, X("Conflicts=web@1*"));
    world.fleetctl("start", "g.service", X("Global=true"));
    world.run(12);
    world.host(2).etcd = "cut";
    world.run(45);
    world.host(2).etcd = "up";
    world.stop(1, "SIGTERM");
    world.run(20);
    world.start(1);
    world.run(20);
    return world;
  };
  const inPlace = story("in-place");
  const immer = story("immer");
  expect(immer.facts).toEqual(inPlace.facts);
  expect(immer.effects).toEqual(inPlace.effects);
  expect(inPlace.facts.length).toBeGreaterThan(40);
  for (const [index, host] of inPlace.hosts.entries()) {
    expect(hashState(immer.host(index).state)).toBe(hashState(host.state));
  }
});
