export { MemberFront } from "./front.js";
export { Exchange } from "./http.js";
export { httpPort, type LoopbackPort, type WantedPort } from "./loopback.js";
export type { AskOptions, Conversation, MemberPort } from "./port.js";
export { cannotBeHad, PortTaken, reservePorts } from "./ports.js";
export { type V2Port, v2KeysOf } from "./v2-keys.js";
