export * from "./bytes.js";
export * from "./json.js";
