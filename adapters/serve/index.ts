export { type FrontOptions, type HttpExtension, MemberFront } from "./front.js";
export { Exchange } from "./http.js";
export type { AskOptions, Conversation, MemberPort } from "./port.js";
export { type V2Port, v2KeysOf } from "./v2-keys.js";
