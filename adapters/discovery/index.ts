export { type Registry, RegistryDesk } from "./desk.js";
export { DiscoveryFront, type DiscoveryFrontOptions } from "./front.js";
