import type { RoleLabel } from "../timeline/index.js";

export const INK = "#1f2937";
export const FAINT = "#6b7280";
export const GRID = "#e5e7eb";
export const PAPER = "#ffffff";
export const LOCK = "#9333ea";
export const FAULT = "#ea580c";
export const VIOLATION = "#dc2626";

/** Fill of a role band; `down` and `stopped` are patterns defined in the picture. */
export const ROLE_FILL: Readonly<Record<RoleLabel, string>> = {
  leader: "#4338ca",
  follower: "#c7d2fe",
  "pre-candidate": "#fde68a",
  candidate: "#f59e0b",
  learner: "#a5f3fc",
  stopped: "url(#stopped)",
  down: "url(#down)",
  none: "#f3f4f6",
};

/** OS versions in the order in which they appeared: the old one is grey, what comes has colour. */
export const VERSION_FILL: readonly string[] = [
  "#9ca3af",
  "#059669",
  "#0891b2",
  "#ca8a04",
  "#be185d",
  "#65a30d",
];

/** Hosts, for telling where a unit runs; light enough for dark text on them. */
export const HOST_FILL: readonly string[] = [
  "#93c5fd",
  "#86efac",
  "#fcd34d",
  "#f9a8d4",
  "#c4b5fd",
  "#67e8f9",
  "#fdba74",
  "#d9f99d",
];

/** Colours follow each other again when there are more things than colours. */
export function cycle(colours: readonly string[], index: number): string {
  return colours[((index % colours.length) + colours.length) % colours.length] ?? INK;
}
