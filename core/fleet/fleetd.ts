import type { Machine } from "../kernel/index.js";
import type { FleetConfig } from "./config.js";
import type { FleetEffect, FleetFact, FleetStimulus } from "./events.js";
import type { FleetState } from "./state.js";

/** One fleetd process: server, agent, unit-state publisher and engine. */
export const fleetd: Machine<FleetConfig, FleetState, FleetStimulus, FleetFact, FleetEffect> = {
  name: "fleet",
  create: (config) => ({ config, phase: "down", nextId: 1 }),
  step: (state, stimulus) => {
    if (stimulus.kind === "start") state.phase = "starting";
  },
};
