export type { ContainerHost, HostContainerConfig, Program } from "./container-state.js";
export * from "./events.js";
export { isHealthy } from "./health.js";
export { APP_ID, createHost, hostMachine } from "./host.js";
export * from "./packet.js";
export * from "./state.js";
