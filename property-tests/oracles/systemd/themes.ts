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
  "isolation",
  "files",
] as const;

export type Theme = (typeof THEMES)[number];

/** Isolating a unit, and services of Type=idle, look at all units and jobs: such a set has a systemd of its own. */
export const isAlone = (theme: Theme): boolean => theme === "isolation";

/** True in so many draws of a hundred. */
export const percent = (g: Generator, parts: number): boolean => chance(g, parts * 10_000);
