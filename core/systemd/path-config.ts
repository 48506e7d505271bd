import type { Micros } from "../kernel/index.js";
import { parseUnitName, type UnitName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

export const PATH_KINDS = [
  "PathExists",
  "PathExistsGlob",
  "PathChanged",
  "PathModified",
  "DirectoryNotEmpty",
] as const;

/** A path that is watched, and for what. */
export interface PathSpec {
  readonly kind: (typeof PATH_KINDS)[number];
  readonly path: string;
}

/** The [Path] section. */
export interface PathConfig {
  readonly unit: string;
  readonly specs: readonly PathSpec[];
  readonly triggerInterval: Micros;
  readonly triggerBurst: number;
}

export function zeroPath(name: UnitName): PathConfig {
  const unit = name.name.replace(/\.path$/, ".service");
  return { unit, specs: [], triggerInterval: 2_000_000, triggerBurst: 200 };
}

/** Reads a [Path] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readPath(
  before: PathConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { path: PathConfig; bad: string } {
  let { unit, triggerInterval, triggerBurst } = before;
  const specs = [...before.specs];
  for (const at of assignments) {
    const kind = PATH_KINDS.find((candidate) => candidate === at.key);
    if (kind !== undefined) {
      // An empty assignment clears every path, not only those of its kind.
      const path = values.text(at);
      if (at.value === "") specs.length = 0;
      else if (path.startsWith("/")) specs.push({ kind, path: simplify(path) });
      else values.ignore(at);
    } else if (at.key === "Unit") {
      const text = values.text(at);
      if (parseUnitName(text) !== null && text !== reader.name.name) unit = text;
      else values.ignore(at);
    } else if (at.key === "TriggerLimitIntervalSec") {
      triggerInterval = values.span(at, triggerInterval);
    } else if (at.key === "TriggerLimitBurst") triggerBurst = values.count(at, triggerBurst);
    else if (at.key !== "MakeDirectory" && at.key !== "DirectoryMode") {
      reader.unsupported.push(`${at.key}=`);
    }
  }
  const bad = specs.length === 0 ? "Path unit lacks path setting." : "";
  return { path: { unit, specs, triggerInterval, triggerBurst }, bad };
}

const simplify = (path: string) => path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
