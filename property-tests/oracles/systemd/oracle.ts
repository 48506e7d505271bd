import { hasProgram, whyNoLab } from "../../../adapters/lab/index.js";
import { type CalendarsReport, compareCalendars } from "./calendars.js";
import { bootContainers } from "./container.js";
import { compareSet, type Preparation, type Prepared, prepare, prepareSet } from "./prepare.js";
import { RealSystemd } from "./real.js";
import { shrinkSet } from "./shrink.js";
import { stretchSet } from "./stretch.js";
import { THEMES, type Theme } from "./themes.js";
import { traceSet } from "./trace.js";
import { describeSet, renamed } from "./unit-set.js";
import { compareFiles, type FilesReport } from "./verify.js";

/** Sets that run one beside the other on the container's systemd. */
const BESIDE = 8;

/**
 * How a set is run again that came out different, one after the other and alone, before that counts:
 * so many times as long. What differs by what systemd does, differs however long it is given.
 */
const AGAIN = [1, 4, 4] as const;

/** What systemd and the model make of a set, when they differ. */
export interface SetDifference {
  readonly number: number;
  readonly set: string;
  readonly difference: string;
}

/** What a run of the oracle came to. */
export interface SystemdReport {
  readonly oracle: "systemd";
  readonly seed: number;
  readonly witness: string;
  readonly sets: number;
  readonly units: number;
  readonly jobs: number;
  readonly equal: number;
  /** How often each state and job result was told by systemd. */
  readonly told: Readonly<Record<string, number>>;
  /** Sets that were equal only when run again, with the machine less busy. */
  readonly again: number;
  /** Sets of which the model allows more than one outcome. */
  readonly ambiguous: number;
  /** Generated sets that were left out because they hang on milliseconds or do not come to rest. */
  readonly tight: number;
  readonly milliseconds: number;
  readonly differences: readonly SetDifference[];
  /** Unit files held against `systemd-analyze verify`. */
  readonly files: FilesReport;
  /** Calendar events held against `systemd-analyze calendar`. */
  readonly calendars: CalendarsReport;
  /** The first difference of any kind. */
  readonly difference: object | null;
  readonly skipped: string | null;
}

/** What a run is to do. */
export interface SystemdRun {
  readonly sets: number;
  readonly files: number;
  readonly calendars: number;
  readonly seed: number;
  /** Only this set; null: all. */
  readonly only: number | null;
  /** Only sets of this theme; null: of all in turn. */
  readonly theme: Theme | null;
  /** Tells all about the one set, systemd's own log too, and compares nothing else. */
  readonly trace: boolean;
}

/** Why there can be no run here, in a line; null when there can. */
export function whyNoSystemd(): string | null {
  const reason = whyNoLab();
  if (reason !== null) return reason;
  return hasProgram("nsenter") ? null : "there is no nsenter here: apt-get install util-linux";
}

