import { expect, test } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../kernel/index.js";
import { type SlotVariant, UPDATE_ENGINE_SLOTS } from "./index.js";
import { failuresOf, grantsOf, serviceConfig, World } from "./testing/world.js";

const OLD = "4081.2.0";
const NEW = "4152.0.0";

function worldOf(more: Parameters<typeof serviceConfig>[2] = {}): World {
  return new World(serviceConfig([OLD, NEW], NEW, more));
}

const variant = (more: Partial<SlotVariant>) => ({ slots: { ...UPDATE_ENGINE_SLOTS, ...more } });

test("a good update is downloaded, written, booted and marked good, and the service hears of it", () => {
  const world = worldOf();
  const host = world.addHost("a", OLD);
  world.run(2 * HOUR);
  expect(host.versionsBooted).toEqual([OLD, NEW]);
  expect(host.disk).toEqual({
    "USR-A": { version: OLD, priority: 1, tries: 0, successful: true, complete: true },
    "USR-B": { version: NEW, priority: 2, tries: 0, successful: true, complete: true },
  });
  const statuses = host.facts.flatMap(({ fact }) =>
    fact.kind === "update.status" ? [fact.status] : [],
  );
  expect(statuses.slice(0, 7)).toEqual([
    "IDLE",
    "CHECKING_FOR_UPDATE",
    "UPDATE_AVAILABLE",
    "DOWNLOADING",
    "FINALIZING",
    "UPDATED_NEED_REBOOT",
    "IDLE",
  ]);
  const story = world.serviceFacts.flatMap(({ fact }) =>
    fact.kind === "service.instance" ? [fact.status] : [fact.kind],
  );
  expect(story.slice(0, 8)).toEqual([
    "none",
    "service.granted",
    "UpdateGranted",
    "service.rollout",
    "Downloading",
    "Downloaded",
    "Complete",
    "service.rollout",
  ]);
});

test("a second update goes into the slot that the first one left", () => {
  const world = new World(serviceConfig([OLD, NEW, "4200.0.0"], NEW));
  const host = world.addHost("a", OLD);
  world.run(2 * HOUR);
  world.ask({
    kind: "set-channel",
    appId: world.service.config.applications[0]?.id ?? "",
    channelId: "stable",
    packageId: "4200.0.0",
  });
  world.run(5 * HOUR);
  expect(host.versionsBooted).toEqual([OLD, NEW, "4200.0.0"]);
  expect(host.disk["USR-A"]).toMatchObject({ version: "4200.0.0", priority: 2, successful: true });
  expect(host.disk["USR-B"]).toMatchObject({ version: NEW, priority: 1, successful: true });
});

test("a version that panics is booted once, rolled back, and granted again for ever", () => {
  const world = worldOf();
  world.behaviours.set(NEW, "panics");
  const host = world.addHost("a", OLD);
  world.run(DAY);
  const bootsOfNew = host.versionsBooted.filter((version) => version === NEW).length;
  expect(bootsOfNew).toBeGreaterThan(50);
  expect(host.versionsBooted.slice(0, 5)).toEqual([OLD, NEW, OLD, NEW, OLD]);
  // One grant a boot; the last may still be under way.
  expect(grantsOf(world, NEW) - bootsOfNew).toBeOneOf([0, 1]);
  // The old tree's 3/2 with the previous version makes the rollback look like success.
  const statuses = world.serviceFacts.flatMap(({ fact }) =>
    fact.kind === "service.instance" ? [fact.status] : [],
  );
  expect(statuses).toContain("Complete");
  expect(statuses).not.toContain("Error");
});

test("with rollback detection the service hears of the failure and grants again all the same", () => {
  const world = worldOf();
  world.behaviours.set(NEW, "panics");
  world.addHost("a", OLD, { rollbackDetection: true });
  world.run(6 * HOUR);
  const statuses = world.serviceFacts.flatMap(({ fact }) =>
    fact.kind === "service.instance" ? [fact.status] : [],
  );
  expect(statuses).toContain("Error");
  expect(statuses).not.toContain("Complete");
  expect(grantsOf(world, NEW)).toBeGreaterThan(5);
});

test("under the fixed profile a host that came back is not granted that version again", () => {
  const world = worldOf({ profile: "fixed" });
  world.behaviours.set(NEW, "panics");
  const host = world.addHost("a", OLD);
  world.run(DAY);
  expect(host.versionsBooted).toEqual([OLD, NEW, OLD]);
  expect(grantsOf(world, NEW)).toBe(1);
  expect(world.service.denied.has(`a ${NEW}`)).toBe(true);
  // Even when an operator opens the halted rollout again.
  const appId = world.service.config.applications[0]?.id ?? "";
  world.ask({ kind: "set-updates", appId, groupId: "g", enabled: true });
  world.run(2 * DAY);
  expect(grantsOf(world, NEW)).toBe(1);
});

test("under the fixed profile the first failure halts the rollout for everybody", () => {
  const world = worldOf({ profile: "fixed", policy: { maxUpdatesPerPeriod: 1 } });
  world.behaviours.set(NEW, "panics");
  for (const name of ["a", "b", "c", "d"]) world.addHost(name, OLD);
  world.run(DAY);
  expect(grantsOf(world, NEW)).toBe(1);
  const rollouts = world.serviceFacts.flatMap(({ fact }) =>
    fact.kind === "service.rollout" ? [fact.rollout] : [],
  );
  expect(rollouts).toEqual(["started", "failed", "disabled"]);
});

