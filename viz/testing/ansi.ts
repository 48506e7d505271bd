const ESC = String.fromCharCode(27);

/** Matches a change of colour or weight. */
export const SGR = new RegExp(`${ESC}\\[[\\d;]*m`, "g");

/** Matches a row that is placed, erased and written; groups: row from 1, its text. */
export const PLACED_ROW = new RegExp(`${ESC}\\[(\\d+);1H${ESC}\\[2K([^${ESC}\\n]*)`, "g");

/** The text of a terminal frame without its colours. */
export function withoutColour(text: string): string {
  return text.replace(SGR, "");
}
