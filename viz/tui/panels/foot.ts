import { printable } from "../../timeline/index.js";
import { type Line, lineOf, type Span, span, widthOf } from "../cells.js";
import { KEY_HELP } from "../keys.js";
import type { Scene } from "./scene.js";

/** The last line: what is being typed, else the message, else the most used keys. */
export function footLine(scene: Scene, width: number): Line {
  const { prompt, message } = scene.ui;
  if (prompt !== null) {
    const head = prompt.kind === "filter" ? " filter /" : " go to ";
    const hint = message === "" ? "   enter ok · esc back" : `   ${printable(message)}`;
    const style = message === "" ? "dim" : "bad";
    return lineOf(
      [span(head, "title"), span(printable(prompt.text), "bold"), span("▏"), span(hint, style)],
      width,
    );
  }
  if (message !== "") return lineOf([span(` ${printable(message)}`, "warn")], width);
  const spans: Span[] = [];
  let used = 0;
  for (const [key, meaning] of KEYS) {
    const cells = widthOf(key) + widthOf(meaning) + 3;
    if (used + cells > width) continue;
    used += cells;
    spans.push(span(`  ${key}`, "bold"), span(` ${meaning}`, "dim"));
  }
  return lineOf(spans, width);
}

/** By importance: a narrow screen shows those that fit. */
const KEYS: readonly (readonly [string, string])[] = [
  ["?", "help"],
  ["q", "quit"],
  ["space", "play"],
  ["←→", "step"],
  ["n", "violation"],
  ["f", "fault"],
  ["l", "leader"],
  ["g", "goto"],
  ["/", "filter"],
  ["c", "cause"],
  ["+-", "speed"],
  ["[]", "on host"],
  ["tab", "panel"],
  ["b", "bookmark"],
  [",.", "same kind"],
  ["e", "effect"],
  ["i", "idle skip"],
];

/** The help screen, as far as it fits. */
export function helpLines(width: number, height: number): Line[] {
  const lines: Line[] = KEY_HELP.map(([keys, meaning]) =>
    lineOf([span(` ${keys.padEnd(17)}`, "bold"), span(meaning)], width),
  );
  lines.push(
    lineOf(
      [span(" SLOTS: A*1/0✓ is slot A, running, priority 1, 0 tries left, good", "dim")],
      width,
    ),
    lineOf(
      [span(" ticks: ✗ violation  ! fault  ^ leader change  ◆ bookmark;  ↳ led to this", "dim")],
      width,
    ),
  );
  return lines.slice(0, height);
}
