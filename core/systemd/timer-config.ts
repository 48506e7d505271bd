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
  /** OnCalendar=, OnClockChange= or OnTimezoneChange= is set, which the model does not act on. */
  readonly calendar: boolean;
  readonly remainAfterElapse: boolean;
}

export function zeroTimer(name: UnitName): TimerConfig {
  const unit = name.name.replace(/\.timer$/, ".service");
  return { unit, specs: [], calendar: false, remainAfterElapse: true };
}

const BASES: readonly TimerBase[] = [
  "OnActiveSec",
  "OnBootSec",
  "OnStartupSec",
  "OnUnitActiveSec",
  "OnUnitInactiveSec",
];

/** Without effect on what a model without a calendar does. */
const HARMLESS: ReadonlySet<string> = new Set([
  "AccuracySec",
  "Persistent",
  "FixedRandomDelay",
  "WakeSystem",
]);

const CALENDAR: ReadonlySet<string> = new Set(["OnCalendar", "OnClockChange", "OnTimezoneChange"]);

/** Reads a [Timer] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readTimer(
  before: TimerConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { timer: TimerConfig; bad: string } {
  let { unit, calendar, remainAfterElapse } = before;
  const specs = [...before.specs];
  for (const at of assignments) {
    const base = BASES.find((candidate) => candidate === at.key);
    if (base !== undefined) {
      // An empty assignment clears every base, not only its own.
      if (at.value === "") specs.length = 0;
      else {
        const delay = values.span(at, -1);
        if (delay >= 0) specs.push({ base, delay });
      }
    } else if (at.key === "Unit") {
      const text = values.text(at);
      if (parseUnitName(text) !== null && text !== reader.name.name) unit = text;
      else values.ignore(at);
    } else if (at.key === "RemainAfterElapse") {
      remainAfterElapse = values.boolean(at, remainAfterElapse);
    } else if (CALENDAR.has(at.key)) {
      calendar = at.value !== "";
      if (calendar) reader.unsupported.push(`${at.key}=`);
    } else if (!HARMLESS.has(at.key)) reader.unsupported.push(`${at.key}=`);
  }
  const bad = specs.length === 0 && !calendar ? "Timer unit lacks value setting." : "";
  return { timer: { unit, specs, calendar, remainAfterElapse }, bad };
}
