import type { FleetClient } from "../../adapters/fleet/index.js";
import type { ApiMachine, ApiUnit, JobState } from "../../core/fleet/index.js";
import { isGlobalFile } from "./fleet-names.js";
import { machineFullLegend } from "./fleet-table.js";

/** fleetctl looks so often, ms. */
const LOOK_MS = 250;

/** Looks that make up one of fleetctl's attempts: two seconds. */
const LOOKS = 8;

/** What a command says and how it ended. */
export interface Voice {
  out(line: string): void;
  err(line: string): void;
}

/** How long to wait: not at all, for some attempts of two seconds, or for as long as it takes. */
export type Patience = "none" | "forever" | number;

/** `--no-block` and `--block-attempts`, as fleetctl weighs them. */
export function patience(flags: {
  readonly block?: boolean;
  readonly blockAttempts?: number;
}): Patience {
  if (flags.block === false) return "none";
  const { blockAttempts = 0 } = flags;
  return blockAttempts > 0 ? blockAttempts : "forever";
}

/**
 * Looks at units until each is as it should be and returns those that never were.
 *
 * @param look - whether a unit is; a failure counts as no, as fleetctl's does
 */
export async function waitFor(
  client: FleetClient,
  units: readonly string[],
  patient: Patience,
  look: (unit: string) => Promise<boolean>,
): Promise<string[]> {
  if (patient === "none") return [];
  let left = [...units];
  const looks = patient === "forever" ? Number.POSITIVE_INFINITY : patient * LOOKS;
  for (let turn = 0; turn < looks && left.length > 0; turn++) {
    await client.transport.sleep(LOOK_MS);
    const still: string[] = [];
    for (const unit of left) if (!(await look(unit))) still.push(unit);
    left = still;
  }
  return left;
}

/** Waits for a state of jobs; says of each unit where it has it. Those that never had it are returned. */
export async function waitForState(
  client: FleetClient,
  voice: Voice,
  units: readonly string[],
  state: JobState,
  patient: Patience,
): Promise<string[]> {
  let machines: Map<string, ApiMachine> | null = null;
  return waitFor(client, units, patient, async (name) => {
    const unit = await client.unit(name).catch(() => null);
    if (unit === null || stateOf(unit) !== state) return false;
    if (unit.machine !== "") machines ??= await machinesById(client);
    const here = machines?.has(unit.machine)
      ? ` on ${machineFullLegend(unit.machine, false, machines)}`
      : "";
    voice.out(`Unit ${name} ${unit.currentState}${here}`);
    return true;
  });
}

/** A global unit has no current state; what is wanted stands for it. */
function stateOf(unit: ApiUnit): string {
  return isGlobalFile(unit.file) ? unit.desiredState : unit.currentState;
}

/** Machines by ID; none where they cannot be read, since only legends need them. */
export async function machinesById(client: FleetClient): Promise<Map<string, ApiMachine>> {
  const machines = await client.machines().catch(() => []);
  return new Map(machines.map((machine) => [machine.id, machine]));
}
