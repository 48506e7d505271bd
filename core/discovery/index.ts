export {
  type DiscoveryPhase,
  type DiscoveryState,
  discoveryClient,
  type Registration,
} from "./client.js";
export { discoveryRegistry, type RegistryEffect, type RegistryState } from "./registry.js";
export * from "./types.js";
