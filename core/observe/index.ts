export * from "./events.js";
export * from "./observer.js";
export * from "./state.js";
