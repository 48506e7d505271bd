import { discoveryRegistry } from "../../core/discovery/index.js";
import { fleetd } from "../../core/fleet/index.js";
import type { LogHeader, LogRecord, Machine, Micros } from "../../core/kernel/index.js";
import { observer } from "../../core/observe/index.js";
import { link } from "../drive/link.js";
import { type Kinded, type Told, tell, untell, WORLD_CREATED, WORLD_STARTED } from "./record.js";

/** A machine as a recording meets it: its parts come from JSON. */
type RecordedMachine = Machine<unknown, unknown, Kinded, Kinded, Kinded>;

/** The machines that recordings of `observe`, `drive` and `discovery` hold, by name. */
export const LIVE_MACHINES: ReadonlyMap<string, RecordedMachine> = new Map<string, RecordedMachine>(
  [
    [observer.name, observer],
    [fleetd.name, fleetd],
    [link.name, link],
    [discoveryRegistry.name, discoveryRegistry],
  ],
);

/** Where a recording and its machines part: the first place only. */
export interface Divergence {
  /** `seq` of the record that does not fit. */
  readonly seq: number;
  readonly at: Micros;
  readonly host: string;
  /** `seq` of the stimulus whose outcome it is; null when the record is no outcome. */
  readonly cause: number | null;
  /** What the log holds there. */
  readonly recorded: string;
  /** What the machine says instead, or what is wrong. */
  readonly derived: string;
}

export interface RederiveCounts {
  readonly stimuli: number;
  readonly facts: number;
  readonly effects: number;
}

export type Rederived =
  | ({ readonly ok: true } & RederiveCounts)
  | ({ readonly ok: false; readonly divergence: Divergence } & RederiveCounts);

interface Recorded {
  readonly machine: RecordedMachine;
  readonly state: unknown;
}

/**
 * The third world: hands the stimuli of a recording to fresh machines, record by record, and
 * demands the same facts and effects in the same order, caused by the same stimulus.
 */
export class Rederiver {
  readonly #machines: ReadonlyMap<string, RecordedMachine>;
  readonly #seats = new Map<string, Recorded>();
  #pending: Told[] = [];
  #next = 0;
  #stimulus: LogRecord | null = null;
  #counts = { stimuli: 0, facts: 0, effects: 0 };

  constructor(machines: ReadonlyMap<string, RecordedMachine> = LIVE_MACHINES) {
    this.#machines = machines;
  }

  /** Records taken so far. */
  get counts(): RederiveCounts {
    return { ...this.#counts };
  }

  /** The state of a machine as of the last record; undefined when there is no such machine. */
  state(host: string, machine: string): unknown {
    return this.#seats.get(seatId(host, machine))?.state;
  }

  /** Outcomes of the last stimulus that no record has told yet: a kill came in between. */
  get untold(): { readonly cause: LogRecord; readonly outcomes: readonly Told[] } | null {
    const outcomes = this.#pending.slice(this.#next);
    return this.#stimulus === null || outcomes.length === 0
      ? null
      : { cause: this.#stimulus, outcomes };
  }

  /** Takes the next record; the divergence, or null when it fits. */
  push(record: LogRecord): Divergence | null {
    switch (record.type) {
      case "stimulus":
        return this.#takeStimulus(record);
      case "fact":
        this.#counts.facts++;
        return this.#takeOutcome(record);
      case "effect":
        this.#counts.effects++;
        return this.#takeOutcome(record);
      case "end":
        return this.#missing(record);
      case "checkpoint":
        return null;
    }
  }

  #takeStimulus(record: LogRecord): Divergence | null {
    this.#counts.stimuli++;
    // A killed program leaves the last outcomes unwritten; its successor begins like this.
    if (record.kind === WORLD_STARTED) {
      this.#seats.clear();
      this.#pending = [];
      this.#next = 0;
      return null;
    }
    const missing = this.#missing(record);
    if (missing !== null) return missing;
    if (record.kind === WORLD_CREATED) return this.#create(record);
    const name = untell(record.kind);
    const seat = name === null ? undefined : this.#seats.get(seatId(record.host, name.machine));
    if (name === null || seat === undefined || !isObject(record.data)) {
      return diverge(record, null, "no machine of this host hears such a stimulus");
    }
    return this.#step(record, seat, { ...record.data, kind: name.kind });
  }

  #create(record: LogRecord): Divergence | null {
    const { data, host } = record;
    const name = isObject(data) ? data.machine : undefined;
    const machine = typeof name === "string" ? this.#machines.get(name) : undefined;
    if (machine === undefined || !isObject(data)) {
      return diverge(record, null, `no machine called ${JSON.stringify(name)} is known`);
    }
    const state = machine.create(data.config);
    this.#seats.set(seatId(host, machine.name), { machine, state });
    return null;
  }

  #step(record: LogRecord, seat: Recorded, stimulus: Kinded): Divergence | null {
    const told: Told[] = [];
    const { machine, state } = seat;
    try {
      machine.step(state, stimulus, record.at, {
        facts: { push: (fact) => told.push(tell("fact", machine.name, fact)) },
        effects: { push: (effect) => told.push(tell("effect", machine.name, effect)) },
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return diverge(record, null, `the machine fails on it: ${reason}`);
    }
    this.#pending = told;
    this.#next = 0;
    this.#stimulus = record;
    return null;
  }

  #takeOutcome(record: LogRecord): Divergence | null {
    const expected = this.#pending[this.#next++];
    const cause = this.#stimulus?.seq ?? null;
    if (expected === undefined) return diverge(record, cause, "nothing more follows from it");
    const fits =
      record.type === expected.type &&
      record.kind === expected.kind &&
      record.host === this.#stimulus?.host &&
      record.cause === cause &&
      JSON.stringify(record.data) === JSON.stringify(expected.data);
    return fits ? null : diverge(record, cause, show(expected));
  }

  /** What the last stimulus should have led to and the log lacks. */
  #missing(record: LogRecord): Divergence | null {
    const expected = this.#pending[this.#next];
    if (expected === undefined) return null;
    return diverge(record, this.#stimulus?.seq ?? null, show(expected));
  }
}

/** Re-derives a whole recording. A log that ends in the middle, as a crash leaves it, is right as far as it goes. */
export function rederive(
  _header: LogHeader,
  records: Iterable<LogRecord>,
  machines: ReadonlyMap<string, RecordedMachine> = LIVE_MACHINES,
): Rederived {
  const rederiver = new Rederiver(machines);
  for (const record of records) {
    const divergence = rederiver.push(record);
    if (divergence !== null) return { ok: false, divergence, ...rederiver.counts };
  }
  return { ok: true, ...rederiver.counts };
}

const seatId = (host: string, machine: string): string => `${machine}/${host}`;

const show = ({ type, kind, data }: Told): string => `${type} ${kind} ${JSON.stringify(data)}`;

function diverge(record: LogRecord, cause: number | null, derived: string): Divergence {
  const { seq, at, host, type, kind, data } = record;
  return { seq, at, host, cause, derived, recorded: `${type} ${kind} ${JSON.stringify(data)}` };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
