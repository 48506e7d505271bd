export * from "./bus.js";
export * from "./files.js";
export * from "./manager.js";
export * from "./status.js";
