import type { Assignment, Values } from "./reader.js";
import type { SystemdState } from "./state.js";
import { parseEnvironmentFile } from "./value.js";

/** The environment of a unit's processes as its file has it (systemd.exec(5)). */
export interface EnvironmentConfig {
  /** Environment=, later ones first to be looked up. */
  readonly environment: readonly (readonly [string, string])[];
  readonly environmentFiles: readonly { readonly path: string; readonly optional: boolean }[];
}

/** Settings that are still read: their lists grow in place. */
export interface EnvironmentDraft {
  environment: (readonly [string, string])[];
  environmentFiles: { readonly path: string; readonly optional: boolean }[];
}

/** Reads a setting of the environment; false when it is none. */
export function readEnvironment(draft: EnvironmentDraft, at: Assignment, values: Values): boolean {
  if (at.key === "Environment") {
    if (at.value === "") {
      draft.environment = [];
      return true;
    }
    for (const word of values.words(at) ?? []) {
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(word);
      if (match === null) values.ignore(at);
      else draft.environment.push([match[1] ?? "", match[2] ?? ""]);
    }
    return true;
  }
  if (at.key !== "EnvironmentFile") return false;
  if (at.value === "") {
    draft.environmentFiles = [];
    return true;
  }
  const text = values.text(at);
  const optional = text.startsWith("-");
  const path = optional ? text.slice(1) : text;
  if (!path.startsWith("/")) values.ignore(at);
  else draft.environmentFiles.push({ path, optional });
  return true;
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What every process of a unit is given; null when a file that is not optional is missing. */
export function environmentOf(
  state: SystemdState,
  { environment: own, environmentFiles }: EnvironmentConfig,
): Record<string, string> | null {
  const environment: Record<string, string> = { PATH };
  for (const [name, value] of own) environment[name] = value;
  for (const { path, optional } of environmentFiles) {
    const text = state.files.get(path);
    if (text === undefined && !optional) return null;
    for (const [name, value] of parseEnvironmentFile(text ?? "")) environment[name] = value;
  }
  return environment;
}
