import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FLEET_FIXES, type FleetProfile } from "./config.js";
import { listedOrder, orderCounts, orderMatters, passOrder, reconcilePass } from "./engine.js";
import { type EngineChange, IncrementalEngine } from "./engine-incremental.js";
import type { ClusterState, EngineJob, EngineTask } from "./engine-task.js";
import { globMatches } from "./glob.js";
import { GlobMemory } from "./glob-memory.js";
import type { Requirements } from "./requirements.js";
import { NOTHING } from "./testing/requirements.js";

const RUNS = 300;

// Two of them share their short ID.
const IDS = ["aaaaaaaa1", "aaaaaaaa2", "bbbbbbbb1", "cccccccc1", "dddddddd1"];
const NAMES = Array.from({ length: 9 }, (_, i) => `u${String.fromCharCode(97 + i)}`);
const NAME = fc.constantFrom(...NAMES, "t@");
const GLOB = fc.oneof(NAME, fc.constantFrom("*", "u*", "u[a-c]", "?d", "*e", "t@*", "["));

/** Demands of every kind but rarely, and one kind often: what needs two of a kind is met then. */
function demands(often: keyof Requirements): fc.Arbitrary<Requirements> {
  const sometimes = <T>(
    key: keyof Requirements,
    none: T,
    arbitrary: fc.Arbitrary<T>,
  ): fc.Arbitrary<T> =>
    fc.oneof(
      { weight: key === often ? 1 : 5, arbitrary: fc.constant(none) },
      { weight: 1, arbitrary },
    );
  return fc.record({
    requiredTarget: sometimes<string | null>(
      "requiredTarget",
      null,
      fc.constantFrom("aaaaaaaa", "aaaaaaaa2", "bbbbbbbb1", "none", ""),
    ),
    metadata: sometimes<Requirements["metadata"]>(
      "metadata",
      [],
      fc.uniqueArray(
        fc.record({
          key: fc.constantFrom("disk", "rack", "constructor"),
          values: fc.uniqueArray(fc.constantFrom("1", "2", "3"), { minLength: 1, maxLength: 2 }),
        }),
        { selector: ({ key }) => key, maxLength: 2 },
      ),
    ),
    peers: sometimes<readonly string[]>("peers", [], fc.array(NAME, { maxLength: 2 })),
    conflicts: sometimes<readonly string[]>("conflicts", [], fc.array(GLOB, { maxLength: 2 })),
    replaces: sometimes<readonly string[]>("replaces", [], fc.array(GLOB, { maxLength: 2 })),
    global: sometimes("global", false, fc.constant(true)),
  });
}

function unitOf(often: keyof Requirements): fc.Arbitrary<EngineJob> {
  return fc.record({
    name: NAME,
    targetState: fc.constantFrom("launched", "launched", "launched", "loaded", "inactive", ""),
    machine: fc.constantFrom(null, null, ...IDS.slice(0, 3), ...IDS, "gone"),
    requirements: demands(often),
  });
}

type Turn =
  | { readonly kind: "changes"; readonly changes: readonly EngineChange[] }
  /** Tasks of the last pass are carried out, but for those that fail: one of so many. */
  | { readonly kind: "tasks"; readonly failing: number };

function changeOf(unit: fc.Arbitrary<EngineJob>): fc.Arbitrary<EngineChange> {
  return fc.oneof(
    { weight: 5, arbitrary: unit.map((one): EngineChange => ({ kind: "put-unit", unit: one })) },
    { weight: 2, arbitrary: NAME.map((name): EngineChange => ({ kind: "drop-unit", name })) },
    {
      weight: 2,
      arbitrary: fc
        .record({
          id: fc.constantFrom(...IDS),
          metadata: fc.dictionary(fc.constantFrom("disk", "rack"), fc.constantFrom("1", "2", "3")),
        })
        .map((machine): EngineChange => ({ kind: "put-machine", machine })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...IDS).map((id): EngineChange => ({ kind: "drop-machine", id })),
    },
  );
}

