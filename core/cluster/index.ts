export * from "./invariants.js";
