import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { FleetClient } from "../../adapters/fleet/index.js";
import { SECOND } from "../../core/kernel/index.js";
import { loadScenario, NO_FAULTS } from "../../sim/index.js";
import { simulatedTransport } from "./fleet-simulated.js";
import { destroy, start, stop, type UnitCommand } from "./fleet-units.js";

/**
 * H21 and H26 of docs/fleet-history.md, which are fleetctl's and no fleetd's: `--compat` shows them, the
 * command as it is does not.
 */
const path = fileURLToPath(
  new URL("../../scenarios/fleet/functional/conflicts-one-way.yaml", import.meta.url),
);
const loaded = loadScenario(path);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
const { value: scenario } = loaded;

const folder = mkdtempSync(join(tmpdir(), "orrery-fleetctl-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** How long the person at the keyboard waits. */
const PATIENCE_MS = 30_000;

/** A command on a fleet of its own, at rest, and what it says. */
async function command(compat: boolean, unit: string) {
  const said: string[] = [];
  const at = 3 * SECOND;
  const fleet = await simulatedTransport({ scenario, seed: 1, plan: NO_FAULTS, at, host: null });
  let slept = 0;
  const sleep = (milliseconds: number): Promise<void> => {
    slept += milliseconds;
    if (slept > PATIENCE_MS) throw new Error("nobody would wait any longer");
    return fleet.sleep(milliseconds);
  };
  const client = new FleetClient({ ...fleet, sleep });
  const voice = { out: (line: string) => said.push(line), err: (line: string) => said.push(line) };
  const restartGlobal = () => Promise.resolve(0);
  const units = [unit];
  const told: UnitCommand = {
    client,
    voice,
    units,
    patient: "forever",
    replace: false,
    compat,
    restartGlobal,
  };
  return { told, said };
}

/** A unit that only a machine with an SSD may run, of which there is none. */
function homeless(): string {
  const file = join(folder, "homeless.service");
  const text = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=disk=ssd\n";
  writeFileSync(file, text);
  return file;
}

test("H21: fleetctl waits without a word for a unit that no machine can run", async () => {
  const { told, said } = await command(true, homeless());
  await expect(start(told)).rejects.toThrow("nobody would wait any longer");
  expect(said.join("\n")).not.toContain("metadata");
});

test("orrery fleet start gives up on a unit that no machine can run, and says why", async () => {
  const { told, said } = await command(false, homeless());
  expect(await start(told)).toBe(1);
  expect(said.join("\n")).toContain("no machine of 1 can run it");
  expect(said.join("\n")).toContain("local Machine metadata insufficient");
});

test("H26: fleetctl succeeds in stopping and destroying units that there are not", async () => {
  for (const [compat, code] of [
    [true, 0],
    [false, 1],
  ] as const) {
    for (const verb of [stop, destroy]) {
      const { told, said } = await command(compat, "nowhere.service");
      expect(await verb(told)).toBe(code);
      expect(said).toEqual(["Units not found in registry"]);
    }
  }
});
