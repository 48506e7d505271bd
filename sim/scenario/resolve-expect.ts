import type { Span } from "../faults/plan.js";
import type { Path, SourceDocument } from "./document.js";
import type { Names } from "./names.js";
import { readDuration, readSpan, writeDuration } from "./quantity.js";
import type { Expectation, ExpectationKind, Moment } from "./scenario.js";
import type { RawExpectation } from "./schema-timeline.js";

const SUBJECTS = [
  "leader",
  "unit",
  "hosts_on",
  "hosts_down",
  "members",
  "lock_holders",
  "quorum",
  "terms",
  "led",
  "outage",
  "errors",
  "requests",
  "containers",
  "facts",
  "keys",
  "invariant",
] as const;

/** What is measured over an interval. */
const MEASURES = ["terms", "led", "outage", "errors", "requests"] as const;

/** What may be asked of `unit`: one of these. */
const OF_UNITS = ["active", "copies", "spread"] as const;

/** Which other keys go with a subject, besides those of time. */
const COMPANIONS: Readonly<Record<(typeof SUBJECTS)[number], readonly string[]>> = {
  leader: [],
  unit: [...OF_UNITS, "on"],
  hosts_on: ["count"],
  hosts_down: [],
  members: [],
  lock_holders: [],
  quorum: [],
  terms: [],
  led: [],
  outage: [],
  errors: [],
  requests: [],
  containers: ["count", "on"],
  facts: ["count", "of"],
  keys: ["count", "value"],
  invariant: ["is"],
};
const MOMENTS = ["by", "at", "during", "within"] as const;

/** What expectations are checked against. */
export interface ExpectationContext {
  readonly names: Names;
  /** Of the run, µs. */
  readonly duration: number;
  /** Whether the scenario has a probe. */
  readonly probed: boolean;
  /** Whether the scenario has users. */
  readonly used: boolean;
  /** The names that exist; undefined: any name is taken. */
  readonly invariants: readonly string[] | undefined;
}

/** What a run should show. */
export function resolveExpectations(
  source: SourceDocument,
  at: Path,
  raw: readonly RawExpectation[],
  context: ExpectationContext,
): Expectation[] {
  return raw.flatMap((entry, i): Expectation[] => {
    const path: Path = [...at, i];
    const kind = resolveKind(source, path, entry, context);
    if (kind === null) return [];
    const when = resolveMoment(source, path, entry, kind, context.duration);
    return [{ ...kind, when, line: source.position(path).line }];
  });
}

function resolveKind(
  source: SourceDocument,
  path: Path,
  entry: RawExpectation,
  { names, probed, used, invariants }: ExpectationContext,
): ExpectationKind | null {
  const subjects = SUBJECTS.filter((subject) => entry[subject] !== undefined);
  const [subject] = subjects;
  if (subject === undefined || subjects.length > 1) {
    source.report(
      path,
      subject === undefined ? "E_SCENARIO_MISSING_KEY" : "E_SCENARIO_VALUE",
      subject === undefined ? "nothing to look at" : subjects.join(" and "),
      `one of ${SUBJECTS.join(", ")}`,
      "Write one expectation for each.",
    );
    return null;
  }
  for (const key of [...OF_UNITS, "on", "count", "value", "of", "is"] as const) {
    if (entry[key] === undefined || COMPANIONS[subject].includes(key)) continue;
    const found = `${key} with ${subject}`;
    source.report([...path, key], "E_SCENARIO_UNKNOWN_KEY", found, "no such key", "", "key");
  }
  if (entry.leader !== undefined) {
    if (entry.leader === "exactly-one") return { kind: "leaders", count: { low: 1, high: 1 } };
    if (entry.leader === "none") return { kind: "leaders", count: { low: 0, high: 0 } };
    const host = names.hosts.findIndex(({ name }) => name === entry.leader);
    if (host >= 0) return { kind: "leads", host };
    const known = ["exactly-one", "none", ...names.hosts.map(({ name }) => name)];
    names.unknown([...path, "leader"], "leader", entry.leader, known);
    return null;
  }
  if (entry.unit !== undefined) return resolveUnit(source, path, entry, entry.unit, names);
  if (entry.containers !== undefined) {
    const { containers } = entry;
    const count = counted(source, path, entry);
    const on = entry.on === undefined ? null : names.hostList([...path, "on"], entry.on);
    return count && { kind: "containers", containers, count, on };
  }
  if (entry.keys !== undefined) {
    const count = counted(source, path, entry);
    return count && { kind: "keys", keys: entry.keys, holding: entry.value ?? null, count };
  }
  if (entry.facts !== undefined) {
    if (entry.during === undefined) {
      return missing(source, path, "during", "the interval to count in: during: 2m..7m");
    }
    const value = counted(source, path, entry);
    return value && { kind: "facts", fact: entry.facts, of: entry.of ?? null, value };
  }
  if (entry.hosts_on !== undefined) {
    const version = names.release([...path, "hosts_on"], entry.hosts_on);
    return { kind: "hosts-on", version, count: entry.count ?? "all" };
  }
  if (entry.hosts_down !== undefined) return { kind: "hosts-down", count: entry.hosts_down };
  if (entry.members !== undefined) return { kind: "members", count: entry.members };
  if (entry.lock_holders !== undefined) return { kind: "lock-holders", count: entry.lock_holders };
  if (entry.quorum !== undefined) return { kind: "quorum", is: entry.quorum };
  for (const measure of MEASURES) {
    const value = entry[measure];
    if (value === undefined) continue;
    if (entry.during === undefined) {
      return missing(source, path, "during", "the interval to measure: during: 2m..7m");
    }
    if (measure === "outage" && !probed) {
      const found = "an outage and nobody who writes";
      const advice = "Add `probe: { every: 250ms }` to the scenario.";
      source.report([...path, measure], "E_SCENARIO_REFERENCE", found, "a probe", advice, "key");
    }
    if (measure === "errors" && !used) {
      const found = "errors and nobody who asks";
      const advice = "Add `users: { through: HOSTS }` to the scenario.";
      source.report([...path, measure], "E_SCENARIO_REFERENCE", found, "users", advice, "key");
    }
    return { kind: measure, value };
  }
  const name = entry.invariant ?? "";
  if (invariants !== undefined && !invariants.includes(name)) {
    names.unknown([...path, "invariant"], "invariant", name, invariants);
  }
  if (entry.is === undefined) return missing(source, path, "is", "held or violated");
  return { kind: "invariant", name, is: entry.is };
}

