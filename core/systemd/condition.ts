import type { Condition } from "./condition-config.js";
import type { Dispatch } from "./context.js";
import { directoryHasEntries, isDirectory, pathExists, pathMatches } from "./files.js";
import type { Unit } from "./state.js";

/** Conditions hold when all plain ones do, and one of those marked `|` if there are any. */
export function conditionsHold(dispatch: Dispatch, unit: Unit, assert: boolean): boolean {
  let triggers = 0;
  let triggered = false;
  for (const condition of unit.config.conditions) {
    if (condition.assert !== assert) continue;
    const holds = isTrue(dispatch, condition) !== condition.negated;
    if (condition.trigger) {
      triggers++;
      triggered ||= holds;
    } else if (!holds) return false;
  }
  return triggers === 0 || triggered;
}

function isTrue({ state }: Dispatch, { kind, path }: Condition): boolean {
  switch (kind) {
    case "PathExists":
      return pathExists(state, path);
    case "PathExistsGlob":
      return pathMatches(state, path);
    case "PathIsDirectory":
      return isDirectory(state, path);
    case "DirectoryNotEmpty":
      return directoryHasEntries(state, path);
    case "FileNotEmpty":
      return (state.files.get(path)?.length ?? 0) > 0;
  }
}
