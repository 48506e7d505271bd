import type { Dispatch } from "./context.js";
import type { Assignment, Values } from "./reader.js";
import type { Unit } from "./state.js";

/** What a unit can have done to its host (parse_emergency_action). */
export const EMERGENCY_ACTIONS = [
  "none",
  "reboot",
  "reboot-force",
  "reboot-immediate",
  "poweroff",
  "poweroff-force",
  "poweroff-immediate",
  "exit",
  "exit-force",
] as const;

export type EmergencyAction = (typeof EMERGENCY_ACTIONS)[number];

/** The settings that say so, each for a case of its own. */
const ACTION_KEYS = [
  "FailureAction",
  "SuccessAction",
  "StartLimitAction",
  "JobTimeoutAction",
] as const;

export type ActionKey = (typeof ACTION_KEYS)[number];

/** What each setting says; absent: nothing is done. */
export type EmergencyActions = Readonly<Partial<Record<ActionKey, EmergencyAction>>>;

/**
 * A unit wants the host to go down. `reboot` and `poweroff` are in order; by force every process is killed
 * and disks are synced; `immediate` loses what is not synced. On a host `exit` is `poweroff`.
 */
export interface HostAction {
  readonly kind: "host-action";
  readonly action: Exclude<EmergencyAction, "none">;
  readonly unit: string;
  readonly by: ActionKey;
}

/** Has done what the unit says for this case (emergency_action). */
export function emergencyAction({ out }: Dispatch, unit: Unit, by: ActionKey): void {
  const action = unit.config.actions?.[by] ?? "none";
  if (action !== "none") out.effects.push({ kind: "host-action", action, unit: unit.name, by });
}

/** Reads one of the settings; false when it is none. */
export function readAction(
  unit: { actions?: EmergencyActions },
  at: Assignment,
  values: Values,
): boolean {
  const key = ACTION_KEYS.find((candidate) => candidate === at.key);
  if (key === undefined) return false;
  const before = unit.actions?.[key] ?? "none";
  unit.actions = { ...unit.actions, [key]: values.oneOf(at, EMERGENCY_ACTIONS, before) };
  return true;
}
