export {
  DOCKER_OPTIONS_FILE,
  type FlannelConfig,
  type FlannelEffect,
  type FlannelFact,
  type FlannelState,
  type FlannelStimulus,
  flanneld,
  SUBNET_FILE,
} from "./flanneld.js";
