import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { V2Request } from "../etcd/client.js";
import { hashState } from "../kernel/index.js";
import { FLEET_DEFAULTS, type FleetProfile } from "./config.js";
import { takeJobs, takeMachines, takeSchedule, takeUnitFiles } from "./reading.js";
import { emptyReadingMemory, type ReadingMemory } from "./reading-memory.js";
import {
  createUnitFile,
  heartbeat,
  readJobs,
  readMachines,
  readUnitFiles,
  schedule,
  unschedule,
  writeJob,
  writeMachine,
  writeMachineMetadata,
  writeTargetState,
} from "./registry.js";
import { createState, type FleetState } from "./state.js";
import { PREFIX, Registry } from "./testing/registry.js";
import { parseUnit, unitText } from "./unit-file.js";

const FILES = ["[Service]\n", "[X-Fleet]\nGlobal=true\n", "[Install]\nAlias=a.service\n"].map(
  (text) => {
    const parsed = parseUnit(text);
    if (!parsed.ok) throw new Error(parsed.error);
    return { hash: parsed.unit.hash, text: unitText(parsed.unit) };
  },
);

const unit = fc.constantFrom("a.service", "b.service", "c.service");
const machine = fc.constantFrom("A", "B");
const file = fc.constantFrom(...FILES);
const write: fc.Arbitrary<V2Request> = fc.oneof(
  fc.tuple(unit, file).map(([name, { hash }]) => writeJob(PREFIX, name, hash)),
  // A record that is another unit's, or no JSON.
  fc.tuple(unit, unit, file).map(([at, name, { hash }]): V2Request => {
    const request = writeJob(PREFIX, name, hash);
    return { ...request, key: `${PREFIX}/job/${at}/object` };
  }),
  unit.map((at): V2Request => ({ op: "put", key: `${PREFIX}/job/${at}/object`, value: "{" })),
  fc
    .tuple(unit, fc.constantFrom("launched", "inactive", "poison"))
    .map(([name, state]) => writeTargetState(PREFIX, name, state)),
  fc.tuple(unit, machine).map(([name, at]) => schedule(PREFIX, name, at)),
  fc.tuple(unit, machine).map(([name, at]) => unschedule(PREFIX, name, at)),
  fc.tuple(unit, machine).map(([name, at]) => heartbeat(PREFIX, name, at, 30)),
  unit.map((name): V2Request => ({ op: "delete", key: `${PREFIX}/job/${name}`, recursive: true })),
  file.map(({ hash, text }) => createUnitFile(PREFIX, hash, text)),
  file.map(({ hash }): V2Request => ({ op: "delete", key: `${PREFIX}/unit/${hash}` })),
  fc
    .tuple(machine, fc.constantFrom("ssd", "hdd"))
    .map(([id, disk]) => writeMachine(PREFIX, { id, publicIp: "", metadata: { disk } }, 30, false)),
  machine.map((id): V2Request => ({ op: "delete", key: `${PREFIX}/machines/${id}/object` })),
  fc
    .tuple(machine, fc.constantFrom("1", ""))
    .map(([id, value]) => writeMachineMetadata(PREFIX, id, "rack", value)),
);
const writes = fc.array(write, { maxLength: 4 });

/** One read of a pass; false when it ends the pass. */
type Read = (state: FleetState, registry: Registry, memory: ReadingMemory) => boolean;

const READS: readonly Read[] = [
  (state, registry, memory) =>
    takeJobs(state, state.engine.units, registry.etcd(readJobs(PREFIX)), memory) !== false,
  (state, registry, memory) =>
    takeUnitFiles(state, state.engine.units, registry.etcd(readUnitFiles(PREFIX)), memory),
  ({ engine }, registry, memory) =>
    takeSchedule(engine.units, registry.etcd(readJobs(PREFIX)), memory),
  ({ engine }, registry, memory) => {
    const machines = takeMachines(registry.etcd(readMachines(PREFIX)), memory);
    engine.machines = machines ?? [];
    return machines !== null;
  },
];

function agentReads(state: FleetState, registry: Registry): void {
  const [{ hash, text }] = FILES as [(typeof FILES)[number]];
  registry.etcd(createUnitFile(PREFIX, hash, text));
  takeJobs(state, state.agent.units, registry.etcd(readJobs(PREFIX)), null);
  takeUnitFiles(state, state.agent.units, registry.etcd(readUnitFiles(PREFIX)), null);
  state.agent.units.entries = [];
  registry.etcd({ op: "delete", key: `${PREFIX}/unit/${hash}` });
}

// Would catch an entry that keeps the machine of the reading before, and a unit that is dropped for a file
// that has come back.
test.each<FleetProfile>(["faithful", "fixed"])(
  "profile %s: a reading is the same, whatever is remembered of readings before",
  (profile) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            before: fc.tuple(writes, writes, writes, writes),
            ends: fc.integer({ min: 0, max: 20 }),
            /** The agent of the same fleetd reads a file that is gone when the engine reads. */
            agent: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
          }),
          { maxLength: 10 },
        ),
        (passes) => {
          const registry = new Registry();
          const kept = createState({ ...FLEET_DEFAULTS, machineId: "A", profile });
          const memory = emptyReadingMemory();
          for (const { hash, text } of FILES.slice(1)) {
            registry.etcd(createUnitFile(PREFIX, hash, text));
          }
          for (const { before, ends, agent } of passes) {
            if (agent) agentReads(kept, registry);
            const fresh = structuredClone(kept);
            const unread = emptyReadingMemory();
            for (const [nth, read] of READS.entries()) {
              for (const request of before[nth] ?? []) registry.etcd(request);
              const goesOn = read(kept, registry, memory);
              expect(read(fresh, registry, unread)).toBe(goesOn);
              expect(kept.engine).toEqual(fresh.engine);
              expect(hashState(kept)).toBe(hashState(fresh));
              // A pass may end after any of its reads.
              if (!goesOn || nth === ends) break;
            }
            kept.engine.units.entries = [];
            kept.engine.machines = [];
          }
        },
      ),
      { numRuns: 200 },
    );
  },
);
