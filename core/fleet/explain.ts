import { quote, toBytes } from "../go/index.js";
import {
  ableToRun,
  conflict,
  hasMetadata,
  METADATA_REASON,
  replacesOneWay,
} from "./able-to-run.js";
import { type AgentUnit, desiredUnits } from "./agent-tasks.js";
import type { FleetPicture, PicturedMachine, PicturedUnit, UnitDefect } from "./picture.js";
import { type Requirements, requirements } from "./requirements.js";
import { unitNameInfo } from "./unit-name.js";

/** Why a unit is where it is, or nowhere. */
export interface UnitExplanation {
  readonly unit: string;
  readonly global: boolean;
  /** As written in the registry; "" if it says nothing. */
  readonly desired: string;
  /** Machine it is scheduled to; "" for none, and for global units. */
  readonly machine: string;
  /** What decides, the weightiest first. */
  readonly reasons: readonly Reason[];
  /** Every live machine, by ID. */
  readonly machines: readonly MachineExplanation[];
}

export interface Reason {
  readonly code: ReasonCode;
  readonly text: string;
}

export type ReasonCode =
  | "unknown"
  | UnitDefect
  | "no-target-state"
  | "inactive"
  | "template"
  | "no-machines"
  | "machine-gone"
  | "unable"
  | "no-leader"
  | "unknown-leader"
  | "in-memory"
  | "waits"
  | "moves"
  | "agent-drops"
  | "unreported"
  | "stale-heartbeat"
  | "systemd"
  | "runs"
  | "unordered-globals";

/** What one machine has for and against the unit. */
export interface MachineExplanation {
  readonly machine: string;
  readonly address: string;
  /** Units the engine takes it to have. */
  readonly units: number;
  readonly verdict: "able" | "unable" | "replaces";
  /** The first requirement that fails, in the words of fleet; "" if none does. */
  readonly reason: string;
  /** Every unit here that conflicts with it, not only the one that a reason names. */
  readonly conflicts: readonly string[];
  /** Units here that it would take the place of, or that would take its. */
  readonly replaces: readonly string[];
  /** Units for which the machine's agent drops it: of two that conflict it keeps the alphabetically earlier. */
  readonly droppedFor: readonly string[];
}

/** A unit whose record makes sense. */
type Unit = AgentUnit;

/** Explains one unit out of a picture of its fleet. */
export function explainUnit(picture: FleetPicture, name: string): UnitExplanation {
  const pictured = picture.units.find((unit) => unit.name === name);
  const units = picture.units
    .flatMap(sound)
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const unit = units.find((one) => one.name === name);
  if (unit === undefined) {
    const reasons = [pictured === undefined ? unknownUnit(name) : defectReason(pictured)];
    const { targetState: desired = "", machine = "" } = pictured ?? {};
    return { unit: name, global: false, desired, machine, reasons, machines: [] };
  }
  const { global } = unit.requirements;
  const machines = [...picture.machines]
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .map((machine) => explainMachine(units, unit, machine));
  const reports = pictured?.reports ?? [];
  const at = global ? "" : (unit.machine ?? "");
  const reasons = [
    ...recordReasons(unit),
    ...(isInMemory(picture.engine) ? [IN_MEMORY] : []),
    ...(global ? globalReasons(units, machines) : placeReasons(picture, unit, machines, pictured)),
    ...reports.map(
      ({ reporter, load, active, sub }): Reason => ({
        code: "systemd",
        text: `systemd of ${short(reporter)} has it ${load}, ${active} (${sub})`,
      }),
    ),
  ];
  return { unit: name, global, desired: unit.targetState, machine: at, reasons, machines };
}

const IN_MEMORY: Reason = {
  code: "in-memory",
  text: "the engine has the registry in its memory (enable_grpc), and what etcd says here may not be what it knows; fleet's API tells",
};

function isInMemory(engine: FleetPicture["engine"]): boolean {
  return engine.known && engine.grpc;
}

