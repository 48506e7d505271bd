import type { ApiMachine, ApiUnit, RegisteredState } from "../../core/fleet/index.js";
import { isGlobalFile } from "./fleet-names.js";

/** Machines by ID: what a column that shows one needs. */
export type MachinesById = ReadonlyMap<string, ApiMachine>;

type Cell<Item> = (item: Item, full: boolean, machines: MachinesById) => string;

/** The columns of a list, by the name `--fields` has for them. */
export type Columns<Item> = Readonly<Record<string, Cell<Item>>>;

/** What JSON has for a column, where that is not the text of its cell. */
export type JsonCells<Item> = Readonly<Record<string, (item: Item) => unknown>>;

export const UNIT_JSON: JsonCells<RegisteredState> = {
  machine: ({ machine }) => machine || null,
  hash: ({ hash }) => hash || null,
};

const target = ({ file, machine }: ApiUnit) => (isGlobalFile(file) ? "global" : machine || null);

export const UNIT_FILE_JSON: JsonCells<ApiUnit> = {
  global: ({ file }) => isGlobalFile(file),
  dstate: ({ desiredState }) => desiredState || null,
  state: ({ file, currentState }) => (isGlobalFile(file) ? null : currentState || null),
  target,
  tmachine: target,
};

export const MACHINE_JSON: JsonCells<ApiMachine> = {
  ip: ({ publicIp }) => publicIp || null,
  metadata: ({ metadata }) => metadata,
};

export const UNIT_COLUMNS: Columns<RegisteredState> = {
  unit: ({ unit }) => unit,
  load: ({ load }) => load,
  active: ({ active }) => active,
  sub: ({ sub }) => sub,
  machine: ({ machine }, full, machines) =>
    machine === "" ? "-" : machineFullLegend(machine, full, machines),
  hash: ({ hash }, full) => (hash === "" ? "-" : full ? hash : hash.slice(0, 7)),
};

export const UNIT_FILE_COLUMNS: Columns<ApiUnit> = {
  unit: ({ name }) => name,
  global: ({ file }) => String(isGlobalFile(file)),
  dstate: ({ desiredState }) => desiredState || "-",
  target: targetCell,
  tmachine: targetCell,
  state: ({ file, currentState }) => (isGlobalFile(file) ? "-" : currentState || "-"),
  hash: ({ file }, full) => (full ? file.hash : file.hash.slice(0, 7)),
  desc: ({ file }) =>
    file.options.find(({ section, name }) => section === "Unit" && name === "Description")?.value ||
    "-",
};

export const MACHINE_COLUMNS: Columns<ApiMachine> = {
  machine: ({ id }, full) => idLegend(id, full),
  ip: ({ publicIp }) => publicIp || "-",
  metadata: ({ metadata }) =>
    Object.keys(metadata)
      .sort()
      .map((key) => `${key}=${metadata[key] ?? ""}`)
      .join(",") || "-",
};

function targetCell({ file, machine }: ApiUnit, full: boolean, machines: MachinesById): string {
  if (isGlobalFile(file)) return "global";
  return machine === "" ? "-" : machineFullLegend(machine, full, machines);
}

/** `abcd1234.../10.0.0.1`: the first eight characters, and the address if it is known. */
export function machineFullLegend(id: string, full: boolean, machines: MachinesById): string {
  const address = machines.get(id)?.publicIp ?? "";
  return address === "" ? idLegend(id, full) : `${idLegend(id, full)}/${address}`;
}

function idLegend(id: string, full: boolean): string {
  return full ? id : `${id.slice(0, 8)}...`;
}

const TAB = 8;

/** Lines of cells in columns, filled up with tabs as Go's tabwriter does with a width of 8 and a padding of 1. */
export function tabbed(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => {
    const longest = Math.max(...rows.map((row) => [...(row[column] ?? "")].length));
    return Math.ceil((longest + 1) / TAB) * TAB;
  });
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        if (column === row.length - 1) return cell;
        const missing = (widths[column] ?? 0) - [...cell].length;
        return cell + "\t".repeat(Math.ceil(missing / TAB));
      })
      .join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
