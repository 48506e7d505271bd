import type { JobMode } from "./client.js";
import { activeState, type Dispatch } from "./context.js";
import { collapseType, type RequestedJobType } from "./job.js";
import type { Unit } from "./state.js";
import { Refused, Transaction } from "./transaction.js";

/** The id of the job that was queued, or why none was: a D-Bus error name and its text. */
export type TransactionResult =
  | { readonly ok: true; readonly job: number }
  | { readonly ok: false; readonly error: string; readonly message: string };

const ERROR = "org.freedesktop.systemd1";

/** Queues a job with everything it entails (manager_add_job). */
export function addJob(
  dispatch: Dispatch,
  type: RequestedJobType,
  unit: Unit,
  mode: JobMode,
): TransactionResult {
  const refused = modeRefusal(type, unit, mode);
  if (refused !== null) return refused;
  const transaction = new Transaction(dispatch);
  const ignoreOrder = mode === "ignore-dependencies";
  const flags = { ignoreRequirements: ignoreOrder || mode === "ignore-requirements", ignoreOrder };
  try {
    const plain = collapseType(type, activeState(unit));
    transaction.add(plain, unit, null, { matters: true, conflicts: false }, flags);
    if (mode === "isolate") transaction.addIsolation();
    if (mode === "triggering") transaction.addTriggering(unit);
    return { ok: true, job: transaction.activate(mode, mode === "replace-irreversibly") };
  } catch (refusal) {
    if (!(refusal instanceof Refused)) throw refusal;
    return { ok: false, error: refusal.error, message: refusal.message };
  }
}

/**
 * Queues the reloads that a reload of the unit is passed on to, where nothing else is queued
 * (manager_propagate_reload). What cannot be queued is left out.
 */
export function addReloads(dispatch: Dispatch, unit: Unit): void {
  const transaction = new Transaction(dispatch);
  try {
    transaction.addReloads(unit);
  } catch (refusal) {
    if (!(refusal instanceof Refused)) throw refusal;
  }
}

function modeRefusal(type: RequestedJobType, unit: Unit, mode: JobMode): TransactionResult | null {
  const invalid = "org.freedesktop.DBus.Error.InvalidArgs";
  if (mode === "isolate" && type !== "start") {
    return { ok: false, error: invalid, message: "Isolate is only valid for start." };
  }
  if (mode === "isolate" && !unit.config.allowIsolate) {
    const message = "Operation refused, unit may not be isolated.";
    return { ok: false, error: `${ERROR}.NoIsolation`, message };
  }
  if (mode === "triggering" && type !== "stop") {
    const message = "--job-mode=triggering is only valid for stop.";
    return { ok: false, error: invalid, message };
  }
  return null;
}