/** The first picture and what happens then, each with a seed for orders. */
const lives = fc
  .constantFrom<keyof Requirements>(
    "requiredTarget",
    "metadata",
    "peers",
    "conflicts",
    "replaces",
    "global",
  )
  .chain((often) => {
    const unit = unitOf(often);
    const turn: fc.Arbitrary<Turn> = fc.oneof(
      fc
        .array(changeOf(unit), { maxLength: 5 })
        .map((changes): Turn => ({ kind: "changes", changes })),
      fc.integer({ min: 2, max: 6 }).map((failing): Turn => ({ kind: "tasks", failing })),
    );
    return fc.tuple(
      fc.integer({ min: 0, max: 4 }),
      fc.array(unit, { maxLength: 12 }),
      fc.array(fc.tuple(turn, fc.nat()), { maxLength: 14 }),
    );
  });

const PUT_ALL: readonly EngineChange[] = IDS.slice(0, 4).map((id, i) => ({
  kind: "put-machine",
  machine: { id, metadata: { disk: String(1 + (i % 2)) } },
}));

/** The registry as a plain picture: what the engine under test is told in pieces. */
class Registry {
  readonly units = new Map<string, EngineJob>();
  readonly machines = new Map<string, ClusterState["machines"][number]>();

  take(change: EngineChange): void {
    switch (change.kind) {
      case "put-unit":
        this.units.set(change.unit.name, change.unit);
        return;
      case "drop-unit":
        this.units.delete(change.name);
        return;
      case "put-machine":
        this.machines.set(change.machine.id, change.machine);
        return;
      case "drop-machine":
        this.machines.delete(change.id);
    }
  }

  cluster(): ClusterState {
    const units = [...this.units.values()].sort((l, r) => (l.name < r.name ? -1 : 1));
    return {
      jobs: units.filter(({ requirements: { global } }) => !global),
      globals: units.filter(({ requirements: { global } }) => global),
      machines: [...this.machines.values()].sort((l, r) => (l.id < r.id ? -1 : 1)),
    };
  }

  /** What the writes of the tasks would change, each guarded by what it expects. */
  carryOut(tasks: readonly EngineTask[], failing: number): EngineChange[] {
    const changes: EngineChange[] = [];
    tasks.forEach(({ type, unit: name, machine }, nth) => {
      const before = this.units.get(name);
      const expected = type === "UnscheduleUnit" ? machine : null;
      if (before === undefined || before.machine !== expected || nth % failing === 1) return;
      const after = { ...before, machine: type === "UnscheduleUnit" ? null : machine };
      const made: EngineChange = { kind: "put-unit", unit: after };
      this.take(made);
      changes.push(made);
    });
    return changes;
  }
}

/** Permutations with those counts, from a seed. */
function permutations(counts: readonly number[], seed: number): number[][] {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
  return counts.map((count) => {
    const items = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = below(i + 1);
      [items[i], items[j]] = [items[j] ?? 0, items[i] ?? 0];
    }
    return items;
  });
}

// Would catch a job that is not looked at again after its peer has left, a machine kept in a list of
// metadata that it has no more, and a unit that is thought to fit nowhere after there is room.
test.each<FleetProfile>(["faithful", "documented", "fixed"])(
  "profile %s: told only what changes, the engine decides as it does from the whole cluster",
  (profile) => {
    const fixes = FLEET_FIXES[profile];
    fc.assert(
      fc.property(lives, ([machines, units, turns]) => {
        const registry = new Registry();
        const engine = new IncrementalEngine(fixes);
        let tasks: readonly EngineTask[] = [];
        const begin: Turn = {
          kind: "changes",
          changes: [
            ...PUT_ALL.slice(0, machines),
            ...units.map((one): EngineChange => ({ kind: "put-unit", unit: one })),
          ],
        };
        for (const [next, seed] of [[begin, 1] as const, ...turns]) {
          const changes =
            next.kind === "changes" ? next.changes : registry.carryOut(tasks, next.failing);
          for (const each of changes) {
            registry.take(each);
            engine.change(each);
          }
          const cluster = registry.cluster();
          expect(engine.cluster()).toEqual(cluster);
          expect(engine.orderCounts()).toEqual(orderCounts(cluster));
          const listed = reconcilePass(cluster, listedOrder(cluster), fixes);
          expect(engine.decide(null)).toEqual(listed);
          expect(engine.orderMatters(listed)).toBe(orderMatters(cluster, listed));
          const order = passOrder(permutations(orderCounts(cluster), seed));
          tasks = reconcilePass(cluster, order, fixes);
          expect(engine.decide(order)).toEqual(tasks);
        }
      }),
      { numRuns: RUNS },
    );
  },
  120_000,
);

