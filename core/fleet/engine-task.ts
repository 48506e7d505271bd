import type { MachineState, NamedUnit } from "./able-to-run.js";

/** A unit that the engine schedules: any unit that is not global. */
export interface EngineJob extends NamedUnit {
  /** `inactive`, `loaded`, `launched`, or "" while the registry has none yet. */
  readonly targetState: string;
  /** ID of the machine it is scheduled to, null if it is not. */
  readonly machine: string | null;
}

/** What one pass of the engine sees. Names of jobs and globals, and IDs of machines, are unique. */
export interface ClusterState {
  readonly jobs: readonly EngineJob[];
  /** Their own target state does not matter to the engine. */
  readonly globals: readonly NamedUnit[];
  readonly machines: readonly MachineState[];
}

export interface EngineTask {
  readonly type: "UnscheduleUnit" | "AttemptScheduleUnit";
  readonly unit: string;
  readonly machine: string;
  readonly reason: string;
}

export const INACTIVE_REASON = "target state inactive";

export function goneReason(machine: string): string {
  return `target Machine(${machine}) went away`;
}

export function unableReason(machine: string, why: string): string {
  return `target Machine(${machine}) unable to run unit: ${why}`;
}

export function unscheduledReason(targetState: string): string {
  return `target state ${targetState} and unit not scheduled`;
}
