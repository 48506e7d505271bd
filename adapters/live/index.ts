export * from "./clock.js";
export * from "./record.js";
export * from "./rederive.js";
export * from "./world.js";
