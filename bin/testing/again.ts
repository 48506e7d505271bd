import type { LogRecord, Micros } from "../../core/kernel/index.js";
import { interventionFromJson, NO_FAULTS, type Scenario, Simulation } from "../../sim/index.js";

/** What a served run of seed 1 gives when it is executed again with all that came from outside. For tests. */
export function servedAgain(
  scenario: Scenario,
  records: readonly LogRecord[],
  until: Micros,
): { readonly records: readonly LogRecord[]; readonly stateHash: string } {
  const again: LogRecord[] = [];
  const simulation = new Simulation({
    scenario,
    seed: 1,
    plan: NO_FAULTS,
    observer: { record: (record) => again.push(JSON.parse(JSON.stringify(record))) },
  });
  for (const { type, at, data } of records) {
    if (type !== "stimulus") continue;
    simulation.advance(at);
    const what = interventionFromJson(data, scenario);
    if (what === null) throw new Error(JSON.stringify(data));
    simulation.intervene(what);
  }
  simulation.advance(until);
  return { records: again, stateHash: simulation.stateHash() };
}
