import { formatTime, printable, type Timeline } from "../../timeline/index.js";
import { type Line, lineOf, restyle, type Style, span, toWidth } from "../cells.js";
import type { Matches } from "../filter.js";
import { rule, type Scene } from "./scene.js";

/** The list of events around the cursor; what is still to come is dim. */
export function eventLines(scene: Scene, width: number, height: number): Line[] {
  const title = rule(scene, "events", "events", note(scene), width);
  const indexes = around(scene.matches, scene.ui.cursor, height - 1);
  const chain = causeChain(scene.timeline, scene.ui.cursor);
  const layout = columnsFor(scene.timeline, width);
  return [title, ...indexes.map((index) => eventLine(scene, index, chain, layout, width))];
}

function note(scene: Scene): string {
  const { matches, ui } = scene;
  if (matches.all) return `${Math.max(0, ui.cursor + 1)}/${matches.count}`;
  const read = matches.complete ? "" : ` (${matches.percent}% read)`;
  return `/${printable(matches.filter.text)}/ ${matches.countUpTo(ui.cursor)}/${matches.count}${read}`;
}

/** Records to show: the cursor's with as many before and after as toWidth, two thirds before. */
function around(matches: Matches, cursor: number, height: number): number[] {
  if (height <= 0) return [];
  const before: number[] = [];
  const want = Math.ceil(height * 0.66);
  let at = cursor >= 0 && matches.test(cursor) ? cursor : matches.beyond(cursor, -1);
  while (at >= 0 && before.length < want) {
    before.unshift(at);
    at = matches.beyond(at, -1);
  }
  let next = matches.beyond(cursor, 1);
  while (next >= 0 && before.length < height) {
    before.push(next);
    next = matches.beyond(next, 1);
  }
  while (at >= 0 && before.length < height) {
    before.unshift(at);
    at = matches.beyond(at, -1);
  }
  return before;
}

interface Layout {
  readonly host: number;
  readonly kind: number;
}

function columnsFor(timeline: Timeline, width: number): Layout {
  const names = timeline.latest.hosts.map((host) => host.name.length);
  const kinds = timeline.store.kinds.map((kind) => kind.length);
  return {
    host: Math.min(Math.max(4, ...names.slice(0, 1000)), width < 100 ? 8 : 16),
    kind: Math.min(Math.max(8, ...kinds), width < 100 ? 18 : 24),
  };
}

function eventLine(
  scene: Scene,
  index: number,
  chain: ReadonlySet<number>,
  layout: Layout,
  width: number,
): Line {
  const { store } = scene.timeline;
  const { cursor, bookmarks, panel } = scene.ui;
  const kind = store.kind(index);
  const sign = bookmarks.includes(index) ? "◆" : chain.has(index) && index !== cursor ? "↳" : " ";
  const style = styleOf(kind, store.dataText(index));
  const late = index > cursor;
  const line = lineOf(
    [
      span(sign, "accent"),
      span(`${formatTime(store.at(index))} `, "dim"),
      span(`${toWidth(printable(store.host(index)) || "–", layout.host)} `, late ? "dim" : "bold"),
      span(`${toWidth(printable(kind), layout.kind)} `, late ? "dim" : style),
      span(scene.timeline.describe(index), late ? "dim" : style === "bad" ? style : "plain"),
    ],
    width,
  );
  if (index !== cursor) return line;
  return restyle(line, panel === "events" ? "select" : "selectDim");
}

const KIND_STYLE: Readonly<Record<string, Style>> = {
  "invariant.violated": "bad",
  "expectation.failed": "bad",
  "update.failed": "bad",
  "host.down": "bad",
  "host.rebooting": "warn",
  "host.powering-off": "warn",
  "fault.begin": "warn",
  "fault.end": "good",
  "host.up": "good",
  "expectation.met": "good",
  "operator.action": "accent",
};

function styleOf(kind: string, data: string): Style {
  const known = KIND_STYLE[kind];
  if (known !== undefined) return known;
  if (kind === "etcd.role") return data.includes('"leader"') ? "good" : "info";
  if (kind === "systemd.unit") return data.includes('"failed"') ? "bad" : "plain";
  if (kind.startsWith("update.") || kind.startsWith("lock.")) return "accent";
  return kind.startsWith("fleet.") ? "info" : "plain";
}

/** How far back causes are followed. */
export const CAUSES_MAX = 16;

/** The record's causes that are in the log, nearest first, without the record itself. */
export function causesOf(timeline: Timeline, index: number): number[] {
  const { store } = timeline;
  const causes: number[] = [];
  let cause = index < 0 ? null : store.cause(index);
  while (cause !== null && causes.length < CAUSES_MAX) {
    const found = store.indexOfSeq(cause);
    if (found < 0) break;
    causes.push(found);
    cause = store.cause(found);
  }
  return causes;
}

function causeChain(timeline: Timeline, cursor: number): ReadonlySet<number> {
  return new Set(causesOf(timeline, cursor));
}
