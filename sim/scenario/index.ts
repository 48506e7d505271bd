export * from "./catalogue.js";
export { faultPlanFromJson, scenarioFromJson } from "./from-json.js";
export type { ReadFile } from "./include.js";
export { loadScenario, readBeside, readText, unreadable } from "./load.js";
export { type ParseOptions, parseScenario } from "./parse.js";
export { parseFaultPlan } from "./parse-plan.js";
export * from "./quantity.js";
export * from "./scenario.js";
