import type { FleetConfig } from "./config.js";

/** The state of one fleetd process. Plain data; its inside is fleetd's own business. */
export interface FleetState {
  readonly config: FleetConfig;
  phase: FleetPhase;
  /** The next id of a call; never reused, so that a late answer finds nobody. */
  nextId: number;
}

/** Where the process is in its life. */
export type FleetPhase = "down" | "starting" | "registering" | "running" | "stopping" | "purging";
