import type { FleetContext } from "./fleet-flags.js";
import {
  type Columns,
  MACHINE_COLUMNS,
  type MachinesById,
  tabbed,
  UNIT_COLUMNS,
  UNIT_FILE_COLUMNS,
} from "./fleet-table.js";
import { machinesById } from "./fleet-wait.js";

export interface ListFlags {
  readonly full?: boolean;
  readonly legend: boolean;
  readonly fields?: string;
}

export const UNIT_FIELDS = Object.keys(UNIT_COLUMNS).sort();
export const UNIT_FILE_FIELDS = Object.keys(UNIT_FILE_COLUMNS).sort();
export const MACHINE_FIELDS = Object.keys(MACHINE_COLUMNS).sort();

/** `fleetctl list-units`: a line for each unit and machine that has reported on it. */
export function listUnits(context: FleetContext, flags: ListFlags): Promise<number> {
  const { client } = context;
  return list(context, flags, UNIT_COLUMNS, "unit,machine,active,sub", () => client.unitStates());
}

/** `fleetctl list-unit-files`: a line for each unit. */
export function listUnitFiles(context: FleetContext, flags: ListFlags): Promise<number> {
  const { client } = context;
  const fields = "unit,hash,dstate,state,target";
  return list(context, flags, UNIT_FILE_COLUMNS, fields, () => client.units());
}

/** `fleetctl list-machines`: a line for each machine that is present. */
export function listMachines(context: FleetContext, flags: ListFlags): Promise<number> {
  const { client } = context;
  return list(context, flags, MACHINE_COLUMNS, "machine,ip,metadata", () => client.machines());
}

async function list<Item>(
  { client, voice, flags: { json } }: FleetContext,
  { full = false, legend, fields }: ListFlags,
  columns: Columns<Item>,
  usual: string,
  read: () => Promise<Item[]>,
): Promise<number> {
  const names = (fields ?? usual).split(",");
  if (fields === "") {
    voice.err("Must define output format");
    return 1;
  }
  for (const name of names) {
    if (!Object.hasOwn(columns, name)) {
      voice.err(`Invalid key in output format: ${JSON.stringify(name)}`);
      voice.err(`There are: ${Object.keys(columns).sort().join(", ")}.`);
      return 1;
    }
    if (name === "tmachine") {
      voice.err('WARNING: The "tmachine" field is deprecated. Use "target" instead');
    }
  }
  const items = await read();
  const machines: MachinesById = names.some(showsMachine) ? await machinesById(client) : new Map();
  const cells = (item: Item, whole: boolean): string[] =>
    names.map((name) => columns[name]?.(item, whole, machines) ?? "-");
  if (json === true) {
    const rows = items.map((item) => {
      const row = cells(item, true);
      return Object.fromEntries(names.map((name, at) => [name, row[at]]));
    });
    voice.out(JSON.stringify(rows, null, 2));
    return 0;
  }
  const head = legend ? [names.map((name) => name.toUpperCase())] : [];
  const text = tabbed([...head, ...items.map((item) => cells(item, full))]);
  if (text !== "") voice.out(text.slice(0, -1));
  return 0;
}

function showsMachine(name: string): boolean {
  return name === "machine" || name === "target" || name === "tmachine";
}
