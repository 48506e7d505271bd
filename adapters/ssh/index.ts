export * from "./connection.js";
export * from "./known-hosts.js";
export * from "./through.js";
