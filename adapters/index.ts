export * from "./etcd/index.js";
export * from "./live/index.js";
export * from "./observe/index.js";
