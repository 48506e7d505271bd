export type { Backend } from "./backend.js";
export {
  type ConfdConfig,
  type ConfdEffect,
  type ConfdFact,
  type ConfdState,
  type ConfdStimulus,
  confd,
} from "./confd.js";
