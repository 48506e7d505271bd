export * from "./client.js";
export * from "./process.js";
export * from "./types.js";
