import type { Micros } from "../../core/kernel/index.js";
import {
  compareNames,
  downtimeAt,
  type Notice,
  roleLabel,
  type Span,
  stagedSlot,
  type Timeline,
} from "../timeline/index.js";

/** What a timeline cannot know of the run that wrote it. */
export interface ReportContext {
  /** Path of the log. */
  readonly path?: string;
  /** Real time the run took, in microseconds. */
  readonly wall?: Micros;
  /** Checksum of the log's last line, which stands for the whole log. */
  readonly sum?: string;
  /** Stimuli processed; a run's log stores only part of what happened. */
  readonly events?: number;
}

export interface ReportStretch {
  readonly from: Micros;
  /** null if it lasted to the end. */
  readonly to: Micros | null;
  readonly duration: Micros;
}

export interface ReportReign extends ReportStretch {
  readonly host: string;
  readonly term: number;
}

export interface ReportFault extends ReportStretch {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
}

export interface ReportUnit {
  readonly unit: string;
  readonly activeOn: readonly string[];
  readonly wanted: boolean;
  readonly downtime: Micros;
  readonly outages: number;
  readonly longestOutage: Micros;
  readonly moves: number;
  readonly firstActive: Micros | null;
}

export interface ReportHost {
  readonly host: string;
  readonly zone: string;
  readonly power: string;
  readonly boots: number;
  readonly downtime: Micros;
  readonly version: string;
  readonly slot: string;
  /** Version the next boot would run; "" if it is the same. */
  readonly staged: string;
  readonly role: string;
  readonly term: number;
}

export interface ReportEvent {
  readonly seq: number;
  readonly at: Micros;
  readonly host: string;
  readonly kind: string;
  readonly text: string;
  readonly hosts: readonly string[];
}

/** The report of a run: what `--json` prints, and what the text is made of. Times in microseconds. */
export interface Report {
  readonly log: "run" | "recording";
  readonly path: string | null;
  readonly scenario: string;
  readonly seed: string | null;
  /** `held`, `violated`, `stopped`, or `incomplete` for a log without its end record. */
  readonly verdict: string;
  /** Checksum of the whole log; null if it is not known. */
  readonly sum: string | null;
  /** Hash of the final state; null if the log does not hold it. */
  readonly state: string | null;
  readonly records: number;
  readonly events: number | null;
  readonly duration: Micros;
  readonly wall: Micros | null;
  /** Simulated per real time, in thousandths; null if the real time is not known. */
  readonly speed: number | null;
  readonly elections: number;
  /** Time without any leader after the first was elected. */
  readonly leaderless: Micros;
  readonly reigns: readonly ReportReign[];
  readonly units: readonly ReportUnit[];
  readonly hosts: readonly ReportHost[];
  /** Hosts by the OS version they run, most hosts first. */
  readonly versions: readonly { readonly version: string; readonly hosts: number }[];
  readonly reboots: number;
  readonly crashes: number;
  readonly faults: readonly ReportFault[];
  readonly operations: readonly ReportEvent[];
  readonly violations: readonly ReportEvent[];
  readonly expectations: readonly (ReportEvent & { readonly met: boolean })[];
  /** The command that shows this again; null if neither path nor seed is known. */
  readonly replay: string | null;
  /** Spans and events left out of the lists because there were too many. */
  readonly dropped: number;
}

