export * from "./check.js";
export * from "./model.js";
export * from "./models/key-value.js";
export * from "./models/register.js";