/** What is expected of units: one of `active`, `copies` and `spread`. */
function resolveUnit(
  source: SourceDocument,
  path: Path,
  entry: RawExpectation,
  unit: string,
  names: Names,
): ExpectationKind | null {
  const asked = OF_UNITS.filter((key) => entry[key] !== undefined);
  if (asked.length > 1) {
    const found = asked.join(" and ");
    source.report(path, "E_SCENARIO_VALUE", found, `one of ${OF_UNITS.join(", ")}`, "Keep one.");
    return null;
  }
  if (entry.on !== undefined && entry.active === undefined) {
    return missing(source, path, "active", "how many on these hosts: active: 1");
  }
  if (entry.copies !== undefined) return { kind: "unit-copies", unit, count: entry.copies };
  if (entry.spread !== undefined) return { kind: "unit-spread", unit, count: entry.spread };
  if (entry.active === undefined) return missing(source, path, "active", "how many: active: 3");
  const on = entry.on === undefined ? null : names.hostList([...path, "on"], entry.on);
  return { kind: "unit-active", unit, count: entry.active, on };
}

/** A `count` that is not `all`. */
function counted(source: SourceDocument, path: Path, entry: RawExpectation): Span | null {
  if (entry.count === undefined) return missing(source, path, "count", "how many: count: 3");
  if (entry.count !== "all") return entry.count;
  source.report([...path, "count"], "E_SCENARIO_VALUE", "all", "a count such as 3 or 1..", "");
  return null;
}

function missing(source: SourceDocument, path: Path, key: string, expected: string): null {
  source.report(path, "E_SCENARIO_MISSING_KEY", `no "${key}"`, expected, "Add it.");
  return null;
}

function resolveMoment(
  source: SourceDocument,
  path: Path,
  entry: RawExpectation,
  kind: ExpectationKind,
  duration: number,
): Moment {
  const given = MOMENTS.filter((key) => entry[key] !== undefined);
  if (given.length > 1) {
    const found = given.join(" and ");
    source.report(path, "E_SCENARIO_VALUE", found, `one of ${MOMENTS.join(", ")}`, "Keep one.");
  }
  const [key] = given;
  const within = (time: number): number => {
    if (key !== undefined && time > duration) {
      source.report(
        [...path, key],
        "E_SCENARIO_VALUE",
        writeDuration(time),
        `a moment of the run, which lasts ${writeDuration(duration)}`,
        "Move it earlier or make the run longer.",
      );
    }
    return time;
  };
  if (entry.by !== undefined) return { kind: "by", time: within(entry.by) };
  if (entry.at !== undefined) return { kind: "at", time: within(entry.at) };
  const interval = entry.during ?? entry.within;
  if (key === undefined || interval === undefined) return usualMoment(kind, duration);
  const written = interval.endsWith("..") ? interval + writeDuration(duration) : interval;
  const span = written.includes("..") ? readSpan(written, readDuration) : null;
  if (span === null || span.low < 0) {
    const expected = "an interval such as 5m..10m, or 5m.. until the end";
    source.report([...path, key], "E_SCENARIO_VALUE", `"${interval}"`, expected, "");
    return { kind: "end" };
  }
  const from = span.low;
  const until = within(span.high);
  if ("value" in kind && from >= until) {
    const found = `"${interval}"`;
    source.report([...path, key], "E_SCENARIO_VALUE", found, "an interval longer than 0", "");
  }
  return entry.during === undefined
    ? { kind: "sometime", from, until }
    : { kind: "throughout", from, until };
}

/** Without a moment, states are looked at when the run ends, and breaches all the time. */
function usualMoment(kind: ExpectationKind, duration: number): Moment {
  const whole = { from: 0, until: duration };
  if (kind.kind === "quorum" && kind.is === "lost") return { kind: "sometime", ...whole };
  if (kind.kind !== "invariant") return { kind: "end" };
  return { kind: kind.is === "held" ? "throughout" : "sometime", ...whole };
}
