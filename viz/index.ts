export * from "./pictures/index.js";
export * from "./report/index.js";
export * from "./timeline/index.js";
export * from "./tui/index.js";
