import type { Container } from "./container.js";
import { difference, type Outcome } from "./outcome.js";
import type { Prepared } from "./prepare.js";
import type { RealSystemd } from "./real.js";
import { describeSet, ownWord } from "./unit-set.js";

/** Lines of systemd's log that say nothing of what it decides. */
const NOISE = /Sent message|Got message|unit_file_build_name_map|inotify|cgroup|bpf|-oracle-/;

/** A set told in full, and in what it differs from all that was prepared; null when in nothing. */
export interface Trace {
  readonly text: string;
  readonly found: string | null;
}

/** Runs a set once and tells it all: the set, what came of it here and there, and what systemd says about it. */
export async function traceSet(
  real: RealSystemd,
  container: Container,
  prepared: Prepared,
): Promise<Trace> {
  container.run("systemctl", ["log-level", "debug"]);
  const outcome = await real.run(prepared.set, prepared.end);
  const own = ownWord(prepared.set.units[0]?.name ?? "");
  const words = ["--boot", "--no-pager", "--output=short-precise", "_PID=1"];
  const log = container
    .run("journalctl", words)
    .stdout.split("\n")
    .filter((line) => line.includes(own) && !NOISE.test(line))
    .map((line) => line.replace(/^\S+ +\S+ (\S+) \S+ systemd\[1\]: /, "$1 "));
  const differences = prepared.outcomes.map((allowed) => difference(outcome, allowed));
  const models = prepared.outcomes.flatMap((allowed, index) => [
    describeOutcome(`the model, ${index + 1} of ${prepared.outcomes.length}`, allowed),
    differences[index] ?? "no difference",
  ]);
  const lines = [
    describeSet(prepared.set),
    describeOutcome("systemd", outcome),
    ...models,
    "systemd's log",
    ...log,
  ];
  const found = differences.includes(null) ? null : (differences[0] ?? null);
  return { text: lines.join("\n"), found };
}

function describeOutcome(whose: string, { replies, units, ends }: Outcome): string {
  const told = Object.entries(units).map(
    ([name, events]) => `  ${name}: ${events.join(", ")}; in the end ${ends[name] ?? ""}`,
  );
  return [whose, `  answers: ${replies.join(", ")}`, ...told].join("\n");
}
