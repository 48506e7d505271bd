import { linkBetween, type Scenario } from "../scenario/scenario.js";
import type { LinkModel } from "./network.js";

/** The model of each direction of each link, as the scenario says. */
export function linkModels(scenario: Scenario): (from: number, to: number) => LinkModel {
  return (from, to) => {
    const { latency, lossPpm, duplicatePpm, bandwidth } = linkBetween(scenario, from, to);
    return { latencyMin: latency.low, latencyMax: latency.high, lossPpm, duplicatePpm, bandwidth };
  };
}