test("a version that hangs without a reset keeps the host down; a watchdog brings the old one back", () => {
  const stuck = worldOf();
  stuck.behaviours.set(NEW, "hangs");
  const host = stuck.addHost("a", OLD);
  stuck.run(DAY);
  expect([host.versionsBooted, host.running]).toEqual([[OLD, NEW], null]);

  const watched = worldOf({ profile: "fixed" });
  watched.behaviours.set(NEW, "hangs");
  const saved = watched.addHost("a", OLD, variant({ watchdog: 2 * MINUTE }));
  watched.run(DAY);
  expect([saved.versionsBooted, saved.running]).toEqual([[OLD, NEW, OLD], "USR-A"]);
});

test("a host rebooted within 45 seconds of its first boot into a good version goes back to the old one", () => {
  const world = worldOf({ profile: "fixed" });
  const host = world.addHost("a", OLD);
  while (host.versionsBooted.length < 2) world.run(world.now + SECOND);
  world.run(world.now + 60 * SECOND);
  expect([host.running, host.disk["USR-B"].successful]).toEqual(["USR-B", false]);
  world.reboot(host);
  world.run(world.now + HOUR);
  expect(host.versionsBooted).toEqual([OLD, NEW, OLD]);
});

test("a service broken after 45 seconds is marked good all the same: only a health gate would notice", () => {
  const world = worldOf();
  const host = world.addHost("a", OLD);
  while (host.versionsBooted.length < 2) world.run(world.now + SECOND);
  world.run(world.now + 2 * MINUTE);
  expect(host.disk["USR-B"].successful).toBe(true);
  world.reboot(host);
  expect(host.versionsBooted.at(-1)).toBe(NEW);
});

test("a slot that was marked good and is corrupted later panics for ever beside a good one", () => {
  const world = worldOf();
  const host = world.addHost("a", OLD);
  world.run(2 * HOUR);
  host.disk["USR-B"].complete = false;
  host.versionsBooted.length = 0;
  world.reboot(host);
  world.run(3 * HOUR);
  expect(new Set(host.versionsBooted)).toEqual(new Set([NEW]));
  expect(host.versionsBooted.length).toBeGreaterThan(100);
  expect(host.disk["USR-A"]).toMatchObject({ version: OLD, complete: true, successful: true });
});

test("a corrupted payload is fetched at every check while the server disables backoff", () => {
  const world = worldOf();
  world.payload = "hash-mismatch";
  const host = world.addHost("a", OLD);
  world.run(DAY);
  expect(failuresOf(host).filter((code) => code === 10).length).toBeGreaterThan(25);
  expect(host.disk["USR-A"]).toMatchObject({ version: OLD, priority: 1, successful: true });
  expect(host.disk["USR-B"]).toMatchObject({ complete: false, priority: 0, successful: false });
});

test("a failed postinst leaves the boot flags alone", () => {
  const world = worldOf();
  world.write = "postinst-failed";
  const host = world.addHost("a", OLD);
  world.run(HOUR);
  expect(failuresOf(host)[0]).toBe(5);
  expect(host.disk["USR-B"]).toMatchObject({ priority: 0, tries: 0, successful: false });
});

test("a service that answers 503 is asked less and less, down to once in two to six hours", () => {
  const world = worldOf();
  world.serviceUp = false;
  const host = world.addHost("a", OLD);
  world.run(2 * DAY);
  const checks = host.facts.flatMap(({ at, fact }) => (fact.kind === "update.checked" ? [at] : []));
  const gaps = checks.slice(1).map((at, i) => at - (checks[i] ?? 0));
  // The first retry is at the normal period, the next ones double from there up to four hours.
  expect(gaps[0]).toBeLessThan(51 * MINUTE);
  expect(Math.max(...gaps)).toBeLessThan(6 * HOUR + MINUTE);
  expect(gaps.slice(3).every((gap) => gap > 2 * HOUR - MINUTE)).toBe(true);
  expect(failuresOf(host)).toEqual(checks.map(() => 2503));
  world.serviceUp = true;
  world.run(world.now + 7 * HOUR);
  expect(host.versionsBooted).toContain(NEW);
});

test("a policy's denial is an error to the host, which reports it; the fixed service says noupdate", () => {
  const denied = (profile: "faithful" | "fixed") => {
    const world = worldOf({ profile, policy: { updatesEnabled: false } });
    const host = world.addHost("a", OLD);
    world.run(HOUR);
    return failuresOf(host);
  };
  expect(denied("faithful")).toContain(34);
  expect(denied("fixed")).toEqual([]);
});

test("ResetStatus leaves the boot flags, so the next reboot still goes to the update", () => {
  const world = worldOf();
  world.rebootDelay = null;
  const host = world.addHost("a", OLD);
  while (host.state.status !== "UPDATED_NEED_REBOOT") world.run(world.now + SECOND);
  world.tell(host, { kind: "reset-status" });
  expect(host.state.status).toBe("IDLE");
  world.reboot(host);
  world.run(world.now + MINUTE);
  expect(host.versionsBooted.at(-1)).toBe(NEW);
});

test("while an update waits for its reboot the host only pings, and its running slot is not marked good over it", () => {
  const world = worldOf();
  world.rebootDelay = null;
  const host = world.addHost("a", OLD);
  world.run(DAY);
  expect(host.state.status).toBe("UPDATED_NEED_REBOOT");
  expect(grantsOf(world, NEW)).toBe(1);
  expect(host.disk["USR-B"]).toMatchObject({ priority: 2, tries: 1 });
  expect(
    world.service.applications.values().next().value?.instances.get("a")?.lastCheck,
  ).toBeGreaterThan(23 * HOUR);
});
