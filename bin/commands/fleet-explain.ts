import { FleetApiError, type FleetClient } from "../../adapters/fleet/index.js";
import {
  type FleetPicture,
  type MachineExplanation,
  pictureOfApi,
  type UnitExplanation,
} from "../../core/fleet/index.js";
import { machineFullLegend, tabbed } from "./fleet-table.js";

/** What the API tells of a whole fleet, and of one unit that it may not list. */
export async function pictureThroughApi(client: FleetClient, unit: string): Promise<FleetPicture> {
  const units = await client.units();
  const listed = units.some(({ name }) => name === unit);
  const unreadable = listed ? false : await isUnreadable(client, unit);
  const states = await client.unitStates();
  const machines = await client.machines();
  return pictureOfApi(units, states, machines, unreadable ? [unit] : []);
}

async function isUnreadable(client: FleetClient, unit: string): Promise<boolean> {
  try {
    await client.unit(unit);
    return false;
  } catch (error) {
    if (error instanceof FleetApiError && error.status === 500) return true;
    throw error;
  }
}

/** An explanation as lines: what decides, then each machine with what it has against the unit. */
export function explanationText({
  unit,
  global,
  desired,
  machine,
  reasons,
  machines,
}: UnitExplanation): string {
  const where = global
    ? "global"
    : machine === ""
      ? "on no machine"
      : `on ${machine.slice(0, 8)}...`;
  const wanted = desired === "" ? "no target state" : `target state ${desired}`;
  const head = `${unit}: ${wanted}, ${where}\n`;
  const lines = reasons.map(({ text }) => `  ${text}\n`).join("");
  if (machines.length === 0) return head + lines;
  const rows = [["MACHINE", "UNITS", "VERDICT", "REASON"], ...machines.map(row)];
  return `${head}${lines}\n${tabbed(rows)}`;
}

function row({
  machine,
  address,
  units,
  verdict,
  reason,
  conflicts,
  replaces,
  droppedFor,
}: MachineExplanation): string[] {
  const byId = new Map([[machine, { id: machine, publicIp: address, metadata: {} }]]);
  const more = [
    conflicts.length > 0 ? `conflicts: ${conflicts.join(", ")}` : "",
    replaces.length > 0 ? `replaces: ${replaces.join(", ")}` : "",
    droppedFor.length > 0 ? `agent prefers: ${droppedFor.join(", ")}` : "",
  ].filter((part) => part !== "");
  const why = [reason, ...more].filter((part) => part !== "").join("; ") || "-";
  return [machineFullLegend(machine, false, byId), String(units), verdict, why];
}
