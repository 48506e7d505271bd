import type { Micros, Out } from "../kernel/index.js";
import type { ActiveState } from "./client.js";
import { type Dependency, EFFECTS, type Effect } from "./dependency.js";
import type { FileChange } from "./file-change.js";
import { hashOrder } from "./hash-order.js";
import type { Job, ServiceState, SystemdState, Unit } from "./state.js";
import type { JobRequest, SystemdEffect, SystemdFact, UnitResult } from "./types.js";

/** What a unit's change of state carries besides the states (UnitNotifyFlags). */
export interface ChangeFlags {
  readonly reloadFailed: boolean;
  readonly willRestart: boolean;
}

/** One dispatch: the state, where its output goes, and what is still to be acted on in it. */
export interface Dispatch {
  readonly state: SystemdState;
  readonly now: Micros;
  readonly out: Out<SystemdFact, SystemdEffect>;
  /** Units to be looked at once the event is done with: see `EFFECTS` for the kinds. */
  readonly unneeded: Set<string>;
  readonly upheld: Set<string>;
  readonly bound: Set<string>;
  /** What comes after the event and the jobs it queued: in systemd, events of their own. */
  readonly deferred: Deferred[];
  /** Jobs run so far. */
  jobsRun: number;
  /** A unit went from one active state to another, or from one sub state to another within one. */
  changed(unit: Unit, before: ActiveState, flags: ChangeFlags): void;
  /** Queues a job with everything it entails; false when it cannot be. */
  queue(type: JobRequest["type"], unit: Unit, mode: JobRequest["mode"]): boolean;
  /** Queues reloads of the units that the unit's own is passed on to. */
  propagateReload(unit: Unit): void;
}

/** Something that happens at once, but not within the event that caused it. */
export type Deferred =
  /** execve() of a Type=exec service is done. */
  | { readonly kind: "executed"; readonly unit: string; readonly pid: number }
  /** The last process of a unit is gone. */
  | { readonly kind: "cgroup-empty"; readonly unit: string }
  /** A path unit looks at its paths again, after its unit changed. */
  | { readonly kind: "path"; readonly unit: string }
  /** A timer unit is due already. */
  | { readonly kind: "due"; readonly unit: string }
  /** A socket unit that listens has something to take off. */
  | { readonly kind: "traffic"; readonly unit: string }
  /** inotify tells of a file. */
  | { readonly kind: "file"; readonly change: FileChange };

/** What a dispatch is given to act with: the upper half of the manager, out of the reach of imports. */
export type DispatchHooks = {
  readonly changed: (
    dispatch: Dispatch,
    unit: Unit,
    before: ActiveState,
    flags: ChangeFlags,
  ) => void;
  readonly queue: (
    dispatch: Dispatch,
    type: JobRequest["type"],
    unit: Unit,
    mode: JobRequest["mode"],
  ) => boolean;
  readonly propagateReload: (dispatch: Dispatch, unit: Unit) => void;
};

export function createDispatch(
  state: SystemdState,
  now: Micros,
  out: Out<SystemdFact, SystemdEffect>,
  hooks: DispatchHooks,
): Dispatch {
  const dispatch: Dispatch = {
    state,
    now,
    out,
    unneeded: new Set(),
    upheld: new Set(),
    bound: new Set(),
    deferred: [],
    jobsRun: 0,
    changed: (unit, before, flags) => hooks.changed(dispatch, unit, before, flags),
    queue: (type, unit, mode) => hooks.queue(dispatch, type, unit, mode),
    propagateReload: (unit) => hooks.propagateReload(dispatch, unit),
  };
  return dispatch;
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
  "stop-watchdog": "deactivating",
  "stop-sigterm": "deactivating",
  "stop-sigkill": "deactivating",
  "stop-post": "deactivating",
  "final-watchdog": "deactivating",
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
  switch (subState(unit)) {
    case "dead":
      return "inactive";
    case "failed":
      return "failed";
    case "mounting":
    case "mounting-done":
    case "start-pre":
    case "start-chown":
    case "start-post":
      return "activating";
    case "remounting":
    case "remounting-sigterm":
    case "remounting-sigkill":
      return "reloading";
    case "unmounting":
    case "unmounting-sigterm":
    case "unmounting-sigkill":
    case "stop-pre":
    case "stop-pre-sigterm":
    case "stop-pre-sigkill":
    case "stop-post":
    case "final-sigterm":
    case "final-sigkill":
      return "deactivating";
    default:
      return "active";
  }
}

