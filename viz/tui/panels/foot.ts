import { printable } from "../../timeline/index.js";
import { type Line, lineOf, span } from "../cells.js";
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
  const keys = [
    ["space", "play"],
    ["←→", "step"],
    ["[]", "on host"],
    ["n", "violation"],
    ["f", "fault"],
    ["l", "leader"],
    ["c", "cause"],
    ["g", "goto"],
    ["/", "filter"],
    ["+-", "speed"],
    ["?", "help"],
    ["q", "quit"],
  ] as const;
  const spans = keys.flatMap(([key, meaning]) => [
    span(` ${key}`, "bold" as const),
    span(` ${meaning}`, "dim" as const),
  ]);
  return lineOf(spans, width);
}

/** The help screen, as far as it fits. */
export function helpLines(width: number, height: number): Line[] {
  const lines: Line[] = [lineOf([span(" Keys", "title")], width), lineOf([], width)];
  for (const [keys, meaning] of KEY_HELP) {
    lines.push(lineOf([span(` ${keys.padEnd(17)}`, "bold"), span(meaning)], width));
  }
  lines.push(
    lineOf([], width),
    lineOf(
      [span(" Slots: A*1/0✓ is slot A, running, priority 1, 0 tries left, successful.", "dim")],
      width,
    ),
  );
  return lines.slice(0, height);
}