/** Holds the model against a real systemd on generated sets of units. */
export async function systemdOracle(
  { sets, files, calendars, seed, only, theme, trace }: SystemdRun,
  say: (line: string) => void,
): Promise<SystemdReport> {
  const started = performance.now();
  const tally = { units: 0, jobs: 0, equal: 0, again: 0, ambiguous: 0, tight: 0 };
  const differences: SetDifference[] = [];
  const told = new Map<string, number>();
  let compared: FilesReport = { files: 0, bad: 0, findings: 0, equal: 0, differences: [] };
  let reckoned: CalendarsReport = { specs: 0, bad: 0, elapses: 0, equal: 0, differences: [] };
  const skipped = whyNoSystemd();
  const report = (witness: string): SystemdReport => ({
    oracle: "systemd",
    seed,
    witness,
    sets: only === null ? sets : 1,
    ...tally,
    told: Object.fromEntries([...told].sort()),
    milliseconds: Math.round(performance.now() - started),
    differences,
    files: compared,
    calendars: reckoned,
    difference:
      differences[0] ?? [compared, reckoned].find((each) => each.differences.length > 0) ?? null,
    skipped,
  });
  if (skipped !== null) return report("none");
  const numbers =
    only === null ? Array.from({ length: sets }, (_, index) => numberOf(index, theme)) : [only];
  // Before the container runs: whatever keeps this process busy would make it late.
  const waiting = numbers.map((number) => prepareSet(seed, number));
  say(`${waiting.length} sets prepared in ${Math.round(performance.now() - started)} ms`);
  // One for the sets that run beside each other, and one for those that must be alone.
  const shared = waiting.filter(({ set }) => !set.alone);
  const alone = waiting.filter(({ set }) => set.alone);
  const containers = await bootContainers(alone.length > 0 ? 2 : 1, say);
  const reals: RealSystemd[] = [];
  const different: { prepared: Prepared; found: string; real: RealSystemd }[] = [];
  const worker = async (real: RealSystemd, queue: Preparation[]): Promise<void> => {
    for (let prepared = queue.shift(); prepared !== undefined; prepared = queue.shift()) {
      tally.tight += prepared.tight;
      tally.units += prepared.set.units.length;
      tally.jobs += prepared.set.actions.length;
      if (prepared.outcomes.length > 1) tally.ambiguous++;
      const found = await compareSet(real, prepared, told);
      if (found === null) tally.equal++;
      else different.push({ prepared, found, real });
    }
  };
  try {
    for (const [index, container] of containers.all.entries()) {
      reals.push(await RealSystemd.over(container, index > 0));
    }
    if (trace) {
      const [prepared] = waiting;
      const index = prepared?.set.alone === true ? 1 : 0;
      const [real, container] = [reals[index], containers.all[index]];
      if (real === undefined || container === undefined || prepared === undefined) {
        throw new Error("there is no set to trace");
      }
      const { text, found } = await traceSet(real, container, prepared);
      say(text);
      const { number, set } = prepared;
      if (found === null) tally.equal++;
      else differences.push({ number, set: describeSet(set), difference: found });
      return report(`systemd ${container.version}`);
    }
    await Promise.all(
      reals.flatMap((real, index) =>
        index === 0
          ? Array.from({ length: BESIDE }, () => worker(real, shared))
          : [worker(real, alone)],
      ),
    );
    for (const { prepared, found, real } of different) {
      const still = await compareAgain(real, prepared, found);
      if (still === null) {
        tally.again++;
        tally.equal++;
        continue;
      }
      const { number } = prepared;
      say(`set ${number} (${THEMES[number % THEMES.length]}) differs`);
      const shrunk =
        differences.length < SHRUNK_MAX
          ? await shrinkSet(real, prepared, still)
          : { set: prepared.set, found: still };
      differences.push({ number, set: describeSet(shrunk.set), difference: shrunk.found });
    }
    const [container] = containers.all;
    if (container === undefined) throw new Error("the lab booted no host");
    compared = compareFiles(container, seed, files);
    reckoned = compareCalendars(container, seed, calendars);
    return report(`systemd ${container.version}`);
  } finally {
    for (const real of reals) real.close();
    await containers.close();
  }
}

/** Number of the `index`th set, of all or of a theme: the themes take turns. */
function numberOf(index: number, theme: Theme | null): number {
  return theme === null ? index : index * THEMES.length + THEMES.indexOf(theme);
}

/** Differences that are shrunk; of more the first ones tell enough. */
const SHRUNK_MAX = 3;

/** Runs a set alone and in its own time, then stretched, until it comes out equal. */
async function compareAgain(
  real: RealSystemd,
  prepared: Prepared,
  first: string,
): Promise<string | null> {
  let found: string | null = first;
  for (const [index, factor] of AGAIN.entries()) {
    const set = renamed(prepared.set, `${prepared.number}r${index}`);
    const stretched = prepare(stretchSet(set, factor), prepared.number, factor);
    // One that hangs on milliseconds when stretched is run as it was.
    const again = stretched ?? prepare(set, prepared.number);
    if (again !== null) found = await compareSet(real, again);
    if (found === null) return null;
  }
  return found;
}

/** The report for people. */
export function describeSystemdReport(report: SystemdReport): string {
  if (report.skipped !== null) return `oracle systemd skipped: ${report.skipped}`;
  const { sets, equal, again, ambiguous, tight, units, jobs, seed, milliseconds } = report;
  const lines = [
    `${report.witness}: ${sets} sets of ${units} units and ${jobs} actions, seed ${seed}, ${(milliseconds / 1000).toFixed(1)} s: ` +
      `${equal} sets equal, ${sets - equal} different`,
    `${again} equal when run again alone; ${ambiguous} with more than one outcome allowed; ${tight} left out for hanging on milliseconds or coming to no rest`,
  ];
  const { files, calendars, told } = report;
  const results = Object.entries(told).filter(([what]) => what.startsWith("job "));
  lines.push(
    `told: ${Object.keys(told).length - results.length} states, ` +
      results.map(([what, count]) => `${what.slice(4)} ${count}`).join(", "),
  );
  lines.push(
    `${files.files} unit files, ${files.bad} of them bad, ${files.findings} complaints of systemd-analyze verify: ` +
      `${files.equal} files equal, ${files.files - files.equal} different`,
  );
  lines.push(
    `${calendars.specs} calendar events, ${calendars.bad} of them bad, ${calendars.elapses} elapses: ` +
      `${calendars.equal} events equal, ${calendars.specs - calendars.equal} different`,
  );
  for (const { number, set, difference: found } of report.differences) {
    lines.push(`set ${number}, shrunk:`, set, found);
  }
  lines.push(...files.differences.slice(0, SHRUNK_MAX));
  lines.push(...calendars.differences.slice(0, SHRUNK_MAX));
  return lines.join("\n");
}
