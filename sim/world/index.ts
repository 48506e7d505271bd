export { Clock } from "./clock.js";
export { showValue } from "./expectation-text.js";
export type { Measurement } from "./measures.js";
export { type LinkDisturbance, type LinkModel, LOST, Network } from "./network.js";
export { EventQueue } from "./queue.js";
export {
  type Intervention,
  interventionFromJson,
  type RunObserver,
  type RunSummary,
  type SimulationOptions,
} from "./run.js";
export { CHECKPOINT_INTERVAL, Simulation } from "./simulation.js";
