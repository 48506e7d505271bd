import {
  compareNames,
  downtimeAt,
  formatDuration,
  printable,
  type UnitView,
} from "../../timeline/index.js";
import { type Line, lineOf, type Span, type Style, span, toWidth } from "../cells.js";
import { rule, type Scene } from "./scene.js";

const CELL_WIDTH_MIN = 26;
const CELL_WIDTH_MAX = 40;
const TABLE_WIDTH_MIN = 70;

/** How many units stand beside each other in a panel of this width. */
export function unitColumns(names: Iterable<string>, width: number): number {
  let longest = 0;
  for (const name of names) longest = Math.max(longest, shortName(name).length);
  const cell = Math.min(CELL_WIDTH_MAX, Math.max(CELL_WIDTH_MIN, longest + 13));
  return Math.max(1, Math.floor(width / cell));
}

function shortName(name: string): string {
  return printable(name.replace(/\.service$/, ""));
}

/**
 * The cluster's units. With room for a whole table every unit has a row with its placement and
 * downtime; otherwise they stand beside each other, those that are down first.
 */
export function unitLines(scene: Scene, width: number, height: number): Line[] {
  const at = scene.ui.clock;
  const units = [...scene.view.units.values()].sort(downFirst);
  const down = units.filter((unit) => unit.downSince !== null).length;
  const note = units.length === 0 ? "" : `${units.length} units, ${down} down`;
  const title = rule(scene, "units", "units", note, width);
  if (height < 2) return [title];
  if (units.length === 0)
    return [title, lineOf([span(" no unit was scheduled yet", "dim")], width)];
  const columns =
    width < TABLE_WIDTH_MIN || units.length > height - 1
      ? unitColumns(scene.view.units.keys(), width)
      : 1;
  const skipped = Math.min(scene.ui.unitScroll, Math.max(0, units.length - (height - 1) * columns));
  const rows: Line[] = [title];
  for (let row = 0; row < height - 1; row++) {
    const from = skipped + row * columns;
    const shown = units.slice(from, from + columns);
    if (shown.length === 0) break;
    const cell = Math.floor(width / columns);
    rows.push(
      lineOf(
        shown.flatMap((unit) => unitCell(unit, at, cell, columns === 1)),
        width,
      ),
    );
  }
  return rows;
}

function downFirst(a: UnitView, b: UnitView): number {
  const left = a.downSince === null ? 1 : 0;
  const right = b.downSince === null ? 1 : 0;
  return left - right || compareNames(a.name, b.name);
}

function unitCell(unit: UnitView, at: number, width: number, whole: boolean): Span[] {
  const [sign, style] = state(unit);
  const name = shortName(unit.name);
  const where =
    unit.activeOn.length > 2 ? `${unit.activeOn.length} hosts` : unit.activeOn.join(",");
  const place = where || (unit.machine === "" ? "unscheduled" : `→${unit.machine}`);
  const total = downtimeAt(unit, at);
  const down = unit.downSince === null ? "" : formatDuration(at - unit.downSince);
  if (!whole) {
    const tail = toWidth(`${printable(place)} ${down}`, Math.max(8, width - 17));
    return [
      span(` ${sign} `, style),
      span(toWidth(name, width - 4 - tail.length)),
      span(` ${tail}`, style),
    ];
  }
  const outages =
    unit.outages === 0 ? "" : `${counted(unit.outages, "outage")} ${formatDuration(total)}`;
  return [
    span(` ${sign} `, style),
    span(toWidth(name, 20)),
    span(` ${toWidth(printable(place), 12)}`, style),
    span(
      ` ${toWidth(down === "" ? `up ${formatDuration(at - unit.since)}` : `down ${down}`, 14)}`,
      style,
    ),
    span(` ${outages}${unit.moves === 0 ? "" : `  ${counted(unit.moves, "move")}`}`, "dim"),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function state(unit: UnitView): readonly [string, Style] {
  if (unit.activeOn.length > 0) return ["●", "good"];
  if (unit.downSince !== null) return ["✗", "bad"];
  return unit.wanted ? ["◌", "warn"] : ["○", "dim"];
}
