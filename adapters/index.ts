export * from "./drive/index.js";
export * from "./etcd/index.js";
export * from "./live/index.js";
export * from "./logfile/index.js";
export * from "./observe/index.js";
export * from "./serve/index.js";
export * from "./ssh/index.js";
export * from "./systemd/index.js";
