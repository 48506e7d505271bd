import { expect, test } from "vitest";
import type { FleetProfile } from "./index.js";
import { FleetWorld } from "./testing/world.js";

/** One host that runs a unit and has been sent a SIGHUP. */
function hungUp(profile: FleetProfile): FleetWorld {
  const world = new FleetWorld([{ profile }]);
  world.startAll();
  world.run(3);
  world.fleetctl("start", "web.service");
  world.run(6);
  world.hangUp(0);
  world.run(10);
  return world;
}

const asked = (world: FleetWorld) => Array.from({ length: 4 }, () => world.ask(0));

test("after a SIGHUP every other request to fleet 1.0 finds a server that is not there for it", () => {
  expect(asked(hungUp("faithful"))).toEqual([200, 503, 200, 503]);
});

test("after a SIGHUP fleet 1.0 does not hear SIGTERM: it neither ends nor stops its units", () => {
  const world = hungUp("faithful");
  world.stop(0, "SIGTERM");
  world.run(60);
  expect(world.host(0).exits).toEqual([]);
  expect(world.running("web.service")).toEqual([0]);
  expect(world.told("fleet.reloaded")).toEqual([]);
});

test("the second server registers once the presence of the first is missing, and a SIGTERM that waited is heard", () => {
  const world = hungUp("faithful");
  world.stop(0, "SIGTERM");
  for (let second = 0; second < 40 && world.told("fleet.reloaded").length === 0; second++) {
    world.etcd({ op: "delete", key: `/_coreos.com/fleet/machines/${world.host(0).id}/object` });
    world.run(1);
  }
  world.run(10);
  expect(world.told("fleet.reloaded")).toHaveLength(1);
  expect(world.host(0).exits).toEqual([0]);
});

test("profile fixed: a SIGHUP changes nothing for who asks, and SIGTERM is heard", () => {
  const world = hungUp("fixed");
  expect(world.told("fleet.reloaded")).toHaveLength(1);
  expect(asked(world)).toEqual([200, 200, 200, 200]);
  world.stop(0, "SIGTERM");
  world.run(10);
  expect(world.host(0).exits).toEqual([0]);
  expect(world.running("web.service")).toEqual([]);
});

test("before it has registered a fleetd handles no signal, and each ends it as it is", () => {
  for (const signal of ["SIGHUP", "SIGTERM"] as const) {
    const world = new FleetWorld([{ machineId: "a".repeat(32) }, { machineId: "a".repeat(32) }]);
    world.startAll();
    world.run(10);
    const [waits] = [0, 1].filter((index) => world.host(index).state.phase === "registering");
    expect(waits).toBeDefined();
    if (signal === "SIGHUP") world.hangUp(waits ?? 0);
    else world.stop(waits ?? 0, signal);
    world.run(1);
    expect(world.host(waits ?? 0).exits).toEqual([0]);
    // Its twin's presence is left alone.
    expect(world.value(`machines/${"a".repeat(32)}/object`)).not.toBeNull();
  }
});
