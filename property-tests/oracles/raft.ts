import { type Difference, describeDifference, firstDifference, shrink } from "./raft-compare.js";
import { play } from "./raft-play.js";
import {
  buildLibrary,
  goVersion,
  type Library,
  libraryVersion,
  startLibrary,
} from "./raft-program.js";
import { generateScript, type Walk } from "./raft-scripts.js";

/** Directives of a generated script. */
const LENGTH = 50;

/** Scripts on their way to the library at a time. */
const BATCH = 50;

/**
 * Where the library's pinned version answers otherwise than the commit the machine is a model of
 * (cdfbeed). v3.7.0 answers all 11,371 directives and 9 panics of that commit's data alike.
 */
const KNOWN_DIFFERENCES: readonly string[] = [];

/** What is not compared byte for byte. */
const EXCEPTIONS: readonly string[] = [
  'the panic "ConfStates not equivalent after sorting" prints memory addresses: its first line is compared',
];

/** `raft` compares outputs; `raft-trace` what the library traces for its TLA+ specification, too. */
export type OracleName = "raft" | "raft-trace";

/** What a run of the oracle came to. */
export interface OracleReport {
  readonly oracle: OracleName;
  readonly seed: number;
  /** The library held against, and Go. */
  readonly witness: string;
  readonly knownDifferences: readonly string[];
  readonly exceptions: readonly string[];
  /** Scripts of 50 directives. */
  readonly scripts: number;
  /** Further scripts, each the beginning of one of those and a directive that panics. */
  readonly panics: number;
  /** Directives compared, of both kinds of scripts. */
  readonly directives: number;
  readonly milliseconds: number;
  /** How many scripts each kind of walk made, and how often each command was asked. */
  readonly profiles: Readonly<Record<string, number>>;
  readonly commands: Readonly<Record<string, number>>;
  /** How often each event of the trace was compared. */
  readonly events: Readonly<Record<string, number>>;
  /** The first script that differs, shrunk. */
  readonly difference: (Difference & { readonly number: number }) | null;
  /** Why nothing was compared. */
  readonly skipped: string | null;
}

/** Holds our Raft against Go's library on random scripts, up to the first difference. */
export async function raftOracle(
  scripts: number,
  seed: number,
  oracle: OracleName = "raft",
): Promise<OracleReport> {
  const traced = oracle === "raft-trace";
  const started = performance.now();
  const go = goVersion();
  const tally = new Tally();
  const report = (difference: OracleReport["difference"]): OracleReport => ({
    oracle,
    seed,
    witness: `${libraryVersion()}, ${go ?? "no Go"}`,
    knownDifferences: KNOWN_DIFFERENCES,
    exceptions: EXCEPTIONS,
    ...tally.counts(),
    milliseconds: Math.round(performance.now() - started),
    difference,
    skipped: go === null ? "there is no Go here (the command go)" : null,
  });
  if (go === null) return report(null);
  buildLibrary(traced);
  const library = startLibrary(traced);
  try {
    for (let number = 0; number < scripts; number += BATCH) {
      const count = Math.min(BATCH, scripts - number);
      const difference = await compareBatch(library, seed, number, count, tally, traced);
      if (difference !== null) return report(difference);
    }
    return report(null);
  } finally {
    library.close();
  }
}

/** Compares scripts `first` to `first + count - 1` of a seed. */
async function compareBatch(
  library: Library,
  seed: number,
  first: number,
  count: number,
  tally: Tally,
  traced: boolean,
): Promise<OracleReport["difference"]> {
  const walks: (Walk & { readonly number: number })[] = [];
  for (let number = first; number < first + count; number++) {
    const { walk, panics } = generateScript(seed, number, LENGTH);
    walks.push({ ...walk, number }, ...panics.map((panic) => ({ ...panic, number })));
    tally.add(walk, panics);
  }
  const answers = await library.ask(walks.map(({ script }) => script));
  for (const [i, { script, outputs, number }] of walks.entries()) {
    const expected = answers[i] ?? [];
    const actual = traced ? play(script, true).outputs : outputs;
    if (traced) tally.addEvents(actual);
    const at = firstDifference(expected, actual);
    if (at === null) continue;
    const ask = async (smaller: readonly string[]) => (await library.ask([smaller]))[0] ?? [];
    return { ...(await shrink({ script, expected, actual, at }, ask, traced)), number };
  }
  return null;
}

class Tally {
  #scripts = 0;
  #panics = 0;
  #directives = 0;
  readonly #profiles = new Map<string, number>();
  readonly #commands = new Map<string, number>();
  readonly #events = new Map<string, number>();

  add(walk: Walk, panics: readonly Walk[]): void {
    this.#scripts++;
    this.#panics += panics.length;
    for (const { script } of [walk, ...panics]) this.#directives += script.length;
    count(this.#profiles, walk.profile);
    for (const source of walk.script) count(this.#commands, source.split(/[ \n]/)[0] ?? "");
  }

  /** Every line of an output that is an event of the trace. */
  addEvents(outputs: readonly string[]): void {
    for (const output of outputs) {
      for (const [, name = ""] of output.matchAll(/^\{"name":"(\w+)"/gm)) count(this.#events, name);
    }
  }

  counts() {
    return {
      scripts: this.#scripts,
      panics: this.#panics,
      directives: this.#directives,
      profiles: Object.fromEntries([...this.#profiles].sort()),
      commands: Object.fromEntries([...this.#commands].sort()),
      events: Object.fromEntries([...this.#events].sort()),
    };
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The report for people. */
export function describeReport(report: OracleReport): string {
  const { seed, witness, knownDifferences, scripts, panics, directives, milliseconds } = report;
  if (report.skipped !== null) return `oracle ${report.oracle} skipped: ${report.skipped}`;
  const known = knownDifferences.length === 0 ? "none" : knownDifferences.join("; ");
  const lines = [
    `${report.oracle} against ${witness}; known differences of that version: ${known}`,
    `byte for byte, but: ${report.exceptions.join("; ")}`,
    `${scripts} scripts of ${LENGTH} directives and ${panics} that end in a panic, ${directives} directives, ` +
      `seed ${seed}, ${(milliseconds / 1000).toFixed(1)} s: ${report.difference === null ? "0 differences" : "DIFFERENT"}`,
  ];
  const events = Object.entries(report.events);
  if (events.length > 0) {
    const total = events.reduce((sum, [, times]) => sum + times, 0);
    lines.push(
      `${total} events traced: ${events.map(([name, times]) => `${name} ${times}`).join(", ")}`,
    );
  }
  if (report.difference !== null) {
    lines.push(
      `script ${report.difference.number}, shrunk:`,
      describeDifference(report.difference),
    );
  }
  return lines.join("\n");
}