/** The report of a log, up to its last record. */
export function reportOf(timeline: Timeline, context: ReportContext = {}): Report {
  const { header, chronicle, latest, duration } = timeline;
  const origin = header.origin;
  const scenario = origin.scenario;
  const name = textField(scenario, "name") ?? textField(origin, "program") ?? "log";
  const seed = textField(origin, "seed");
  const wall = context.wall ?? null;
  const reigns = chronicle.reigns.map((reign) => ({
    host: reign.host,
    term: reign.term,
    ...stretch(reign, duration),
  }));
  return {
    log: header.kind,
    path: context.path ?? null,
    scenario: name,
    seed,
    verdict: latest.end?.verdict ?? "incomplete",
    sum: context.sum ?? (latest.end?.sum || null),
    state: latest.end?.hash || null,
    records: timeline.length,
    events: context.events ?? (latest.end?.events || null),
    duration,
    wall,
    speed: wall === null || wall === 0 ? null : Math.round((duration * 1000) / wall),
    elections: latest.elections,
    leaderless: leaderless(reigns, duration),
    reigns,
    units: units(timeline),
    hosts: hosts(timeline),
    versions: versions(timeline),
    reboots: latest.reboots,
    crashes: latest.crashes,
    faults: chronicle.faults.map((fault) => ({
      id: fault.id,
      kind: fault.kind,
      text: fault.text,
      ...stretch(fault, duration),
    })),
    operations: chronicle.operations.map(event),
    violations: chronicle.violations.map(event),
    expectations: chronicle.expectations.map((notice) => ({
      ...event(notice),
      met: notice.kind === "expectation.met",
    })),
    replay: replayCommand(timeline, context.path),
    dropped: chronicle.dropped,
  };
}

function textField(value: unknown, name: string): string | null {
  if (typeof value !== "object" || value === null) return null;
  const field = Object.entries(value).find(([key]) => key === name)?.[1];
  if (typeof field === "string") return field;
  return typeof field === "number" ? String(field) : null;
}

function stretch(span: Span, end: Micros): ReportStretch {
  return { from: span.from, to: span.to, duration: (span.to ?? end) - span.from };
}

function leaderless(reigns: readonly ReportReign[], end: Micros): Micros {
  const first = reigns[0];
  if (first === undefined) return 0;
  const led = reigns.reduce((sum, reign) => sum + reign.duration, 0);
  return Math.max(0, end - first.from - led);
}

function units(timeline: Timeline): ReportUnit[] {
  const { chronicle, latest, duration } = timeline;
  return [...latest.units.values()]
    .sort((a, b) => compareNames(a.name, b.name))
    .map((unit) => {
      const outages = chronicle.units.get(unit.name)?.outages ?? [];
      const lengths = outages.map((outage) => (outage.to ?? duration) - outage.from);
      return {
        unit: unit.name,
        activeOn: unit.activeOn,
        wanted: unit.wanted,
        downtime: downtimeAt(unit, duration),
        outages: unit.outages,
        longestOutage: lengths.reduce((most, length) => Math.max(most, length), 0),
        moves: unit.moves,
        firstActive: unit.firstActive,
      };
    });
}

function hosts(timeline: Timeline): ReportHost[] {
  const { chronicle, latest, duration } = timeline;
  return latest.hosts.map((host, index) => {
    const powers = chronicle.hosts[index]?.powers ?? [];
    const boot = powers.findIndex((span) => span.power === "up");
    const downtime = powers
      .slice(Math.max(0, boot))
      .filter((span) => span.power !== "up")
      .reduce((sum, span) => sum + ((span.to ?? duration) - span.from), 0);
    return {
      host: host.name,
      zone: host.zone,
      power: host.power,
      boots: host.boots,
      downtime,
      version: host.version,
      slot: host.slot,
      staged: stagedSlot(host)?.version ?? "",
      role: roleLabel(host),
      term: host.etcd?.term ?? 0,
    };
  });
}

function versions(timeline: Timeline): { version: string; hosts: number }[] {
  const counts = new Map<string, number>();
  for (const { version } of timeline.latest.hosts) {
    if (version !== "") counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return [...counts]
    .map(([version, count]) => ({ version, hosts: count }))
    .sort((a, b) => b.hosts - a.hosts || (a.version < b.version ? -1 : 1));
}

function event(notice: Notice): ReportEvent {
  const { seq, at, host, kind, text } = notice;
  return { seq, at, host, kind, text, hosts: notice.hosts };
}

/** `orrery replay FILE#SEQ`, at the first violation if there is one. */
function replayCommand(timeline: Timeline, path: string | undefined): string | null {
  if (path === undefined) return null;
  const violation = timeline.chronicle.violations[0];
  const address = violation === undefined ? path : `${path}#${violation.seq}`;
  return `orrery replay ${/^[\w@%+=:,./#-]+$/.test(address) ? address : `'${address.replaceAll("'", "'\\''")}'`}`;
}
