import type { Container } from "./container.js";
import { difference, type Outcome } from "./outcome.js";
import type { Prepared } from "./prepare.js";
import type { RealSystemd } from "./real.js";
import { describeSet, ownWord } from "./unit-set.js";

/** Lines of systemd's log that say nothing of what it decides. */
const NOISE = /Sent message|Got message|unit_file_build_name_map|inotify|cgroup|bpf|-oracle-/;

/** Runs a set once and tells it all: the set, what came of it here and there, and what systemd says about it. */
export async function traceSet(
  real: RealSystemd,
  container: Container,
  prepared: Prepared,
): Promise<string> {
  container.run("systemctl", ["log-level", "debug"]);
  const outcome = await real.run(prepared.set, prepared.end);
  const own = ownWord(prepared.set.units[0]?.name ?? "");
  const words = ["--boot", "--no-pager", "--output=short-precise", "_PID=1"];
  const log = container
    .run("journalctl", words)
    .stdout.split("\n")
    .filter((line) => line.includes(own) && !NOISE.test(line))
    .map((line) => line.replace(/^\S+ +\S+ (\S+) \S+ systemd\[1\]: /, "$1 "));
  const models = prepared.outcomes.map((allowed, index) =>
    [
      describeOutcome(`the model, ${index + 1} of ${prepared.outcomes.length}`, allowed),
      difference(outcome, allowed) ?? "no difference",
    ].join("\n"),
  );
  return [
    describeSet(prepared.set),
    describeOutcome("systemd", outcome),
    ...models,
    "systemd's log",
    ...log,
  ].join("\n");
}

function describeOutcome(whose: string, { replies, units, ends }: Outcome): string {
  const told = Object.entries(units).map(
    ([name, events]) => `  ${name}: ${events.join(", ")}; in the end ${ends[name] ?? ""}`,
  );
  return [whose, `  answers: ${replies.join(", ")}`, ...told].join("\n");
}