function sound({ name, defect, file, targetState, machine }: PicturedUnit): Unit[] {
  if (defect !== null || file === null) return [];
  const demanded: Requirements = requirements(name, file);
  const at = machine === "" ? null : machine;
  return [{ name, hash: file.hash, targetState, machine: at, requirements: demanded }];
}

function unknownUnit(name: string): Reason {
  return { code: "unknown", text: `there is no unit ${name} in the registry` };
}

function defectReason({ name, defect, targetState }: PicturedUnit): Reason {
  switch (defect) {
    case "no-object":
      return {
        code: "no-object",
        text: `only a directory is left of ${name}, such as a late heartbeat makes after the unit was destroyed`,
      };
    case "no-file":
      return {
        code: "no-file",
        text: `the registry has no readable file for ${name}: engine and agents do not see the unit`,
      };
    case "unknown-state":
      return {
        code: "unknown-state",
        text: `target state ${quote(toBytes(targetState))} is none that fleet knows: the unit is missing from lists, and the API can neither change nor destroy it; write target-state in etcd`,
      };
    default:
      return {
        code: "unreadable",
        text: "the API answers an internal error for it: its target state is unknown to fleet, or its file is missing; look into etcd with --etcd",
      };
  }
}

function recordReasons({ name, targetState }: Unit): Reason[] {
  const reasons: Reason[] = [];
  if (targetState === "inactive") {
    reasons.push({ code: "inactive", text: "target state inactive: nobody wants it to run" });
  }
  if (targetState === "") {
    reasons.push({
      code: "no-target-state",
      text: "no target state: its creation stopped half-way; the engine schedules it, agents load it and leave it",
    });
  }
  if (targetState !== "inactive" && unitNameInfo(name)?.isTemplate === true) {
    reasons.push({
      code: "template",
      text: "a template: systemd cannot load it, and an agent that fails to load a unit leaves later ones alone",
    });
  }
  return reasons;
}

function placeReasons(
  { machines: live, engine }: FleetPicture,
  unit: Unit,
  machines: readonly MachineExplanation[],
  pictured: PicturedUnit | undefined,
): Reason[] {
  const reasons: Reason[] = [];
  const engineReasons = (): void => {
    if (!engine.known) {
      reasons.push({
        code: "unknown-leader",
        text: "whether an engine leads is not told by the API; --etcd tells",
      });
    } else if (engine.machine === null) {
      reasons.push({ code: "no-leader", text: "no engine leads: nothing is scheduled" });
    } else if (!live.some(({ id }) => id === engine.machine)) {
      reasons.push({
        code: "no-leader",
        text: `the lease of the engine is ${short(engine.machine)}'s, whose presence has expired${engine.grpc ? "; with gRPC it lasts for days, and nobody else leads before that machine is back" : ""}`,
      });
    }
  };
  if (unit.machine === null) {
    if (unit.targetState === "inactive") return [];
    if (machines.length === 0) {
      reasons.push({ code: "no-machines", text: "no machine is present" });
      return reasons;
    }
    const able = machines.filter(({ verdict }) => verdict !== "unable");
    const [first] = [...able].sort((left, right) => left.units - right.units);
    engineReasons();
    reasons.push(
      first === undefined
        ? { code: "unable", text: `no machine of ${machines.length} can run it` }
        : {
            code: "waits",
            text: `it waits for the engine's next pass, which should choose ${short(first.machine)}`,
          },
    );
    return reasons;
  }
  const here = machines.find(({ machine }) => machine === unit.machine);
  if (here === undefined) {
    engineReasons();
    reasons.push({
      code: "machine-gone",
      text: `it is scheduled to ${short(unit.machine)}, whose presence has expired: the engine's next pass unschedules it`,
    });
    return reasons;
  }
  if (unit.targetState === "inactive" || here.verdict !== "able") {
    engineReasons();
    reasons.push({
      code: "moves",
      text: `the engine's next pass takes it off ${short(unit.machine)}: ${here.reason || "target state inactive"}`,
    });
  } else {
    reasons.push({
      code: "runs",
      text: `it is scheduled to ${short(unit.machine)}, which can run it`,
    });
  }
  if (here.droppedFor.length > 0) {
    reasons.push({
      code: "agent-drops",
      text: `the agent there drops it for ${here.droppedFor.join(", ")}, which conflicts and comes first by name`,
    });
  }
  // Who loads and beats is then known to the engine alone.
  if (isInMemory(engine)) return reasons;
  if (pictured?.reports.some(({ reporter }) => reporter === unit.machine) !== true) {
    reasons.push({
      code: "unreported",
      text: "its machine has reported nothing on it: the agent has not loaded it, or fails at an earlier unit in each pass",
    });
  }
  if (unit.targetState === "launched" && pictured?.launched !== true) {
    reasons.push({
      code: "stale-heartbeat",
      text: "its machine does not beat for it: the agent has not started it, or its last heartbeat has expired",
    });
  }
  return reasons;
}

