export * from "./config.js";
export * from "./step.js";
