export * from "./connection.js";
export * from "./known-hosts.js";
