export { Clock } from "./clock.js";
export { type LinkDisturbance, type LinkModel, LOST, Network } from "./network.js";
export { EventQueue } from "./queue.js";
export {
  CHECKPOINT_INTERVAL,
  type RunObserver,
  type RunSummary,
  Simulation,
  type SimulationOptions,
} from "./simulation.js";
