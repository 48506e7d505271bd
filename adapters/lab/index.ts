export * from "./lab.js";
export * from "./settings.js";
export { hasProgram, whyNoLab } from "./shell.js";
