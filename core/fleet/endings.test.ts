import { expect, test } from "vitest";
import { FleetWorld } from "./testing/world.js";

/** Two hosts run one unit, which has ended by itself, and the one that ran it is lost. */
function lostAfterEnd(profile: "faithful" | "fixed"): FleetWorld {
  const world = new FleetWorld([{ profile }, { profile }]);
  world.startAll();
  world.run(3);
  world.fleetctl("start", "job.service");
  world.run(6);
  const home = world.targetOf("job.service") ?? 0;
  world.host(home).systemd.die("job.service");
  world.run(6);
  world.stop(home, "SIGKILL");
  world.run(60);
  expect(world.targetOf("job.service")).toBe(1 - home);
  return world;
}

const starts = (world: FleetWorld) => world.hosts.flatMap(({ systemd }) => systemd.started);

test("fleet 1.0 starts a unit that has ended again where it moves", () => {
  expect(starts(lostAfterEnd("faithful"))).toEqual(["job.service", "job.service"]);
});

test("profile fixed: a unit that has ended is only loaded where it moves", () => {
  const world = lostAfterEnd("fixed");
  expect(starts(world)).toEqual(["job.service"]);
  const home = world.targetOf("job.service") ?? 0;
  expect(world.host(home).systemd.files.has("job.service")).toBe(true);
});

test("profile fixed: a unit that has ended runs again when it is stopped and started", () => {
  const world = lostAfterEnd("fixed");
  world.fleetctl("stop", "job.service");
  world.run(10);
  world.fleetctl("start", "job.service");
  world.run(10);
  expect(starts(world)).toEqual(["job.service", "job.service"]);
});

test("profile fixed: a unit that ended while etcd was away is known to have ended once etcd is back", () => {
  const world = new FleetWorld([{ profile: "fixed" }]);
  world.startAll();
  world.run(3);
  world.fleetctl("start", "job.service");
  world.run(6);
  world.host(0).etcd = "cut";
  world.host(0).systemd.die("job.service");
  world.run(8);
  expect(world.value("job/job.service/ended")).toBeNull();
  world.host(0).etcd = "up";
  world.run(8);
  expect(world.value("job/job.service/ended")).not.toBeNull();
});

test("profile fixed: a unit that fleet stops has not ended", () => {
  const world = new FleetWorld([{ profile: "fixed" }, { profile: "fixed" }]);
  world.startAll();
  world.run(3);
  world.fleetctl("start", "job.service");
  world.run(6);
  const home = world.targetOf("job.service") ?? 0;
  world.stop(home, "SIGTERM");
  world.run(30);
  expect(world.running("job.service")).toEqual([1 - home]);
});
