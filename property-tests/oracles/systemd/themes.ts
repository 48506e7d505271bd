import { chance, type Generator } from "../../../core/kernel/index.js";

/** What a set is mostly about. */
export const THEMES = [
  "dependencies",
  "failures",
  "restarts",
  "timeouts",
  "modes",
  "triggers",
  "sockets",
  "mounts",
  "calendars",
  "cycles",
  "everything",
  "isolation",
  "files",
] as const;

export type Theme = (typeof THEMES)[number];

/** Isolating a unit, and services of Type=idle, look at all units and jobs: such a set has a systemd of its own. */
export const isAlone = (theme: Theme): boolean => theme === "isolation";

/** Sets in which each service may have a timer, path or socket of its name. */
export const hasTriggers = (theme: Theme): boolean =>
  theme === "triggers" || theme === "sockets" || theme === "calendars";

/** True in so many draws of a hundred. */
export const percent = (g: Generator, parts: number): boolean => chance(g, parts * 10_000);