function on(machine: string | null, name: string, own: Partial<Requirements> = {}): EngineChange {
  const unit = { name, machine, targetState: "launched", requirements: { ...NOTHING, ...own } };
  return { kind: "put-unit", unit };
}

/** Holds the engine to the whole cluster after each batch of changes, under many orders. */
function follow(profile: FleetProfile, ...batches: (readonly EngineChange[])[]): EngineTask[] {
  const fixes = FLEET_FIXES[profile];
  const registry = new Registry();
  const engine = new IncrementalEngine(fixes);
  for (const batch of batches) {
    for (const each of batch) {
      registry.take(each);
      engine.change(each);
    }
    const cluster = registry.cluster();
    expect(engine.decide(null)).toEqual(reconcilePass(cluster, listedOrder(cluster), fixes));
    for (let seed = 1; seed < 60; seed++) {
      const order = passOrder(permutations(orderCounts(cluster), seed));
      expect(engine.decide(order)).toEqual(reconcilePass(cluster, order, fixes));
    }
  }
  return engine.decide(null);
}

function putMachine(id: string): EngineChange {
  return { kind: "put-machine", machine: { id, metadata: {} } };
}

const A = putMachine("aaaaaaaa1");
const B = putMachine("bbbbbbbb1");

test("a unit that makes way for another does so as soon as a machine appears that can take it", () => {
  const replaced = [on("aaaaaaaa1", "new", { replaces: ["old"] }), on("aaaaaaaa1", "old")];
  expect(follow("fixed", [A, ...replaced])).toEqual([]);
  expect(follow("fixed", [A, ...replaced], [B])).toHaveLength(2);
});

test("a unit that was moved in the same pass is named after those that were there", () => {
  const [a, b] = ["aaaaaaaa1", "bbbbbbbb1"];
  const units = [
    on(b, "y", { replaces: ["[bc]"] }),
    on(b, "c"),
    on(a, "x", { replaces: ["b"] }),
    on(a, "b"),
    on(a, "z"),
  ];
  expect(follow("faithful", [A, B, ...units])).not.toEqual([]);
});

test("a global that comes in when a unit leaves takes the place of another in the same pass", () => {
  const disk = { metadata: [{ key: "disk", values: ["none"] }] };
  const global = on(null, "g", { global: true, conflicts: ["a"], replaces: ["b"] });
  const units = [global, on("aaaaaaaa1", "a", disk), on("aaaaaaaa1", "b")];
  expect(follow("faithful", [A], units)).not.toEqual([]);
});

// Would catch a star that reaches over a slash.
test("a remembered glob matches what the glob matches", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "/", "."), maxLength: 6 });
  const glob = fc.string({
    unit: fc.constantFrom("a", "b", "-", "*", "*", "?", "[ab]", "/", "\\"),
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(glob), fc.array(text), (globs, names) => {
      const memory = new GlobMemory();
      for (const name of [...names, ...names]) {
        for (const one of globs) {
          const matches = /[*?[\\]/.test(one) ? globMatches(one, name) : one === name;
          expect([one, name, memory.anyMatches([one], name)]).toEqual([one, name, matches]);
        }
      }
    }),
  );
});
