export * from "./open-replay.js";
