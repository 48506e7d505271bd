import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { FleetProfile } from "./config.js";
import { FleetWorld } from "./testing/world.js";

const HOSTS = 3;
const UNITS = ["a@1.service", "a@2.service", "b.service", "c.service", "g.service"];
const SECTIONS: Readonly<Record<string, string>> = {
  "a@1.service": "[X-Fleet]\nConflicts=a@*.service\n",
  "a@2.service": "[X-Fleet]\nConflicts=a@*.service\n",
  "c.service": "[X-Fleet]\nMachineOf=b.service\n",
  "g.service": "[X-Fleet]\nGlobal=true\n",
};

const host = fc.nat({ max: HOSTS - 1 });
const action = fc.oneof(
  fc.record({
    do: fc.constantFrom("start", "load", "stop", "unload", "destroy"),
    unit: fc.constantFrom(...UNITS),
  }),
  fc.record({ do: fc.constantFrom("cut", "heal", "term", "kill", "boot"), host }),
);
const story = fc.array(fc.record({ action, seconds: fc.integer({ min: 0, max: 25 }) }), {
  maxLength: 25,
});
type Story = readonly { readonly action: Action; readonly seconds: number }[];
type Action =
  | { readonly do: "start" | "load" | "stop" | "unload" | "destroy"; readonly unit: string }
  | { readonly do: "cut" | "heal" | "term" | "kill" | "boot"; readonly host: number };

/** Plays a story and looks at the world after every second. */
function play(world: FleetWorld, steps: Story, look: () => void): void {
  const wait = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      world.run(1);
      look();
    }
  };
  world.startAll();
  wait(3);
  for (const { action: next, seconds } of steps) {
    perform(world, next);
    wait(seconds);
  }
}

function perform(world: FleetWorld, action: Action): void {
  if ("unit" in action) {
    world.fleetctl(
      action.do,
      action.unit,
      `[Service]\nExecStart=/bin/true\n${SECTIONS[action.unit] ?? ""}`,
    );
    return;
  }
  const target = world.host(action.host);
  switch (action.do) {
    case "cut":
      target.etcd = "cut";
      return;
    case "heal":
      target.etcd = "up";
      return;
    case "term":
      world.stop(action.host, "SIGTERM");
      return;
    case "kill":
      // Power loss: /run is empty afterwards.
      world.stop(action.host, "SIGKILL");
      target.systemd.active.clear();
      target.systemd.files.clear();
      return;
    case "boot":
      world.start(action.host);
  }
}

function calmDown(world: FleetWorld): void {
  for (const target of world.hosts) target.etcd = "up";
  // A process that is on its way out has to be gone before it can be started.
  world.run(30);
  for (let i = 0; i < HOSTS; i++) world.start(i);
  world.run(240);
}

// Would catch a loop that ends without arming its timer, a pass left waiting for an answer that was
// forgotten, a lease nobody takes, a unit file left behind.
test("whatever happened, a healed cluster runs what the registry says and nothing else", () => {
  fc.assert(
    fc.property(story, fc.constantFrom<FleetProfile>("faithful", "fixed"), (steps, profile) => {
      const world = new FleetWorld(Array.from({ length: HOSTS }, () => ({ profile })));
      play(world, steps as Story, () => {});
      calmDown(world);
      for (const unit of UNITS) {
        const wanted = world.value(`job/${unit}/target-state`);
        const global = unit === "g.service";
        const target = world.targetOf(unit);
        const placed = global ? [0, 1, 2] : target === null ? [] : [target];
        expect([unit, world.running(unit)]).toEqual([unit, wanted === "launched" ? placed : []]);
        const files = [0, 1, 2].filter((index) => world.host(index).systemd.files.has(unit));
        const active = wanted === "launched" || wanted === "loaded";
        expect([unit, "files", files]).toEqual([unit, "files", active ? placed : []]);
        if (active && (unit.startsWith("a@") || unit === "b.service")) {
          expect([unit, target]).not.toEqual([unit, null]);
        }
      }
    }),
    { numRuns: 60 },
  );
});

const outages = fc
  .array(
    fc.record({
      action: fc.record({ do: fc.constantFrom("cut", "heal", "heal", "kill", "boot"), host }),
      seconds: fc.integer({ min: 0, max: 60 }),
    }),
    { maxLength: 15 },
  )
  .map((steps) => [
    ...UNITS.map((unit) => ({ action: { do: "start", unit }, seconds: 2 })),
    ...steps,
  ]);

/** Whether a unit that is to run once runs twice at any second of a story. */
function runsTwice(profile: FleetProfile, steps: Story): boolean {
  const world = new FleetWorld(Array.from({ length: HOSTS }, () => ({ profile })));
  let twice = false;
  play(world, steps, () => {
    twice ||= UNITS.some((unit) => unit !== "g.service" && world.running(unit).length > 1);
  });
  return twice;
}

// Would catch a fence armed from the answer to a beat instead of from its sending.
test("profile fixed: however hosts are cut off, no unit runs twice; profile faithful: it does", () => {
  const property = (profile: FleetProfile) =>
    fc.property(outages, (steps) => !runsTwice(profile, steps as Story));
  fc.assert(property("fixed"), { numRuns: 60 });
  expect(fc.check(property("faithful"), { numRuns: 60, seed: 1 }).failed).toBe(true);
});
