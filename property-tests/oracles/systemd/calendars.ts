import { formatCalendar, isUtc, nextElapse, parseCalendar } from "../../../core/systemd/index.js";
import { type GeneratedSpec, generateSpec } from "./calendar-specs.js";
import type { Container } from "./container.js";

/** What is said of a calendar event: its normal form and when it elapses, in whole seconds; or "bad". */
type Verdict = "bad" | { readonly form: string; readonly elapses: readonly string[] };

/** Of how many calendar events the reading was compared, and what differs. */
export interface CalendarsReport {
  readonly specs: number;
  readonly bad: number;
  readonly elapses: number;
  readonly equal: number;
  readonly differences: readonly string[];
}

/** Specs that one call of systemd-analyze looks at. */
const BATCH = 100;

/** Elapses of each that are looked at. */
const ITERATIONS = 6;

/** Holds our reading of generated calendar events against `systemd-analyze calendar`. */
export function compareCalendars(
  container: Pick<Container, "run">,
  seed: number,
  count: number,
): CalendarsReport {
  const differences: string[] = [];
  let bad = 0;
  let elapses = 0;
  for (let first = 0; first < count; first += BATCH) {
    const specs = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) =>
      generateSpec(seed, first + index, BATCH),
    );
    const theirs = analyze(container, specs);
    for (const [index, spec] of specs.entries()) {
      const real = theirs[index] ?? "bad";
      const ours = read(spec);
      if (real === "bad") bad++;
      else elapses += real.elapses.length;
      if (show(real) !== show(ours)) differences.push(describe(spec, real, ours));
    }
  }
  return { specs: count, bad, elapses, equal: count - differences.length, differences };
}

function describe({ text, after }: GeneratedSpec, real: Verdict, ours: Verdict): string {
  const moment = `${second(after)} and ${after % 1_000_000} µs`;
  return `OnCalendar=${text} after ${moment}\n  systemd: ${show(real)}\n  model:   ${show(ours)}`;
}

const show = (verdict: Verdict): string =>
  verdict === "bad" ? verdict : `${verdict.form}: ${verdict.elapses.join(", ")}`;

function read({ text, after }: GeneratedSpec): Verdict {
  const spec = parseCalendar(text);
  if (spec === null) return "bad";
  const elapses: string[] = [];
  let at = isUtc(spec) ? nextElapse(spec, after) : null;
  for (; at !== null && elapses.length < ITERATIONS; at = nextElapse(spec, at)) {
    elapses.push(second(at));
  }
  return { form: formatCalendar(spec), elapses };
}

/** As systemd prints it, without the day of the week: `2021-03-04 05:06:07`. */
const second = (at: number): string =>
  new Date(Math.floor(at / 1_000)).toISOString().slice(0, 19).replace("T", " ");

/** One verdict for each spec. Of zones that are not UTC the model says no elapses, and none are read. */
function analyze(container: Pick<Container, "run">, specs: readonly GeneratedSpec[]): Verdict[] {
  const after = specs[0]?.after ?? 0;
  const micros = String(after % 1_000_000).padStart(6, "0");
  const base = `@${Math.floor(after / 1_000_000)}.${micros}`;
  const { stdout } = container.run("systemd-analyze", [
    "calendar",
    `--iterations=${ITERATIONS}`,
    `--base-time=${base}`,
    "--",
    ...specs.map(({ text }) => text),
  ]);
  const verdicts: Verdict[] = specs.map(() => "bad");
  // An empty line parts what is said of one spec from what is said of the next, if anything is.
  for (const [index, block] of blocksOf(stdout).entries()) {
    const form = /^Normalized form: (.*)$/m.exec(block)?.[1];
    if (form === undefined) continue;
    const utc = isUtc({ zone: / ([A-Za-z][^ ]*)$/.exec(form)?.[1] ?? "" });
    const found = block.matchAll(/^ *(?:Next elapse|Iter. #\d+): \w+ ([0-9-]+ [0-9:]+) UTC$/gm);
    verdicts[index] = { form, elapses: utc ? Array.from(found, (match) => match[1] ?? "") : [] };
  }
  return verdicts;
}

function blocksOf(stdout: string): string[] {
  const blocks = [""];
  for (const line of stdout.split("\n")) {
    if (line === "") blocks.push("");
    else blocks[blocks.length - 1] += `${line}\n`;
  }
  return blocks;
}
