export { type ApplyEnvironment, applySteps } from "./apply.js";
export * from "./config.js";
export { decodeContent } from "./content.js";
export { CLOUD_CONFIG_MAX_CHARS, parseCloudConfig } from "./parse.js";
export * from "./step.js";
export {
  type SubstitutionSource,
  substitute,
  substituteInOrder,
  VARIABLES,
  type Variable,
  variableValues,
} from "./substitute.js";
export {
  type EmbeddedUnit,
  embeddedUnits,
  findTraps,
  TRAPS,
  type Trap,
  type TrapFinding,
} from "./traps.js";
export { checkUpdate, renderUpdateConf } from "./update-conf.js";
export { userDataSteps } from "./userdata.js";
export {
  classifyUserData,
  type Entry,
  formatEntry,
  type Report,
  type UserDataKind,
  validateCloudConfig,
} from "./validate.js";
