import {
  type Change,
  diffViews,
  formatDuration,
  formatTime,
  printable,
  type Timeline,
} from "../../timeline/index.js";
import { type Line, lineOf, type Span, span, toWidth, widthOf } from "../cells.js";
import { EFFECTS_AHEAD_MAX } from "../state.js";
import { CAUSES_MAX, causesOf } from "./events.js";
import { rule, type Scene } from "./scene.js";

const EFFECTS_SHOWN_MAX = 8;
const CHANGES_SHOWN_MAX = 40;

/** The selected event: its data, what it changed, what led to it and what it led to. */
export function detailLines(scene: Scene, width: number, height: number): Line[] {
  const { ui, timeline } = scene;
  const { store } = timeline;
  const at = ui.cursor < 0 ? "" : `#${store.seq(ui.cursor)} ${store.type(ui.cursor)}`;
  const title = rule(scene, "details", "details", at, width);
  if (height < 2) return [title];
  if (ui.cursor < 0) return [title, lineOf([span(" before the first event", "dim")], width)];
  const body = detailBody(scene, width);
  const skipped = Math.max(0, Math.min(ui.detailScroll, body.length - (height - 1)));
  return [title, ...body.slice(skipped, skipped + height - 1)];
}

function detailBody(scene: Scene, width: number): Line[] {
  const { timeline } = scene;
  const { store } = timeline;
  const index = scene.ui.cursor;
  const host = store.host(index);
  const lines: Line[] = wrapped(
    [span(`${host === "" ? "cluster" : printable(host)} ${printable(store.kind(index))}`, "bold")],
    `  ${timeline.describe(index)}`,
    width,
  );
  const outside = store.cause(index) === null;
  if (!outside) lines.push(...causeLines(timeline, index, width));
  const changes = diffViews(scene.before, scene.view);
  for (const change of changes.slice(0, CHANGES_SHOWN_MAX)) lines.push(changeLine(change, width));
  if (changes.length > CHANGES_SHOWN_MAX) {
    lines.push(
      lineOf([span(` and ${changes.length - CHANGES_SHOWN_MAX} more changes`, "dim")], width),
    );
  }
  lines.push(...effectLines(timeline, index, width));
  if (outside) lines.push(lineOf([span(" ← came from outside", "dim")], width));
  lines.push(...wrapped([span(" data ", "dim")], printable(store.dataText(index)), width));
  return lines;
}

function changeLine(change: Change, width: number): Line {
  const subject = printable(change.subject || "cluster");
  return lineOf(
    [
      span(" ~ ", "accent"),
      span(`${subject} ${change.field} `, "dim"),
      span(printable(change.from)),
      span(" → ", "accent"),
      span(printable(change.to), "bold"),
    ],
    width,
  );
}

function causeLines(timeline: Timeline, index: number, width: number): Line[] {
  const { store } = timeline;
  const causes = causesOf(timeline, index);
  const lines = causes.map((cause) => relation(timeline, index, cause, " ← ", width));
  const last = causes.at(-1) ?? index;
  const further = store.cause(last);
  if (further !== null) {
    const why = causes.length >= CAUSES_MAX ? "and further back" : "not stored in this log";
    lines.push(lineOf([span(` ← #${further} ${why}`, "dim")], width));
  }
  return lines;
}

function effectLines(timeline: Timeline, index: number, width: number): Line[] {
  const { store } = timeline;
  const seq = store.seq(index);
  const end = Math.min(store.length, index + EFFECTS_AHEAD_MAX);
  const lines: Line[] = [];
  let count = 0;
  for (let i = index + 1; i < end; i++) {
    if (store.cause(i) !== seq) continue;
    if (++count <= EFFECTS_SHOWN_MAX) lines.push(relation(timeline, index, i, " → ", width));
  }
  if (count > EFFECTS_SHOWN_MAX) {
    lines.push(lineOf([span(` → and ${count - EFFECTS_SHOWN_MAX} more`, "dim")], width));
  }
  return lines;
}

function relation(timeline: Timeline, from: number, to: number, sign: string, width: number): Line {
  const { store } = timeline;
  const apart = Math.abs(store.at(to) - store.at(from));
  const when = `${formatDuration(apart)} ${to < from ? "before" : "later"}`;
  const host = printable(store.host(to)) || "cluster";
  return lineOf(
    [
      span(sign, "accent"),
      span(`#${store.seq(to)} ${formatTime(store.at(to))} `, "dim"),
      span(`${host} `, "bold"),
      span(`${printable(store.kind(to))} ${timeline.describe(to)}`),
      span(`  (${apart === 0 ? "at once" : when})`, "dim"),
    ],
    width,
  );
}

/** A text over as many lines as it needs, its first line after `head`. */
function wrapped(head: readonly Span[], text: string, width: number): Line[] {
  const indent = head.reduce((sum, part) => sum + widthOf(part.text), 0) + 1;
  const room = Math.max(10, width - 1);
  const lines: Line[] = [];
  let rest = text;
  let first = true;
  do {
    const cells = first ? Math.max(10, room - indent) : room - 2;
    const piece = toWidth(rest, cells).trimEnd();
    const cut = widthOf(rest) > cells ? rest.slice(0, piece.length - 1) : rest;
    lines.push(lineOf(first ? [span(" "), ...head, span(cut)] : [span("   "), span(cut)], width));
    rest = rest.slice(cut.length);
    first = false;
  } while (rest !== "" && lines.length < 40);
  return lines;
}
