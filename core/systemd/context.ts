import type { Micros, Out } from "../kernel/index.js";
import type { ActiveState } from "./client.js";
import type { Dependency } from "./dependency.js";
import type { Notification, ServiceState, SystemdState, Trigger, Unit } from "./state.js";
import type { SystemdEffect, SystemdFact } from "./types.js";

/** One dispatch: the state, where its output goes, and what is still to be acted on in it. */
export interface Dispatch {
  readonly state: SystemdState;
  readonly now: Micros;
  readonly out: Out<SystemdFact, SystemdEffect>;
  /** State changes in order; acting on them is the manager's business. */
  readonly notifications: Notification[];
  readonly triggers: Trigger[];
  /** Units whose announced state may be out of date. */
  readonly touched: Set<string>;
}

export function createDispatch(
  state: SystemdState,
  now: Micros,
  out: Out<SystemdFact, SystemdEffect>,
): Dispatch {
  return { state, now, out, notifications: [], triggers: [], touched: new Set() };
}

const SERVICE_ACTIVE: Readonly<Record<ServiceState, ActiveState>> = {
  dead: "inactive",
  condition: "activating",
  "start-pre": "activating",
  start: "activating",
  "start-post": "activating",
  running: "active",
  exited: "active",
  reload: "reloading",
  stop: "deactivating",
  "stop-sigterm": "deactivating",
  "stop-sigkill": "deactivating",
  "stop-post": "deactivating",
  "final-sigterm": "deactivating",
  "final-sigkill": "deactivating",
  failed: "failed",
  "auto-restart": "activating",
};

/** ActiveState of a service in a sub state. A Type=idle service counts as active while it starts. */
export function serviceActiveState(state: ServiceState, idle: boolean): ActiveState {
  const starting =
    state === "condition" || state === "start-pre" || state === "start" || state === "start-post";
  return idle && starting ? "active" : SERVICE_ACTIVE[state];
}

/** ActiveState of a unit. */
export function activeState(unit: Unit): ActiveState {
  if (unit.service !== null) {
    return serviceActiveState(unit.service.state, unit.config.service?.type === "idle");
  }
  if (unit.timer === null) return unit.active;
  switch (unit.timer.state) {
    case "dead":
      return "inactive";
    case "failed":
      return "failed";
    default:
      return "active";
  }
}

/** SubState of a unit. */
export function subState(unit: Unit): string {
  if (unit.service !== null) return unit.service.state;
  if (unit.timer !== null) return unit.timer.state;
  return unit.active === "active" ? "active" : "dead";
}

export const isActiveOrReloading = (state: ActiveState) =>
  state === "active" || state === "reloading";

export const isActiveOrActivating = (state: ActiveState) =>
  state === "active" || state === "reloading" || state === "activating";

export const isInactiveOrFailed = (state: ActiveState) =>
  state === "inactive" || state === "failed";

export const isInactiveOrDeactivating = (state: ActiveState) =>
  state === "inactive" || state === "failed" || state === "deactivating";

const NONE: readonly string[] = [];

/** Names of the units a unit has an edge to. */
export function edges(unit: Unit, kind: Dependency): Iterable<string> {
  return unit.edges.get(kind) ?? NONE;
}
