import type { Micros } from "../kernel/index.js";
import { type CalendarSpec, isUtc, parseCalendar } from "./calendar.js";
import { parseUnitName, type UnitName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** What a monotonic timer counts from. */
export type TimerBase =
  | "OnActiveSec"
  | "OnBootSec"
  | "OnStartupSec"
  | "OnUnitActiveSec"
  | "OnUnitInactiveSec";

/** One of the settings that say when a timer elapses. */
export type TimerSpec =
  | { readonly base: TimerBase; readonly delay: Micros }
  | { readonly base: "OnCalendar"; readonly calendar: CalendarSpec };

/** The [Timer] section. */
export interface TimerConfig {
  readonly unit: string;
  readonly specs: readonly TimerSpec[];
  /** The clock being set starts the unit. */
  readonly onClockChange: boolean;
  /** The time zone being set would start the unit; no host here does that. */
  readonly onTimezoneChange: boolean;
  /** When it elapsed last outlives a boot. */
  readonly persistent: boolean;
  readonly remainAfterElapse: boolean;
}

export function zeroTimer(name: UnitName): TimerConfig {
  return {
    unit: name.name.replace(/\.timer$/, ".service"),
    specs: [],
    onClockChange: false,
    onTimezoneChange: false,
    persistent: false,
    remainAfterElapse: true,
  };
}

const BASES: readonly TimerBase[] = [
  "OnActiveSec",
  "OnBootSec",
  "OnStartupSec",
  "OnUnitActiveSec",
  "OnUnitInactiveSec",
];

/** Without effect on a model whose timers are never late and whose hosts never sleep. */
const HARMLESS: ReadonlySet<string> = new Set(["AccuracySec", "FixedRandomDelay", "WakeSystem"]);

/** Reads a [Timer] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readTimer(
  before: TimerConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { timer: TimerConfig; bad: string } {
  let { unit, onClockChange, onTimezoneChange, persistent, remainAfterElapse } = before;
  const specs = [...before.specs];
  for (const at of assignments) {
    const base = BASES.find((candidate) => candidate === at.key);
    if (base !== undefined || at.key === "OnCalendar") {
      // An empty assignment clears every base, not only its own.
      if (at.value === "") specs.length = 0;
      else {
        const spec =
          base === undefined ? readCalendar(at, values, reader) : readSpan(at, base, values);
        if (spec !== null) specs.push(spec);
      }
    } else if (at.key === "Unit") {
      const text = values.text(at);
      if (parseUnitName(text) !== null && text !== reader.name.name) unit = text;
      else values.ignore(at);
    } else if (at.key === "RemainAfterElapse") {
      remainAfterElapse = values.boolean(at, remainAfterElapse);
    } else if (at.key === "Persistent") persistent = values.boolean(at, persistent);
    else if (at.key === "OnClockChange") onClockChange = values.boolean(at, onClockChange);
    else if (at.key === "OnTimezoneChange") onTimezoneChange = values.boolean(at, onTimezoneChange);
    else if (!HARMLESS.has(at.key)) reader.unsupported.push(`${at.key}=`);
  }
  const ever = specs.length > 0 || onClockChange || onTimezoneChange;
  const timer = { unit, specs, onClockChange, onTimezoneChange, persistent, remainAfterElapse };
  return { timer, bad: ever ? "" : "Timer unit lacks value setting." };
}

function readSpan(at: Assignment, base: TimerBase, values: Values): TimerSpec | null {
  const delay = values.span(at, -1);
  return delay < 0 ? null : { base, delay };
}

function readCalendar(at: Assignment, values: Values, reader: Reader): TimerSpec | null {
  const calendar = parseCalendar(values.text(at));
  if (calendar === null) values.ignore(at);
  else if (!isUtc(calendar))
    reader.unsupported.push(`OnCalendar= in the time zone ${calendar.zone}`);
  return calendar === null ? null : { base: "OnCalendar", calendar };
}
