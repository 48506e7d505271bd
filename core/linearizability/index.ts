export * from "./check.js";
export * from "./model.js";
export * from "./models/etcd.js";
export * from "./models/etcd-types.js";
export * from "./models/key-value.js";
export * from "./models/register.js";
export * from "./nondeterministic.js";
