import type { Micros } from "../kernel/index.js";
import type { JobState } from "./api-registry.js";
import type { RpcScheduled, RpcUnit, RpcUnitState } from "./grpc-calls.js";

/**
 * The registry in the memory of the engine that leads. Units and schedule come from etcd when its
 * server starts, and from then on only from what goes through it; states and heartbeats are nowhere
 * else. Source: registry/rpc/inmemory.go.
 */
export interface RpcMemory {
  units: Map<string, RpcUnit>;
  /** Machine by unit. */
  schedule: Map<string, string>;
  /** The machines that have beaten for a unit. fleet keeps a deadline with each, and never looks at it. */
  heartbeats: Map<string, Set<string>>;
  /** By unit and machine. */
  states: Map<string, Map<string, KeptState>>;
}

interface KeptState {
  readonly state: RpcUnitState;
  readonly until: Micros;
}

export function emptyMemory(): RpcMemory {
  return { units: new Map(), schedule: new Map(), heartbeats: new Map(), states: new Map() };
}

/** All units, by name. */
export function unitsOf({ units }: RpcMemory): RpcUnit[] {
  return [...units.keys()].sort().flatMap((name) => units.get(name) ?? []);
}

/** The schedule. fleet gives it in the order of a map, which nobody who asks for it depends on. */
export function scheduleOf(memory: RpcMemory): RpcScheduled[] {
  return [...memory.schedule.keys()].map((name) => scheduledUnit(memory, name));
}

/** Where a unit is; one that is nowhere is inactive. */
export function scheduledUnit(memory: RpcMemory, name: string): RpcScheduled {
  const machine = memory.schedule.get(name) ?? "";
  return { name, machine, state: currentState(memory, name, machine) };
}

/** A state or a heartbeat counts however old it is. */
function currentState({ states, heartbeats }: RpcMemory, name: string, machine: string): JobState {
  if (states.get(name)?.has(machine) !== true) return "inactive";
  return heartbeats.get(name)?.has(machine) === true ? "launched" : "loaded";
}

/** The states whose time is not over, by unit and machine. */
export function statesOf({ states }: RpcMemory, now: Micros): RpcUnitState[] {
  return [...states.keys()].sort().flatMap((name) => {
    const kept = states.get(name) ?? new Map<string, KeptState>();
    return [...kept.keys()].sort().flatMap((machine) => {
      const of = kept.get(machine);
      return of !== undefined && of.until > now ? [of.state] : [];
    });
  });
}

export function setTargetState({ units }: RpcMemory, name: string, state: JobState): void {
  const unit = units.get(name);
  if (unit !== undefined) units.set(name, { ...unit, state });
}

export function destroy({ units, schedule, heartbeats, states }: RpcMemory, name: string): void {
  for (const part of [units, schedule, heartbeats, states]) part.delete(name);
}

export function beat({ heartbeats }: RpcMemory, name: string, machine: string): void {
  const machines = heartbeats.get(name);
  if (machines === undefined) heartbeats.set(name, new Set([machine]));
  else machines.add(machine);
}

export function saveState({ states }: RpcMemory, state: RpcUnitState, until: Micros): void {
  const kept = states.get(state.name);
  const of = { state, until };
  if (kept === undefined) states.set(state.name, new Map([[state.machine, of]]));
  else kept.set(state.machine, of);
}
