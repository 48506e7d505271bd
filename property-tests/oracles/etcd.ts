import { type Flavor, generateSteps } from "./etcd/generate.js";
import { type Difference, Pair, type Played } from "./etcd/play.js";
import type { Release } from "./etcd/real.js";
import { findRelease } from "./etcd/release.js";
import { type Failing, shrink } from "./etcd/shrink.js";
import { describeStep, type Step } from "./etcd/steps.js";

/** Steps on one pair of clusters. */
const EPISODE = 500;

/** How long shrinking may take. */
const SHRINK_SECONDS = 180;

/** What is not compared byte for byte. */
const EXCEPTIONS: readonly string[] = [
  "raft terms: whether there is one",
  "times to live: to within 2 s",
  "ids that members make from the clock: as names",
  "responses of a watch: as one sequence of events",
];

/** What a run of the oracle came to. */
export interface EtcdReport {
  readonly oracle: "etcd";
  readonly seed: number;
  /** The etcd held against. */
  readonly witness: string;
  readonly exceptions: readonly string[];
  readonly episodes: number;
  /** Steps answered alike. */
  readonly operations: number;
  /** How often each was asked. */
  readonly commands: Readonly<Record<string, number>>;
  readonly milliseconds: number;
  /**
   * Episodes that differed once and not when they were played again: a real cluster on a busy machine may elect
   * a leader of its own accord. Each is told in a line.
   */
  readonly unsteady: readonly string[];
  /** The first episode that differs, and does again, shrunk. */
  readonly difference: (Failing & { readonly episode: number; readonly members: number }) | null;
  /** Why nothing was compared. */
  readonly skipped: string | null;
}

/**
 * Holds a model cluster of three members against a real one on random requests, up to the first difference.
 *
 * @param news - hears of a difference before it is shrunk, which takes its time
 */
export async function etcdOracle(
  operations: number,
  seed: number,
  line: Release["line"],
  news: (line: string) => void,
): Promise<EtcdReport> {
  const started = performance.now();
  const release = findRelease(line);
  const commands = new Map<string, number>();
  const unsteady: string[] = [];
  let played = 0;
  const report = (episodes: number, difference: EtcdReport["difference"]): EtcdReport => ({
    oracle: "etcd",
    seed,
    witness: typeof release === "string" ? `etcd ${line}` : `etcd ${release.version}`,
    exceptions: EXCEPTIONS,
    episodes,
    operations: played,
    commands: Object.fromEntries([...commands].sort()),
    unsteady,
    milliseconds: Math.round(performance.now() - started),
    difference,
    skipped: typeof release === "string" ? release : null,
  });
  if (typeof release === "string") return report(0, null);
  let episode = 0;
  for (; played < operations; episode++) {
    const flavor = flavorOf(release, episode);
    const count = Math.min(EPISODE, operations - played);
    const steps = generateSteps(seed, episode, count, flavor);
    const first = await replay(release, flavor, steps);
    const again = first.difference === null ? first : await replay(release, flavor, steps);
    if (first.difference !== null && again.difference === null) {
      unsteady.push(lineOf(episode, steps, first.difference));
      news(`not when played again: ${unsteady.at(-1)}`);
    }
    const { steps: taken, difference } = again;
    for (const step of steps.slice(0, taken)) count1(commands, commandOf(step));
    played += taken;
    if (difference !== null) {
      news(lineOf(episode, steps, difference));
      const failing = await smallest(release, flavor, { steps, difference });
      return report(episode + 1, { ...failing, episode });
    }
  }
  return report(episode, null);
}

/** Every fourth episode changes membership, for which members must have been up for a while. */
function flavorOf(release: Release, episode: number): Flavor {
  return {
    members: 3,
    v2: release.line === "3.4",
    watches: true,
    membership: episode % 4 === 3,
  };
}

async function replay(release: Release, flavor: Flavor, steps: readonly Step[]): Promise<Played> {
  const pair = await Pair.start(release, {
    members: flavor.members,
    healthy: flavor.membership,
  });
  try {
    return await pair.play(steps);
  } finally {
    await pair.end();
  }
}

/** Shrinks on a cluster of one member, which starts faster, if the difference shows there too. */
async function smallest(release: Release, flavor: Flavor, failing: Failing) {
  const use = (await onOne(release, flavor, failing)) ?? { flavor, failing };
  const again = async (steps: readonly Step[]) =>
    (await replay(release, use.flavor, steps)).difference;
  return {
    ...(await shrink(use.failing, again, SHRINK_SECONDS)),
    members: use.flavor.members,
  };
}

/** The same on one member; null if it does not show there. A second voter that never starts would stop it. */
async function onOne(release: Release, given: Flavor, { steps, difference }: Failing) {
  if (given.membership) return null;
  const flavor = { ...given, members: 1 };
  const alone = steps.slice(0, difference.at + 1).map((step) => ({ ...step, member: 0 }));
  const { difference: found } = await replay(release, flavor, alone);
  return found === null ? null : { flavor, failing: { steps: alone, difference: found } };
}

function lineOf(episode: number, steps: readonly Step[], difference: Difference): string {
  const { at, expected, actual } = difference;
  const step = steps[at];
  const asked = step === undefined ? "" : describeStep(step);
  const [wanted, found] = [expected, actual].map((plain) => JSON.stringify(plain));
  return `episode ${episode}, step ${at}: ${asked}: expected ${wanted}, actual ${found}`;
}

function commandOf(step: Step): string {
  switch (step.kind) {
    case "call":
      return step.request.op;
    case "watch":
      return `watch-${step.message.type}`;
    case "expire":
      return "lease-expiry";
    case "v2":
      return `v2-${step.step.request.op}`;
  }
}

function count1(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The report for people. */
export function describeEtcd(report: EtcdReport): string {
  const { seed, witness, episodes, operations, milliseconds, difference, commands } = report;
  if (report.skipped !== null) return `oracle etcd skipped: ${report.skipped}`;
  const verdict = difference === null ? "0 differences" : "DIFFERENT";
  const asked = Object.entries(commands).map(([name, count]) => `${name} ${count}`);
  const lines = [
    `etcd against ${witness}; not byte for byte: ${report.exceptions.join("; ")}`,
    asked.join(", "),
    `${operations} operations in ${episodes} episodes, seed ${seed}, ${(milliseconds / 1000).toFixed(1)} s: ${verdict}`,
  ];
  if (report.unsteady.length > 0) {
    lines.push("differed once, and not when played again:", ...report.unsteady);
  }
  if (difference !== null) {
    lines.push(
      `episode ${difference.episode}, shrunk, on ${difference.members} member(s):`,
      ...difference.steps.map((step) => `  ${describeStep(step)}`),
      "--- expected",
      JSON.stringify(difference.difference.expected),
      "--- actual",
      JSON.stringify(difference.difference.actual),
      "---",
    );
  }
  return lines.join("\n");
}
