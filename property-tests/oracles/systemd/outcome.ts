import { ownWord } from "./unit-set.js";

/** What became of a set: the same shape for systemd and for the model. */
export interface Outcome {
  /** `ok`, or the name of the error, of each action in turn. */
  readonly replies: readonly string[];
  /**
   * Of each unit, what was told of it in order: `active/sub` for a state, `job RESULT` for a job
   * that ended.
   */
  readonly units: Readonly<Record<string, readonly string[]>>;
  /**
   * Of each pair of units that are ordered, for each thing told of the first: how many told of the
   * second came before it, at least and at most. Key: `A B`, A after B.
   */
  readonly orders: Readonly<Record<string, readonly Bounds[]>>;
  /** Result=, and NRestarts= of a service, in the end. */
  readonly ends: Readonly<Record<string, string>>;
  /** The links in the folders of units that have to do with the set in the end, `PATH -> TARGET`. */
  readonly links: readonly string[];
}

type Bounds = readonly [least: number, most: number];

/** Something that was told of a unit. */
export interface Told {
  readonly unit: string;
  readonly what: string;
  /**
   * The turn of the event loop in which it happened. The end of a job is sent at once; states are
   * sent when the turn is over, in whatever order. So is anything that is told, to who only listens.
   */
  readonly turn: number;
}

/** What was seen of a set while it ran. */
export interface Seen {
  readonly replies: readonly string[];
  readonly told: readonly Told[];
  readonly ends: Readonly<Record<string, string>>;
  readonly links: readonly string[];
}

/** Of all links those with a unit of the set, in one order. The first word of the names stands for all. */
export function linksOf(units: readonly string[], links: readonly string[]): string[] {
  const own = ownWord(units[0] ?? "");
  return links.filter((link) => own !== "" && link.includes(`/${own}`)).sort();
}

/** Puts together what was seen; states that are told twice in a row count once. */
export function outcomeOf(
  { replies, told, ends, links }: Seen,
  units: readonly string[],
  ordered: readonly (readonly [string, string])[],
): Outcome {
  const sequences: Record<string, string[]> = Object.fromEntries(units.map((name) => [name, []]));
  const last = new Map<string, string>();
  const kept: Told[] = [];
  for (const event of told) {
    const sequence = sequences[event.unit];
    if (sequence === undefined) continue;
    const state = !event.what.startsWith("job ");
    if (state && (last.get(event.unit) ?? "inactive/dead") === event.what) continue;
    if (state) last.set(event.unit, event.what);
    sequence.push(event.what);
    kept.push(event);
  }
  const orders: Record<string, Bounds[]> = {};
  for (const [after, before] of ordered) {
    orders[`${after} ${before}`] = kept.flatMap((event, index) =>
      event.unit === after ? [bounds(kept, index, before)] : [],
    );
  }
  return { replies, units: sequences, orders, ends, links };
}

/** How many things told of a unit come before an event for sure, and at most. */
function bounds(told: readonly Told[], index: number, unit: string): Bounds {
  const event = told[index];
  let least = 0;
  let most = 0;
  for (const [at, other] of told.entries()) {
    if (other.unit !== unit || event === undefined) continue;
    const earlier = at < index;
    const sure = other.turn !== event.turn || isSentAtOnce((earlier ? other : event).what);
    if (earlier && sure) least++;
    if (earlier || !sure) most++;
  }
  return [least, most];
}

/**
 * Whether what is told in the same turn later, is sent later: the end of a job, unless one cause
 * ends several, by canceling them or for a dependency, which systemd does in the order of its hashes.
 */
function isSentAtOnce(what: string): boolean {
  return what.startsWith("job ") && what !== "job canceled" && what !== "job dependency";
}

/** What holds in all of several runs of a set that differ in nothing but time; null when something else does. */
export function common(outcomes: readonly Outcome[]): Outcome | null {
  const [first, ...others] = outcomes;
  if (first === undefined) return null;
  const orders: Record<string, readonly Bounds[]> = {};
  for (const [pair, list] of Object.entries(first.orders)) {
    orders[pair] = list.map(([least, most], index): Bounds => {
      const theirs = others.map((other) => other.orders[pair]?.[index] ?? [0, 0]);
      return [
        Math.min(least, ...theirs.map(([lower]) => lower)),
        Math.max(most, ...theirs.map(([, upper]) => upper)),
      ];
    });
  }
  const plain = (outcome: Outcome) => JSON.stringify({ ...outcome, orders: null });
  if (others.some((other) => plain(other) !== plain(first))) return null;
  return { ...first, orders };
}

/** The first thing in which systemd's outcome differs from the model's, in words; null when it does not. */
export function difference(real: Outcome, model: Outcome): string | null {
  for (const [index, reply] of real.replies.entries()) {
    const ours = model.replies[index];
    if (reply !== ours) return `action ${index + 1}: systemd answers ${reply}, the model ${ours}`;
  }
  for (const [name, told] of Object.entries(real.units)) {
    const theirs = told.join(", ");
    const ours = (model.units[name] ?? []).join(", ");
    if (theirs !== ours) return `${name}\n  systemd: ${theirs}\n  model:   ${ours}`;
  }
  for (const [name, end] of Object.entries(real.ends)) {
    const ours = model.ends[name] ?? "";
    if (end !== ours) return `${name} ends\n  systemd: ${end}\n  model:   ${ours}`;
  }
  const theirs = real.links.join("\n  ");
  const ours = model.links.join("\n  ");
  if (theirs !== ours) return `links\n  of systemd:\n  ${theirs}\n  of the model:\n  ${ours}`;
  return orderDifference(real, model);
}

function orderDifference(real: Outcome, model: Outcome): string | null {
  for (const [pair, list] of Object.entries(real.orders)) {
    const [after = "", before = ""] = pair.split(" ");
    for (const [index, [position]] of list.entries()) {
      const [least, most] = model.orders[pair]?.[index] ?? [0, 0];
      if (position >= least && position <= most) continue;
      const what = `${after} ${real.units[after]?.[index]}`;
      const others = real.units[before]?.join(", ");
      return `${what}: systemd tells it after ${position} of ${before} (${others}), the model after ${least} to ${most}`;
    }
  }
  return null;
}
