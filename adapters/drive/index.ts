export * from "./etcd-shadow.js";
export * from "./gate.js";
export * from "./host.js";
export * from "./link.js";
export * from "./perform.js";
export * from "./ports.js";
export * from "./systemd-shadow.js";
export * from "./takeover.js";
