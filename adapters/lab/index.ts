export * from "./lab.js";
export * from "./settings.js";
export { hasProgram, LabError, whyNoLab } from "./shell.js";
