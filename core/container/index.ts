export { type DockerCommand, type DockerLine, parseDocker } from "./docker-command.js";
export {
  afterPowerLoss,
  answersOn,
  containerEngine,
  isDaemon,
  isModelled,
  runningContainers,
} from "./engine.js";
export type { ContainerEffect, ContainerFact, ContainerStimulus } from "./events.js";
export type { ContainerProcess, Image, Layer, Range } from "./image.js";
export { imageReference } from "./image.js";
export type { ContainerConfig, ContainerState } from "./state.js";