function globalReasons(units: readonly Unit[], machines: readonly MachineExplanation[]): Reason[] {
  const reasons: Reason[] = [];
  if (machines.length === 0) reasons.push({ code: "no-machines", text: "no machine is present" });
  const runs = machines.filter(({ verdict }) => verdict === "able").length;
  if (machines.length > 0) {
    const code = runs === 0 ? "unable" : "runs";
    const text = `a global unit: the agents of ${runs} of ${machines.length} machines take it, without the engine`;
    reasons.push({ code, text });
  }
  const globals = units.filter(({ requirements: { global } }) => global);
  if (globals.some((left) => globals.some((right) => conflict(left, right)))) {
    reasons.push({
      code: "unordered-globals",
      text: "global units conflict with each other: agents keep the alphabetically earlier, the engine reckons with whichever its map has first",
    });
  }
  return reasons;
}

function explainMachine(
  units: readonly Unit[],
  unit: Unit,
  machine: PicturedMachine,
): MachineExplanation {
  const placed = placedOn(units, machine);
  const here = unit.machine === machine.id;
  const { global, metadata } = unit.requirements;
  const others = placed.filter(({ name }) => name !== unit.name);
  const droppedFor = global || here ? agentConflicts(units, unit, machine) : [];
  const about = {
    machine: machine.id,
    address: machine.publicIp,
    units: placed.length,
    conflicts: others.filter((other) => conflict(unit, other)).map(({ name }) => name),
    replaces: others.filter((other) => replacesOneWay(unit, other)).map(({ name }) => name),
    droppedFor,
  };
  if (global) {
    // No engine decides about a global unit.
    if (!hasMetadata(machine, metadata)) {
      return { ...about, verdict: "unable", reason: METADATA_REASON };
    }
    if (droppedFor.length > 0) {
      return { ...about, verdict: "unable", reason: "dropped by the agent" };
    }
    return { ...about, verdict: "able", reason: "" };
  }
  const verdict = ableToRun(unit, machine, placed);
  if (verdict.action === "schedule") return { ...about, verdict: "able", reason: "" };
  const [reason = ""] = verdict.reasons;
  const how = verdict.action === "reschedule" ? "replaces" : "unable";
  return { ...about, verdict: how, reason };
}

/** What the engine takes a machine to have: its jobs that are not inactive, then the globals that fit. */
function placedOn(units: readonly Unit[], machine: PicturedMachine): Unit[] {
  const placed = units.filter(
    ({ machine: at, targetState, requirements: { global } }) =>
      !global && at === machine.id && targetState !== "inactive",
  );
  for (const unit of units) {
    if (!unit.requirements.global || !hasMetadata(machine, unit.requirements.metadata)) continue;
    if (!placed.some((other) => conflict(unit, other))) placed.push(unit);
  }
  return placed;
}

/** The units that the machine's agent keeps and that keep it from keeping this one. */
function agentConflicts(units: readonly Unit[], unit: Unit, machine: PicturedMachine): string[] {
  const kept = desiredUnits(machine, units);
  if (kept.some(({ name }) => name === unit.name)) return [];
  return kept.filter((other) => conflict(unit, other)).map(({ name }) => name);
}

function short(machine: string): string {
  return `${machine.slice(0, 8)}...`;
}
