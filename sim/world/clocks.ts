import { type Generator, type Micros, SECOND } from "../../core/kernel/index.js";
import type { Scenario } from "../scenario/scenario.js";
import { Clock } from "./clock.js";
import { drawSpan } from "./span.js";

/** True time at which the wall clocks of a run show 2017-03-01T00:00:00Z. */
const EPOCH: Micros = 1_488_326_400 * SECOND;

/** A clock for each node: hosts' are off and drift as the scenario has it, all others are right. */
export function createClocks(scenario: Scenario, nodes: number, draws: Generator): Clock[] {
  return Array.from({ length: nodes }, (_, node) => {
    const clock = scenario.hosts[node]?.clock;
    if (clock === undefined) return new Clock(EPOCH, 0, 0);
    return new Clock(EPOCH, drawSpan(draws, clock.offset), drawSpan(draws, clock.driftPpm));
  });
}
