export * from "./invariants.js";
export * from "./raft-states.js";
