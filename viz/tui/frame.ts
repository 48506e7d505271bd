import type { Timeline } from "../timeline/index.js";
import { beside, type Line, lineOf, span } from "./cells.js";
import type { Matches } from "./filter.js";
import { detailLines } from "./panels/details.js";
import { eventLines } from "./panels/events.js";
import { footLine, helpLines } from "./panels/foot.js";
import { headerLines } from "./panels/header.js";
import { hostLines } from "./panels/hosts.js";
import type { Scene } from "./panels/scene.js";
import { scrubLines } from "./panels/scrub.js";
import { unitColumns, unitLines } from "./panels/units.js";
import type { UiState } from "./state.js";

export const COLUMNS_MIN = 60;
export const ROWS_MIN = 16;
const WIDE_FROM = 150;
/** Header 2, scrub bar 2, keys 1. */
const FIXED_ROWS = 5;

/**
 * The whole screen, as `rows` lines of `columns` cells. Pure, and the work it does depends on the
 * size of the screen, not on the length of the log.
 */
export function frame(
  timeline: Timeline,
  ui: UiState,
  matches: Matches,
  columns: number,
  rows: number,
): Line[] {
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) return tooSmall(columns, rows);
  const before = timeline.at(ui.cursor - 1);
  const scene: Scene = { timeline, ui, matches, before, view: timeline.at(ui.cursor) };
  const middle = rows - FIXED_ROWS;
  const body = ui.help
    ? helpLines(columns, middle)
    : columns >= WIDE_FROM
      ? wideBody(scene, columns, middle)
      : narrowBody(scene, columns, middle);
  return [
    ...headerLines(scene, columns),
    ...padded(body, columns, middle),
    ...scrubLines(scene, columns),
    footLine(scene, columns),
  ];
}

function tooSmall(columns: number, rows: number): Line[] {
  const text = ` The screen needs ${COLUMNS_MIN} × ${ROWS_MIN + 1} cells. q quits.`;
  return padded([lineOf([span(text)], columns)], columns, rows);
}

function padded(lines: readonly Line[], columns: number, rows: number): Line[] {
  const padded = lines.slice(0, rows);
  while (padded.length < rows) padded.push(lineOf([], columns));
  return padded;
}

/** One column: hosts, units, events, details. The panel with the focus gets what is left. */
function narrowBody(scene: Scene, columns: number, rows: number): Line[] {
  const hosts = scene.view.hosts.length + 1;
  const unitRows =
    Math.ceil(scene.view.units.size / unitColumns(scene.view.units.keys(), columns)) + 1;
  const detailRows = scene.ui.panel === "details" ? rows : 4;
  const [hostRows, unitCount, eventCount, detailCount] = allot(rows, [
    { min: 3, want: hosts, weight: scene.ui.panel === "hosts" ? 4 : 3 },
    { min: 2, want: unitRows, weight: scene.ui.panel === "units" ? 4 : 2 },
    { min: scene.ui.panel === "events" ? 6 : 4, want: rows, weight: 0 },
    { min: 3, want: detailRows, weight: scene.ui.panel === "details" ? 4 : 1 },
  ]);
  return [
    ...padded(hostLines(scene, columns, hostRows ?? 0), columns, hostRows ?? 0),
    ...padded(unitLines(scene, columns, unitCount ?? 0), columns, unitCount ?? 0),
    ...padded(eventLines(scene, columns, eventCount ?? 0), columns, eventCount ?? 0),
    ...padded(detailLines(scene, columns, detailCount ?? 0), columns, detailCount ?? 0),
  ];
}

/** Two columns: hosts above events on the left, units above details on the right. */
function wideBody(scene: Scene, columns: number, rows: number): Line[] {
  const gap = 1;
  const left = Math.floor((columns - gap) * 0.58);
  const right = columns - gap - left;
  const [hostRows, eventRows] = allot(rows, [
    { min: 4, want: scene.view.hosts.length + 1, weight: scene.ui.panel === "hosts" ? 3 : 2 },
    { min: 6, want: rows, weight: 2 },
  ]);
  const [unitRows, detailRows] = allot(rows, [
    { min: 4, want: scene.view.units.size + 1, weight: scene.ui.panel === "units" ? 3 : 2 },
    { min: 8, want: rows, weight: 2 },
  ]);
  return beside(
    [
      ...padded(hostLines(scene, left, hostRows ?? 0), left, hostRows ?? 0),
      ...padded(eventLines(scene, left, eventRows ?? 0), left, eventRows ?? 0),
    ],
    left,
    [
      ...padded(unitLines(scene, right, unitRows ?? 0), right, unitRows ?? 0),
      ...padded(detailLines(scene, right, detailRows ?? 0), right, detailRows ?? 0),
    ],
    gap,
    right,
  );
}

export interface Claim {
  readonly min: number;
  readonly want: number;
  /** Who has the largest weight is served first; equals share. */
  readonly weight: number;
}

/**
 * Shares rows out: everyone the minimum (cut from the end if even that is too much), then what
 * is left to the claims in order of weight until they have what they want. The sum is `rows`
 * unless everyone has all they want.
 */
export function allot(rows: number, claims: readonly Claim[]): number[] {
  const shares = claims.map(() => 0);
  let left = rows;
  const give = (place: number, upTo: number): void => {
    const have = shares[place] ?? 0;
    const more = Math.max(0, Math.min(left, upTo - have));
    shares[place] = have + more;
    left -= more;
  };
  claims.forEach((claim, place) => {
    give(place, Math.min(claim.min, claim.want));
  });
  const order = claims
    .map((claim, place) => ({ claim, place }))
    .sort((a, b) => b.claim.weight - a.claim.weight || a.place - b.place);
  for (const { claim, place } of order) give(place, claim.want);
  return shares;
}
