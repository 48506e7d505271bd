export * from "./diagnostic.js";
export * from "./generator.js";
export * from "./hash.js";
export * from "./log.js";
export * from "./machine.js";
export * from "./run.js";
export * from "./timer.js";
export * from "./units.js";
