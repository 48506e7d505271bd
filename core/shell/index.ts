export { type Instruction, parseScript, type Script } from "./parse.js";
export { continueShell, type ShellMove, type ShellState, startShell } from "./shell.js";
