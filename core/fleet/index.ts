export * from "./config.js";
export * from "./events.js";
export * from "./fleetd.js";
export * from "./state.js";
