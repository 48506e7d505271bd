import type { ApiMachine, ApiUnit, RegisteredState } from "../../core/fleet/index.js";
import type { FleetContext } from "./fleet-flags.js";
import {
  type Columns,
  type JsonCells,
  MACHINE_COLUMNS,
  MACHINE_JSON,
  type MachinesById,
  tabbed,
  UNIT_COLUMNS,
  UNIT_FILE_COLUMNS,
  UNIT_FILE_JSON,
  UNIT_JSON,
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
  return list(context, flags, UNITS, () => client.unitStates());
}

/** `fleetctl list-unit-files`: a line for each unit. */
export function listUnitFiles(context: FleetContext, flags: ListFlags): Promise<number> {
  const { client } = context;
  return list(context, flags, UNIT_FILES, () => client.units());
}

/** `fleetctl list-machines`: a line for each machine that is present. */
export function listMachines(context: FleetContext, flags: ListFlags): Promise<number> {
  const { client } = context;
  return list(context, flags, MACHINES, () => client.machines());
}

/** How a list is printed. */
interface Layout<Item> {
  readonly columns: Columns<Item>;
  readonly json: JsonCells<Item>;
  /** The fields it has when it is not told. */
  readonly usual: string;
  /** Machines are shown with their addresses, which have to be read. */
  readonly showsMachines: boolean;
}

const UNITS: Layout<RegisteredState> = {
  columns: UNIT_COLUMNS,
  json: UNIT_JSON,
  usual: "unit,machine,active,sub",
  showsMachines: true,
};

const UNIT_FILES: Layout<ApiUnit> = {
  columns: UNIT_FILE_COLUMNS,
  json: UNIT_FILE_JSON,
  usual: "unit,hash,dstate,state,target",
  showsMachines: true,
};

const MACHINES: Layout<ApiMachine> = {
  columns: MACHINE_COLUMNS,
  json: MACHINE_JSON,
  usual: "machine,ip,metadata",
  showsMachines: false,
};

async function list<Item>(
  { client, voice, flags: { json } }: FleetContext,
  { full = false, legend, fields }: ListFlags,
  { columns, json: values, usual, showsMachines }: Layout<Item>,
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
  const needed = showsMachines && json !== true && names.some(showsMachine);
  const machines: MachinesById = needed ? await machinesById(client) : new Map();
  const cells = (item: Item, whole: boolean): string[] =>
    names.map((name) => columns[name]?.(item, whole, machines) ?? "-");
  if (json === true) {
    const rows = items.map((item) => {
      const value = (name: string): unknown =>
        values[name] === undefined
          ? (columns[name]?.(item, true, machines) ?? null)
          : values[name](item);
      return Object.fromEntries(names.map((name) => [name, value(name)]));
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
