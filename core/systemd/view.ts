import type { UnitStatus } from "./client.js";
import { activeState, subState } from "./context.js";
import type { SystemdState } from "./state.js";

/** A unit as `systemctl status` shows it. */
export interface UnitView extends UnitStatus {
  /** Path of its unit file; "" if it has none. */
  readonly fragment: string;
}

/** Looks at a unit without stirring anything; null when it is not loaded. */
export function viewUnit(state: SystemdState, name: string): UnitView | null {
  const unit = state.units.get(name);
  if (unit === undefined) return null;
  return {
    name,
    description: unit.config.description,
    loadState: unit.load,
    activeState: activeState(unit),
    subState: subState(unit),
    fragment: unit.fragment,
  };
}
