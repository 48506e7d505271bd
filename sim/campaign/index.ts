export * from "./campaign.js";
export * from "./run.js";
