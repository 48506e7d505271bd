export * from "./v2-client.js";
export * from "./v2-render.js";
export * from "./v3-client.js";
export * from "./v3-types.js";
