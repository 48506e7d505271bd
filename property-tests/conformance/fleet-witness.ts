import type { NamedUnit } from "../../core/fleet/able-to-run.js";
import { parseUnit, requirements, type UnitFile } from "../../core/fleet/index.js";
import type { Report } from "./suite.js";
import { forEachRow, type RowRun } from "./witness.js";

/** A unit of the witness data: its name and the text of its file. */
export interface WitnessUnit {
  readonly name: string;
  readonly unit: string;
  readonly target: string;
}

/** Compares every row of a file of JSON lines; both sides of a row are shown with sorted keys. */
export function compareRows<Row extends { readonly id: string }>(
  dataDir: string,
  path: string,
  report: Report,
  run: RowRun<Row>,
): void {
  forEachRow(dataDir, path, report, run, canonical);
}

/** JSON in which the keys of objects are sorted. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** A list whose order means nothing: each member once, sorted. */
export function asSet(members: readonly unknown[]): string[] {
  return [...new Set(members.map(canonical))].sort();
}

/** The unit file of a witness unit. */
export function unitFile({ name, unit }: WitnessUnit): UnitFile {
  const parsed = parseUnit(unit);
  if (!parsed.ok) throw new Error(`unit ${name}: ${parsed.error}`);
  return parsed.unit;
}

/** A witness unit with what it demands. */
export function namedUnit(unit: WitnessUnit): NamedUnit {
  return { name: unit.name, requirements: requirements(unit.name, unitFile(unit)) };
}
