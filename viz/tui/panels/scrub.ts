import type { Indexes } from "../../timeline/index.js";
import { type Line, lineOf, type Span, type Style, span } from "../cells.js";
import type { Scene } from "./scene.js";

/**
 * The scrub bar: a line of ticks and the line of time below it. Where ticks share a cell the
 * more important one shows: `✗` violation, `◆` bookmark, `!` fault, `^` change of leader.
 */
export function scrubLines(scene: Scene, width: number): Line[] {
  const bar = width - 2;
  const ticks = tickCells(scene, bar);
  const position = cellOf(scene.ui.clock, scene.timeline.duration, bar);
  const spans: Span[] = [span(" ")];
  for (const tick of ticks) spans.push(tick ?? span(" "));
  return [
    lineOf(spans, width),
    lineOf(
      [
        span(" "),
        span("━".repeat(position), "info"),
        span("●", "bold"),
        span("─".repeat(Math.max(0, bar - position - 1)), "dim"),
      ],
      width,
    ),
  ];
}

function cellOf(at: number, duration: number, cells: number): number {
  if (duration <= 0) return 0;
  return Math.max(0, Math.min(cells - 1, Math.floor((at / duration) * cells)));
}

function tickCells(scene: Scene, cells: number): (Span | undefined)[] {
  const { timeline, ui } = scene;
  const ticks = new Array<Span | undefined>(cells).fill(undefined);
  const put = (index: number, sign: string, style: Style): void => {
    ticks[cellOf(timeline.store.at(index), timeline.duration, cells)] = span(sign, style);
  };
  putEach(timeline.marks.leaders, timeline, cells, (index) => put(index, "^", "good"));
  putEach(timeline.marks.faults, timeline, cells, (index) => put(index, "!", "warn"));
  for (const index of ui.bookmarks) put(index, "◆", "accent");
  putEach(timeline.marks.violations, timeline, cells, (index) => put(index, "✗", "bad"));
  return ticks;
}

/** Calls for one mark in each cell that has any: a frame must not cost more for a million marks. */
function putEach(
  marks: Indexes,
  timeline: Scene["timeline"],
  cells: number,
  put: (index: number) => void,
): void {
  if (marks.length <= cells) {
    for (let place = 0; place < marks.length; place++) put(marks.at(place));
    return;
  }
  for (let cell = 0; cell < cells; cell++) {
    const from = Math.floor((timeline.duration * cell) / cells) - 1;
    const to = Math.floor((timeline.duration * (cell + 1)) / cells) - 1;
    const index = marks.after(timeline.seekTime(from));
    if (index >= 0 && timeline.store.at(index) <= to) put(index);
  }
}
