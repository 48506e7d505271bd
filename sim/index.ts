export * from "./campaign/index.js";
export * from "./faults/index.js";
export * from "./lint/index.js";
export * from "./scenario/index.js";
export * from "./world/index.js";
