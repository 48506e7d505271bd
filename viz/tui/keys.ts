import type { Action, UiState } from "./state.js";

/** The parts of a key press that count here; ink's `Key` has them. */
export interface KeyPress {
  readonly upArrow?: boolean;
  readonly downArrow?: boolean;
  readonly leftArrow?: boolean;
  readonly rightArrow?: boolean;
  readonly pageUp?: boolean;
  readonly pageDown?: boolean;
  readonly home?: boolean;
  readonly end?: boolean;
  readonly return?: boolean;
  readonly escape?: boolean;
  readonly tab?: boolean;
  readonly shift?: boolean;
  readonly ctrl?: boolean;
  readonly backspace?: boolean;
  readonly delete?: boolean;
}

const PLAIN: Readonly<Record<string, Action>> = {
  " ": { kind: "toggle-play" },
  "[": { kind: "step-host", direction: -1 },
  "]": { kind: "step-host", direction: 1 },
  ",": { kind: "step-kind", direction: -1 },
  ".": { kind: "step-kind", direction: 1 },
  n: { kind: "landmark", of: "violation", direction: 1 },
  N: { kind: "landmark", of: "violation", direction: -1 },
  f: { kind: "landmark", of: "fault", direction: 1 },
  F: { kind: "landmark", of: "fault", direction: -1 },
  l: { kind: "landmark", of: "leader", direction: 1 },
  L: { kind: "landmark", of: "leader", direction: -1 },
  "'": { kind: "landmark", of: "bookmark", direction: 1 },
  '"': { kind: "landmark", of: "bookmark", direction: -1 },
  c: { kind: "follow-cause" },
  e: { kind: "follow-effect" },
  b: { kind: "bookmark" },
  g: { kind: "prompt", of: "goto" },
  "@": { kind: "prompt", of: "goto" },
  "/": { kind: "prompt", of: "filter" },
  h: { kind: "filter-host" },
  k: { kind: "filter-kind" },
  x: { kind: "clear-filter" },
  i: { kind: "toggle-idle-skip" },
  "+": { kind: "speed", faster: true },
  "=": { kind: "speed", faster: true },
  "-": { kind: "speed", faster: false },
  _: { kind: "speed", faster: false },
  "?": { kind: "toggle-help" },
  q: { kind: "quit" },
};

/** What the key line and the help screen say about each key. */
export const KEY_HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ["space", "play, pause"],
  ["← →", "previous, next event"],
  ["shift ← →, [ ]", "previous, next event on the selected host"],
  [", .", "previous, next event of the same kind"],
  ["↑ ↓, PgUp PgDn", "select in the panel with the focus"],
  ["n N", "next, previous violation"],
  ["f F", "next, previous fault (begin or end)"],
  ["l L", "next, previous change of leader"],
  ["c e", "to the cause of this event, to its first effect"],
  ["g, home, end", "go to @12.5s, @1:02:03, #seq or 50%; beginning; end"],
  ["+ - i", "speed ×¼ … ×1024; jump over quiet stretches"],
  ["tab", "focus: hosts, units, events, details"],
  ["/", "filter: regex  !regex  host:regex  kind:regex"],
  ["h k x", "filter: this host, this kind, none"],
  ["b ' \"", "bookmark; next, previous bookmark"],
  ["? q", "this help, quit"],
];

/**
 * The single presses in one input: keys typed fast, and pastes, arrive as one input of many
 * characters. What is left of a mouse report is dropped.
 */
export function pressesOf(input: string, key: KeyPress): readonly (readonly [string, KeyPress])[] {
  if (input.length <= 1 || key.ctrl === true) return [[input, key]];
  if (/^\[<[\d;]+[mM]$/.test(input)) return [];
  return [...input].map((character) =>
    character === "\r" || character === "\n" ? ["", { return: true }] : [character, {}],
  );
}

/** What a key press asks for; null for nothing. */
export function actionOf(input: string, key: KeyPress, ui: UiState): Action | null {
  if (key.ctrl === true && input === "c") return { kind: "quit" };
  if (ui.prompt !== null) return promptAction(input, key);
  const special = specialAction(key);
  if (special !== null) return special;
  if (key.ctrl === true) return null;
  return PLAIN[input] ?? null;
}

function specialAction(key: KeyPress): Action | null {
  if (key.leftArrow === true || key.rightArrow === true) {
    const direction = key.rightArrow === true ? 1 : -1;
    if (key.shift === true) return { kind: "step-host", direction };
    return { kind: "step", by: direction };
  }
  if (key.upArrow === true) return { kind: "move", by: -1 };
  if (key.downArrow === true) return { kind: "move", by: 1 };
  if (key.pageUp === true) return { kind: "move", by: -10 };
  if (key.pageDown === true) return { kind: "move", by: 10 };
  if (key.home === true) return { kind: "edge", end: false };
  if (key.end === true) return { kind: "edge", end: true };
  if (key.tab === true) return { kind: "panel", by: key.shift === true ? -1 : 1 };
  if (key.escape === true) return { kind: "cancel" };
  return null;
}

function promptAction(input: string, key: KeyPress): Action | null {
  if (key.escape === true) return { kind: "cancel" };
  if (key.return === true) return { kind: "submit" };
  if (key.backspace === true || key.delete === true) return { kind: "erase" };
  if (key.ctrl === true || key.tab === true) return null;
  if (input === "" || /[\p{Cc}\p{Cf}]/u.test(input)) return null;
  return { kind: "type", text: input };
}
