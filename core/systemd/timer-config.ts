import type { Micros } from "../kernel/index.js";
import { parseUnitName, type UnitName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** What a monotonic timer counts from. */
export type TimerBase =
  | "OnActiveSec"
  | "OnBootSec"
  | "OnStartupSec"
  | "OnUnitActiveSec"
  | "OnUnitInactiveSec";

/** The [Timer] section, without calendar events: the model has no calendar. */
export interface TimerConfig {
  readonly unit: string;
  readonly specs: readonly { readonly base: TimerBase; readonly delay: Micros }[];
}

export function zeroTimer(name: UnitName): TimerConfig {
  return { unit: name.name.replace(/\.timer$/, ".service"), specs: [] };
}

const BASES: readonly TimerBase[] = [
  "OnActiveSec",
  "OnBootSec",
  "OnStartupSec",
  "OnUnitActiveSec",
  "OnUnitInactiveSec",
];

export function readTimer(
  before: TimerConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): TimerConfig {
  let { unit, specs } = before;
  for (const at of assignments) {
    const base = BASES.find((candidate) => candidate === at.key);
    if (base !== undefined) {
      // An empty assignment clears every base, not only its own.
      if (at.value === "") specs = [];
      else specs = [...specs, { base, delay: values.span(at, 0) }];
    } else if (at.key === "Unit") {
      const text = values.text(at);
      if (parseUnitName(text) !== null) unit = text;
      else values.ignore(at);
    } else if (at.key !== "AccuracySec" && at.key !== "Persistent") {
      reader.unsupported.push(`${at.key}=`);
    }
  }
  return { unit, specs };
}
