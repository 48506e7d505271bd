import { chance, type Generator } from "../../../core/kernel/index.js";

/** What a set is mostly about. */
export const THEMES = [
  "dependencies",
  "failures",
  "restarts",
  "timeouts",
  "modes",
  "triggers",
  "cycles",
  "everything",
] as const;

export type Theme = (typeof THEMES)[number];

/** True in so many draws of a hundred. */
export const percent = (g: Generator, parts: number): boolean => chance(g, parts * 10_000);
