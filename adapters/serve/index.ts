export { type FrontOptions, type HttpExtension, MemberFront } from "./front.js";
export type { Exchange } from "./http.js";
export type { AskOptions, Conversation, MemberPort } from "./port.js";
