import { expect, test } from "vitest";
import type { FleetProfile } from "./index.js";
import { FleetWorld } from "./testing/world.js";

/** A fleet at rest: five hosts and twenty units that have been running for a while. */
function atRest(profile: FleetProfile): FleetWorld {
  const world = new FleetWorld(Array.from({ length: 5 }, () => ({ profile })));
  world.startAll();
  world.run(3);
  for (let i = 0; i < 20; i++) world.fleetctl("start", `web@${i}.service`);
  world.run(30);
  world.requests.clear();
  return world;
}

/** Requests that read more than one machine's key. */
function bigReads(world: FleetWorld): number {
  const all = [...world.requests.values()].flat();
  return all.filter(({ op, key }) => op === "get" && /\/(job|unit|machines)$/.test(key)).length;
}

test("the agents of fleet 1.0 read the whole registry every five seconds, those of the fixed profile once a minute", () => {
  const [faithful, fixed] = (["faithful", "fixed"] as const).map((profile) => {
    const world = atRest(profile);
    const leader = world.hosts.findIndex(
      ({ state }) => state.engine.lease?.machine === state.config.machineId,
    );
    world.run(60);
    world.requests.delete(world.host(leader).id);
    return bigReads(world);
  });
  // Units, files and schedule, by four machines.
  expect(faithful).toBe(12 * 3 * 4);
  expect(fixed).toBe(3 * 4);
});

test("profile fixed: heartbeats are renewed and wake no watch", () => {
  const world = atRest("fixed");
  const watches = (): number =>
    [...world.requests.values()].flat().filter(({ op }) => op === "watch").length;
  world.run(60);
  // One poll with each look of an agent, and none in between.
  expect(watches()).toBe(5 * 12);
  for (let i = 0; i < 20; i++) {
    const home = world.targetOf(`web@${i}.service`);
    expect(world.value(`job/web@${i}.service/job-state`)).toBe(world.host(home ?? 0).id);
  }
});

test("profile fixed: a heartbeat that somebody took away is written again", () => {
  const world = atRest("fixed");
  world.etcd({ op: "delete", key: "/_coreos.com/fleet/job/web@0.service/job-state" });
  world.run(30);
  expect(world.value("job/web@0.service/job-state")).not.toBeNull();
});

test("profile fixed: an agent hears of new metadata of its machine within its interval", () => {
  const world = new FleetWorld([{ profile: "fixed" }]);
  world.startAll();
  world.run(3);
  const text = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobal=true\nMachineMetadata=ssd=yes\n";
  world.fleetctl("start", "everywhere.service", text);
  world.run(30);
  expect(world.running("everywhere.service")).toEqual([]);
  const { id } = world.host(0);
  world.etcd({ op: "put", key: `/_coreos.com/fleet/machines/${id}/metadata/ssd`, value: "yes" });
  world.run(6);
  expect(world.running("everywhere.service")).toEqual([0]);
});
