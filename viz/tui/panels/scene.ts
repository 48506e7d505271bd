import type { ClusterView, Timeline } from "../../timeline/index.js";
import { type Line, lineOf, type Style, span, toWidth, widthOf } from "../cells.js";
import type { Matches } from "../filter.js";
import type { Panel, UiState } from "../state.js";

/** All a panel draws from: the log, what the person chose, and the cluster at the cursor. */
export interface Scene {
  readonly timeline: Timeline;
  readonly ui: UiState;
  readonly matches: Matches;
  /** The cluster just before the record at the cursor. */
  readonly before: ClusterView;
  readonly view: ClusterView;
}

/** A rule with the name of a panel in it, bright if the panel has the focus. */
export function rule(scene: Scene, panel: Panel, name: string, note: string, width: number): Line {
  const focused = scene.ui.panel === panel;
  const style: Style = focused ? "title" : "dim";
  const head = `${focused ? "▸" : "─"} ${name} `;
  const tail = note === "" ? "" : ` ${note} `;
  const between = Math.max(0, width - widthOf(head) - widthOf(tail));
  return lineOf([span(head, style), span("─".repeat(between), "dim"), span(tail, style)], width);
}

/** A row of columns with one space between them. */
export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: "left" | "right";
}

export function headings(columns: readonly Column[], width: number): Line {
  const text = columns.map((c) => toWidth(c.title, c.width, c.align)).join(" ");
  return lineOf([span(` ${text}`, "dim")], width);
}

/** Where a list of `count` rows shown `height` at a time must begin so that `selected` is seen. */
export function scrollTo(selected: number, count: number, height: number): number {
  if (count <= height) return 0;
  const centred = selected - Math.floor(height / 2);
  return Math.max(0, Math.min(count - height, centred));
}
