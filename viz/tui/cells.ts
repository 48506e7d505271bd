/** What a stretch of cells means; the palette says how it looks. */
export type Style =
  | "plain"
  | "dim"
  | "bold"
  | "title"
  | "good"
  | "warn"
  | "bad"
  | "info"
  | "accent"
  | "select"
  | "selectDim";

export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One screen line. */
export type Line = readonly Span[];

export function span(text: string, style: Style = "plain"): Span {
  return { text, style };
}

/** Exactly `width` cells of a text: cut with `…`, or padded with spaces. */
export function toWidth(text: string, width: number, align: "left" | "right" = "left"): string {
  if (width <= 0) return "";
  const have = widthOf(text);
  if (have <= width) {
    const pad = " ".repeat(width - have);
    return align === "left" ? text + pad : pad + text;
  }
  const kept = take(text, width - 1);
  return `${kept}…${" ".repeat(width - 1 - widthOf(kept))}`;
}

function take(text: string, width: number): string {
  if (isNarrow(text)) return text.slice(0, width);
  let used = 0;
  let kept = "";
  for (const character of text) {
    const cells = cellsOf(character.codePointAt(0) ?? 0);
    if (used + cells > width) break;
    used += cells;
    kept += character;
  }
  return kept;
}

/** Cells a text takes: 2 for East Asian wide characters and emoji, 0 for combining marks. */
export function widthOf(text: string): number {
  if (isNarrow(text)) return text.length;
  let width = 0;
  for (const character of text) width += cellsOf(character.codePointAt(0) ?? 0);
  return width;
}

/** Whether every code unit is one cell: nothing combining, wide or outside the first plane. */
function isNarrow(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x300 && (unit < 0x370 || unit >= 0x1100) && !isDrawing(unit)) return false;
  }
  return true;
}

function isDrawing(unit: number): boolean {
  return unit >= 0x2010 && unit < 0x2600;
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

function cellsOf(point: number): number {
  if (point >= 0x300 && point < 0x370) return 0;
  return WIDE.some(([low, high]) => point >= low && point <= high) ? 2 : 1;
}

/** A line of exactly `width` cells from spans: what is too long is cut, what is short is padded. */
export function lineOf(spans: readonly Span[], width: number): Line {
  const line: Span[] = [];
  let left = width;
  for (const { text, style } of spans) {
    if (left <= 0) break;
    const cells = widthOf(text);
    if (cells <= left) {
      if (cells > 0) line.push({ text, style });
      left -= cells;
    } else {
      line.push({ text: toWidth(text, left), style });
      left = 0;
    }
  }
  if (left > 0) line.push({ text: " ".repeat(left), style: "plain" });
  return line;
}

/** Lines beside each other with a gap: as many as the longer column has. */
export function beside(
  left: readonly Line[],
  leftWidth: number,
  right: readonly Line[],
  gap: number,
  rightWidth: number,
): Line[] {
  const rows = Math.max(left.length, right.length);
  return Array.from({ length: rows }, (_, i) => [
    ...(left[i] ?? lineOf([], leftWidth)),
    span(" ".repeat(gap)),
    ...(right[i] ?? lineOf([], rightWidth)),
  ]);
}

/** The line in one style, as for a selected row. */
export function restyle(line: Line, style: Style): Line {
  return [span(line.map((part) => part.text).join(""), style)];
}

/** The text of a line without any style. */
export function textOfLine(line: Line): string {
  return line.map((part) => part.text).join("");
}

const COLOUR: Readonly<Record<Style, string>> = {
  plain: "",
  dim: "2",
  bold: "1",
  title: "1;36",
  good: "32",
  warn: "33",
  bad: "1;31",
  info: "36",
  accent: "35",
  select: "7",
  selectDim: "1",
};

const NO_COLOUR: Readonly<Record<Style, string>> = {
  plain: "",
  dim: "",
  bold: "1",
  title: "1",
  good: "",
  warn: "",
  bad: "1",
  info: "",
  accent: "",
  select: "7",
  selectDim: "1",
};

/** The line as text with terminal attributes; without colour only bold and inverse are used. */
export function paint(line: Line, colour: boolean): string {
  const palette = colour ? COLOUR : NO_COLOUR;
  let painted = "";
  let run = "";
  let runCode = "";
  const flush = (): void => {
    painted += runCode === "" ? run : `\u001b[${runCode}m${run}\u001b[0m`;
    run = "";
  };
  for (const { text, style } of line) {
    const code = palette[style];
    if (code !== runCode) {
      flush();
      runCode = code;
    }
    run += text;
  }
  flush();
  return painted;
}
