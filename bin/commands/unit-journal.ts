import type { LogRecord, Micros } from "../../core/kernel/index.js";
import type { Simulation } from "../../sim/index.js";

/** What systemd of a simulated machine has said of a unit. Programs themselves say nothing there. */
export interface JournalEntry {
  /** Counts up over all that one journal holds. */
  readonly cursor: number;
  /** The machine's clock, µs since 1970. */
  readonly at: Micros;
  readonly host: string;
  readonly unit: string;
  /** How often the machine had booted. */
  readonly boot: number;
  readonly message: string;
}

/** Entries that are kept of one unit of one machine; the oldest go. */
const ENTRIES_MAX = 1_000;

/** The journals of simulated machines, as far as their units' states and jobs tell: made of a run's facts. */
export class UnitJournal {
  readonly #clockOf: (host: string) => Micros;
  readonly #entries = new Map<string, JournalEntry[]>();
  readonly #boots = new Map<string, number>();
  /** Units that wait to be restarted. */
  readonly #restarting = new Set<string>();
  #cursor = 0;

  /** @param clockOf - what a machine's clock shows now */
  constructor(clockOf: (host: string) => Micros) {
    this.#clockOf = clockOf;
  }

  /** Looks at the next fact of the run. */
  note({ host, kind, data }: LogRecord): void {
    if (kind === "host.up") this.#boots.set(host, (this.#boots.get(host) ?? 0) + 1);
    const unit = text(data, "unit");
    const key = `${host} ${unit}`;
    const waited = this.#restarting.has(key);
    if (kind === "systemd.unit") {
      if (text(data, "sub") === "auto-restart") this.#restarting.add(key);
      else this.#restarting.delete(key);
    }
    const message =
      kind === "systemd.unit"
        ? ofState(unit, text(data, "active"), text(data, "sub"), text(data, "result"), waited)
        : kind === "systemd.job"
          ? ofJob(unit, text(data, "job"), text(data, "result"))
          : null;
    if (message === null || unit === "") return;
    const entries = this.#entries.get(key) ?? [];
    this.#entries.set(key, entries);
    const boot = this.#boots.get(host) ?? 1;
    entries.push({ cursor: ++this.#cursor, at: this.#clockOf(host), host, unit, boot, message });
    if (entries.length > ENTRIES_MAX) entries.shift();
  }

  /** What there is of a unit on a host, the oldest first. */
  of(host: string, unit: string): readonly JournalEntry[] {
    return this.#entries.get(`${host} ${unit}`) ?? [];
  }
}

/** What a machine's clock shows at this point of a run, µs since 1970. */
export function clockOf(simulation: Simulation, host: string): Micros {
  return simulation.clocks[simulation.nodeNamed(host)]?.read(simulation.at) ?? simulation.at;
}

/** systemd's words, as of version 252, for what a state says beyond the end of a job. */
function ofState(
  unit: string,
  active: string,
  sub: string,
  result: string,
  waited: boolean,
): string | null {
  switch (active) {
    case "activating":
      if (sub === "auto-restart") return `${unit}: Scheduled restart job.`;
      return sub === "start-post" ? null : `Starting ${unit}...`;
    case "deactivating":
      return sub.startsWith("stop-") ? null : `Stopping ${unit}...`;
    case "failed":
      return `${unit}: Failed with result '${result}'.`;
    case "inactive":
      // The job that restarts a unit stops what is not running any more.
      return waited ? `Stopped ${unit}.` : `${unit}: Deactivated successfully.`;
    default:
      return null;
  }
}

function ofJob(unit: string, job: string, result: string): string | null {
  switch (`${job} ${result}`) {
    case "start done":
    case "restart done":
      return `Started ${unit}.`;
    case "stop done":
      return `Stopped ${unit}.`;
    case "reload done":
      return `Reloaded ${unit}.`;
    case "start dependency":
      return `Dependency failed for ${unit}.`;
    case "start failed":
    case "start timeout":
    case "restart failed":
      return `Failed to start ${unit}.`;
    default:
      return null;
  }
}

function text(data: unknown, name: string): string {
  if (data === null || typeof data !== "object") return "";
  const value: unknown = Object.entries(data).find(([key]) => key === name)?.[1];
  return typeof value === "string" ? value : "";
}