/** SubState of a unit. */
export function subState(unit: Unit): string {
  const { service, timer, path, socket, mount } = unit;
  return (service ?? timer ?? path ?? socket ?? mount)?.state ?? (unit.active ? "active" : "dead");
}

/** Result= of a unit; targets and slices cannot fail. */
export function resultOf(unit: Unit): UnitResult {
  const { service, timer, path, socket, mount } = unit;
  return (service ?? timer ?? path ?? socket ?? mount)?.result ?? "success";
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

/** Whether a unit has an edge of a kind to any other. */
export const hasEdges = (unit: Unit, kind: Dependency): boolean =>
  (unit.edges.get(kind)?.size ?? 0) > 0;

/** The units on which a unit's edges have an effect. A list: the graph may change while it is used. */
export function affected(state: SystemdState, unit: Unit, effect: Effect): Unit[] {
  const units: Unit[] = [];
  for (const kind of hashOrder(state, EFFECTS[effect])) units.push(...linked(state, unit, kind));
  return units;
}

/** The units a unit has an edge of a kind to. */
export function linked(state: SystemdState, unit: Unit, kind: Dependency): Unit[] {
  const units: Unit[] = [];
  for (const name of hashOrder(state, edges(unit, kind))) {
    const other = state.units.get(name);
    if (other !== undefined) units.push(other);
  }
  return units;
}

/** The unit that a timer, path or socket starts. */
export const triggeredUnit = (dispatch: Dispatch, unit: Unit): Unit | undefined =>
  linked(dispatch.state, unit, "triggers")[0];

export const isAfter = (unit: Unit, other: Unit) =>
  unit.edges.get("after")?.has(other.name) === true;

/** The rate limit of systemd (basic/ratelimit.c): at most `burst` in a window that begins with the first. */
export function belowLimit(
  limit: { begin: Micros | null; count: number },
  interval: Micros,
  burst: number,
  now: Micros,
): boolean {
  if (interval <= 0 || burst <= 0) return true;
  if (limit.begin === null || now - limit.begin > interval) {
    limit.begin = now;
    limit.count = 1;
    return true;
  }
  if (limit.count >= burst) return false;
  limit.count++;
  return true;
}

/** Tells of a unit whose state is not what was told last (PropertiesChanged). */
export function announce(dispatch: Dispatch, unit: Unit): void {
  const { out } = dispatch;
  const active = activeState(unit);
  const sub = subState(unit);
  const result = resultOf(unit);
  const told = active === "failed" ? `${active} ${sub} ${result}` : `${active} ${sub}`;
  if (told === unit.announced || (unit.announced === "" && told === "inactive dead")) return;
  unit.announced = told;
  out.facts.push({ kind: "systemd.unit", unit: unit.name, load: unit.load, active, sub, result });
  out.effects.push({
    kind: "unit-changed",
    status: {
      name: unit.name,
      description: unit.config.description,
      loadState: unit.load,
      activeState: active,
      subState: sub,
    },
  });
}

/** The job of a unit; null when there is none. Jobs of type nop do not count. */
export function jobOf(dispatch: Dispatch, unit: string): Job | null {
  const { units, jobs } = dispatch.state;
  return jobs.get(units.get(unit)?.job ?? 0) ?? null;
}

/** Whether a stop of the unit is queued (unit_stop_pending). */
export const isStopPending = (dispatch: Dispatch, unit: Unit) =>
  jobOf(dispatch, unit.name)?.type === "stop";
