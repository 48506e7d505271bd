export { type Registry, RegistryDesk } from "./desk.js";
export { DiscoveryFront } from "./front.js";
