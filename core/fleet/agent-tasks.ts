import { conflict, hasMetadata, type MachineState, type NamedUnit } from "./able-to-run.js";
import type { AgentTaskType } from "./events.js";

/** A unit as the registry has it, seen by an agent. */
export interface AgentUnit extends NamedUnit {
  /** SHA-1 of its unit file. */
  readonly hash: string;
  /** `inactive`, `loaded`, `launched`, or "" while the registry has none yet. */
  readonly targetState: string;
  /** The machine it is scheduled to, null if none. */
  readonly machine: string | null;
}

/** A unit file in the agent's directory; `inactive` until the agent itself has loaded it. */
export interface CurrentUnit {
  readonly state: "inactive" | "loaded" | "launched";
  readonly hash: string;
}

export interface AgentTask {
  readonly type: AgentTaskType;
  /** "" for ReloadUnitFiles. */
  readonly unit: string;
  readonly reason: string;
}

/** The order in which kinds of tasks are carried out (agent/task.go). */
const KINDS: readonly AgentTaskType[] = [
  "UnloadUnit",
  "LoadUnit",
  "ReloadUnitFiles",
  "StopUnit",
  "StartUnit",
];

/**
 * The units an agent wants on its machine: those scheduled to it and the globals that fit, by
 * name. Of two that conflict the alphabetically later one is dropped, a rule the engine does not
 * know. Target states do not matter here.
 */
export function desiredUnits<Unit extends AgentUnit>(
  machine: MachineState,
  units: readonly Unit[],
): Unit[] {
  const wanted = units.filter(({ requirements, machine: target }) =>
    requirements.global
      ? hasMetadata(machine, requirements.metadata)
      : target !== null && target !== "" && target === machine.id,
  );
  wanted.sort((left, right) => (left.name < right.name ? -1 : 1));
  const accepted: Unit[] = [];
  const repelling: Unit[] = [];
  for (const unit of wanted) {
    const others = unit.requirements.conflicts.length > 0 ? accepted : repelling;
    if (others.some((other) => conflict(unit, other))) continue;
    accepted.push(unit);
    if (unit.requirements.conflicts.length > 0) repelling.push(unit);
  }
  return accepted;
}

/** What takes an agent from its current units to the desired ones, in the order it is done. */
export function agentTasks(
  desired: readonly AgentUnit[],
  current: ReadonlyMap<string, CurrentUnit>,
): AgentTask[] {
  const wanted = new Map(desired.map((unit) => [unit.name, unit]));
  const tasks: AgentTask[] = [];
  for (const name of [...new Set([...wanted.keys(), ...current.keys()])].sort()) {
    for (const [type, reason] of unitTasks(wanted.get(name), current.get(name))) {
      tasks.push({ type, unit: name, reason });
    }
  }
  if (tasks.some(({ type }) => type === "UnloadUnit" || type === "LoadUnit")) {
    tasks.push({ type: "ReloadUnitFiles", unit: "", reason: "always reload unit files" });
  }
  return tasks.sort((left, right) => KINDS.indexOf(left.type) - KINDS.indexOf(right.type));
}

const NOT_SCHEDULED = "unit loaded but not scheduled here";
const HASH_DIFFERS = "unit loaded but hash differs to expected";
const NOT_LOADED = "unit scheduled here but not loaded";
const TO_LAUNCH = "unit currently loaded but desired state is launched";
const TO_STOP = "unit currently launched but desired state is loaded";

function unitTasks(
  desired: AgentUnit | undefined,
  current: CurrentUnit | undefined,
): [AgentTaskType, string][] {
  if (desired === undefined || desired.targetState === "inactive") {
    return current === undefined ? [] : [["UnloadUnit", NOT_SCHEDULED]];
  }
  const start: [AgentTaskType, string][] =
    desired.targetState === "launched" ? [["StartUnit", TO_LAUNCH]] : [];
  if (current === undefined) return [["LoadUnit", NOT_LOADED], ...start];
  if (current.hash !== desired.hash) {
    return [["UnloadUnit", HASH_DIFFERS], ["LoadUnit", NOT_LOADED], ...start];
  }
  switch (current.state) {
    case "inactive":
      return [["LoadUnit", NOT_LOADED], ...start];
    case "loaded":
      return start;
    case "launched":
      return desired.targetState === "loaded" ? [["StopUnit", TO_STOP]] : [];
  }
}
