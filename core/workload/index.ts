export * from "./check.js";
export * from "./client.js";
export * from "./events.js";
export * from "./facts.js";
export * from "./history.js";
export { type Mix, NO_REQUESTS, WORKLOAD_OPS, type WorkloadOp } from "./mix.js";
export * from "./model.js";
export * from "./watcher.js";
