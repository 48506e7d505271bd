export * from "./client.js";
export * from "./front.js";
export * from "./transport.js";
