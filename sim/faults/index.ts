export * from "./atlas.js";
export * from "./budget.js";
export * from "./draw.js";
export * from "./encode.js";
export * from "./plan.js";
export * from "./shrink.js";
