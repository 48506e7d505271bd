export * from "./v3-client.js";
export * from "./v3-types.js";
