import type { JobCounts } from "./engine.js";
import { type EngineTask, goneReason, INACTIVE_REASON } from "./engine-task.js";

/** What a fleetd counts of its engine since its process began (fleet 1.0, metrics/metrics.go). */
export interface EngineCounts {
  /** When it became leader, in seconds since 1970; fleet adds up the times of every time. */
  leaderStart: number;
  /** Ends of passes: fleet's reconciler and its caller both count each. */
  passes: number;
  scheduleTasks: number;
  unscheduleTasks: number;
  /** Writes that take a unit off a machine and failed. fleet does not look at the other kind. */
  unscheduleFailures: number;
  /** Units whose machine is gone. */
  machineAway: number;
  /** Units whose machine cannot run them, or that another is to give way to. */
  unableToRun: number;
  /** Units that were not scheduled; see `passFailures`. */
  notScheduled: number;
}

/** The counts of a process that begins. */
export function noCounts(): EngineCounts {
  return {
    leaderStart: 0,
    passes: 0,
    scheduleTasks: 0,
    unscheduleTasks: 0,
    unscheduleFailures: 0,
    machineAway: 0,
    unableToRun: 0,
    notScheduled: 0,
  };
}

/** A task was written, or could not be; a unit that is not scheduled any more need not be taken off. */
export function countTask(counts: EngineCounts, { type }: EngineTask, done: boolean): void {
  if (type === "AttemptScheduleUnit") counts.scheduleTasks++;
  else {
    counts.unscheduleTasks++;
    if (!done) counts.unscheduleFailures++;
  }
}

/** Adds what a pass has counted. */
export function countFailures(counts: EngineCounts, failures: Failures): void {
  counts.machineAway += failures.machineAway;
  counts.unableToRun += failures.unableToRun;
  counts.notScheduled += failures.notScheduled;
}

type Failures = Pick<EngineCounts, "machineAway" | "unableToRun" | "notScheduled">;

/**
 * The failures that one pass counts (engine/reconciler.go), from the jobs that it saw and the tasks it came
 * to.
 *
 * @param faithful - as fleet: each scheduled unit that stays where it is counts as one that was
 *   not scheduled, and one that found no room for what it replaces counts twice. Otherwise only units are
 *   counted for which there is no machine.
 */
export function passFailures(
  { scheduled, waiting }: JobCounts,
  tasks: readonly EngineTask[],
  faithful: boolean,
): Failures {
  let [inactive, machineAway, unable, makeRoom, moved, placed] = [0, 0, 0, 0, 0, 0];
  for (const { type, machine, reason } of tasks) {
    const replaces = REPLACE.test(reason);
    if (type === "AttemptScheduleUnit") {
      if (replaces) moved++;
      else if (reason.startsWith("target state ")) placed++;
    } else if (replaces) makeRoom++;
    else if (reason === INACTIVE_REASON) inactive++;
    else if (reason === goneReason(machine)) machineAway++;
    else if (reason.startsWith("target Machine")) unable++;
  }
  const leaving = machineAway + unable;
  const homeless = waiting + leaving - placed;
  const stuck = makeRoom - moved;
  const staying = scheduled - inactive - leaving - makeRoom;
  return {
    machineAway,
    unableToRun: unable + makeRoom,
    notScheduled: homeless + (faithful ? staying + 2 * stuck : stuck),
  };
}

/** The reason of a task that makes room for a unit that replaces another. */
const REPLACE = /: found replace with /;

/**
 * The text of `/metrics`, as far as it is fleet's own: what Prometheus' Go client adds of its process, and
 * of HTTP, is left out. The families that fleet defines and never registers are not there either;
 * one with labels is there once it has a sample.
 */
export function metricsText(counts: EngineCounts): string {
  const byType = (schedule: number, unschedule: number): Samples => [
    ['type="attemptscheduleunit"', schedule],
    ['type="unscheduleunit"', unschedule],
  ];
  return [
    family(
      "leader_start_time",
      "gauge",
      "Start time of becoming an engine leader since epoch in seconds.",
      [["", counts.leaderStart]],
    ),
    family("reconcile_count_total", "counter", "Counter of reconcile rounds.", [
      ["", counts.passes],
    ]),
    family("reconcile_failure_count_total", "counter", "Counter of scheduling failures.", [
      ['type="machine_away"', counts.machineAway],
      ['type="run"', counts.unableToRun],
      ['type="schedule"', counts.notScheduled],
    ]),
    family(
      "task_count_total",
      "counter",
      "Counter of engine schedule tasks.",
      byType(counts.scheduleTasks, counts.unscheduleTasks),
    ),
    family(
      "task_failure_count_total",
      "counter",
      "Counter of engine schedule task failures.",
      byType(0, counts.unscheduleFailures),
    ),
  ].join("");
}

/** Labels and value of each sample. */
type Samples = readonly (readonly [labels: string, value: number])[];

function family(name: string, type: "gauge" | "counter", help: string, samples: Samples): string {
  const full = `fleet_engine_${name}`;
  const lines = samples
    .filter(([labels, value]) => labels === "" || value > 0)
    .map(([labels, value]) => `${full}${labels === "" ? "" : `{${labels}}`} ${goFloat(value)}\n`);
  if (lines.length === 0) return "";
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

/** A whole number as Go prints a float of it: with an exponent from a million on. */
function goFloat(value: number): string {
  if (value < 1_000_000) return String(value);
  const [digits = "", power = ""] = value.toExponential().split("e+");
  return `${digits}e+${power.padStart(2, "0")}`;
}
