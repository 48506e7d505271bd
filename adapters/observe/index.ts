export * from "./perform.js";
export * from "./render.js";
