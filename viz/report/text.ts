import type { Micros } from "../../core/kernel/index.js";
import { formatDuration, formatTime, printable } from "../timeline/index.js";
import type { Report, ReportEvent, ReportFault, ReportReign } from "./report.js";

const WIDTH = 100;
/** Rows of a table before the rest is counted only; `--json` has them all. */
const ROWS_MAX = 24;

export interface TextOptions {
  readonly colour: boolean;
}

type Tone = "good" | "bad" | "warn" | "dim" | "bold";
const CODES: Readonly<Record<Tone, string>> = {
  good: "32",
  bad: "1;31",
  warn: "33",
  dim: "2",
  bold: "1",
};

/** The report as plain text of at most 100 columns; with colour for terminals. */
export function formatReport(report: Report, options: TextOptions): string {
  const tone = (text: string, as: Tone): string =>
    options.colour && text !== "" ? `\u001b[${CODES[as]}m${text}\u001b[0m` : text;
  const lines = [
    ...summary(report, tone),
    ...violations(report, tone),
    ...expectations(report, tone),
    ...leaders(report, tone),
    ...units(report, tone),
    ...hosts(report, tone),
    ...faults(report, tone),
    ...operations(report, tone),
    ...tail(report, tone),
  ];
  return `${lines.join("\n")}\n`;
}

type Toner = (text: string, as: Tone) => string;

function summary(report: Report, tone: Toner): string[] {
  const seed = report.seed === null ? "" : `, seed ${report.seed}`;
  const verdict = report.verdict.toUpperCase();
  const as = report.verdict === "held" ? "good" : report.verdict === "violated" ? "bad" : "warn";
  const title = clip(printable(`${report.scenario}${seed}`), WIDTH - verdict.length - 2);
  const real =
    report.wall === null ? "" : `, in ${formatDuration(report.wall)}${ratio(report.speed)}`;
  const events = report.events === null ? "" : `${count(report.events)} events, `;
  return [
    `${tone(title, "bold")}  ${tone(verdict, as)}`,
    `${formatDuration(report.duration)}${report.log === "run" ? " simulated" : " recorded"}${real}; ` +
      `${events}${count(report.records)} records`,
  ];
}

function ratio(speed: number | null): string {
  if (speed === null) return "";
  const times = speed < 10_000 ? (speed / 1000).toFixed(1) : count(Math.round(speed / 1000));
  return ` (${times} times real time)`;
}

function violations(report: Report, tone: Toner): string[] {
  if (report.violations.length === 0) return ["", `${tone("invariants", "bold")}  all held`];
  const lines = ["", `${tone("invariants", "bold")}  ${tone("violated", "bad")}`];
  for (const violation of report.violations.slice(0, ROWS_MAX)) {
    lines.push(...paragraph(`  ✗ ${violation.text}`, 4).map((line) => tone(line, "bad")));
    lines.push(...paragraph(`    ${where(violation)}`, 4));
  }
  return [...lines, ...rest(report.violations.length)];
}

function where(event: ReportEvent): string {
  const hosts = event.hosts.length > 0 ? event.hosts.join(", ") : event.host;
  return `at ${formatTime(event.at)}, #${event.seq}${hosts === "" ? "" : `, on ${printable(hosts)}`}`;
}

function expectations(report: Report, tone: Toner): string[] {
  if (report.expectations.length === 0) return [];
  const lines = ["", tone("expectations", "bold")];
  for (const expectation of report.expectations.slice(0, ROWS_MAX)) {
    const sign = expectation.met ? "✓" : "✗";
    const text = paragraph(`  ${sign} ${expectation.text}`, 4);
    lines.push(...text.map((line) => (expectation.met ? line : tone(line, "bad"))));
  }
  return [...lines, ...rest(report.expectations.length)];
}

function leaders(report: Report, tone: Toner): string[] {
  if (report.reigns.length === 0) return [];
  const head = `${plural(report.elections, "election")}, without a leader for ${formatDuration(report.leaderless)}`;
  const rows = report.reigns.map((reign: ReportReign) => [
    printable(reign.host),
    `term ${reign.term}`,
    formatTime(reign.from),
    until(reign.to),
    formatDuration(reign.duration),
  ]);
  const columns: Column[] = [
    left("leader"),
    left("term"),
    right("from"),
    right("to"),
    right("for"),
  ];
  return ["", `${tone("leaders", "bold")}  ${head}`, ...table(columns, rows, tone)];
}

function units(report: Report, tone: Toner): string[] {
  if (report.units.length === 0) return [];
  const rows = report.units.map((unit) => [
    printable(unit.unit),
    unit.activeOn.length > 0
      ? printable(unit.activeOn.join(" "))
      : unit.wanted
        ? "nowhere"
        : "stopped",
    formatDuration(unit.downtime),
    String(unit.outages),
    formatDuration(unit.longestOutage),
    String(unit.moves),
    unit.firstActive === null ? "never" : formatTime(unit.firstActive),
  ]);
  const columns = [
    left("unit"),
    left("active on"),
    right("down"),
    right("outages"),
    right("longest"),
    right("moves"),
    right("first active"),
  ];
  return ["", tone("units", "bold"), ...table(columns, rows, tone)];
}

function hosts(report: Report, tone: Toner): string[] {
  if (report.hosts.length === 0) return [];
  const versions = report.versions.map(({ version, hosts: n }) => `${n} on ${version}`).join(", ");
  const restarts = `${plural(report.reboots, "reboot")}, ${plural(report.crashes, "crash", "crashes")}`;
  const rows = report.hosts.map((host) => [
    printable(host.host),
    printable(host.zone),
    host.power,
    printable(host.version) + (host.staged === "" ? "" : ` (next ${printable(host.staged)})`),
    printable(host.slot),
    host.role === "none" ? "" : host.role,
    String(host.boots),
    formatDuration(host.downtime),
  ]);
  const columns = [
    left("host"),
    left("zone"),
    left("is"),
    left("OS"),
    left("slot"),
    left("etcd"),
    right("boots"),
    right("down"),
  ];
  const head = [`${tone("hosts", "bold")}  ${printable(versions)}`, restarts].filter(
    (s) => s !== "",
  );
  return ["", ...paragraph(head.join("; "), 2), ...table(columns, rows, tone)];
}

function faults(report: Report, tone: Toner): string[] {
  if (report.faults.length === 0) return [];
  const rows = report.faults.map((fault: ReportFault) => [
    formatTime(fault.from),
    until(fault.to),
    formatDuration(fault.duration),
    fault.text,
  ]);
  const columns = [right("from"), right("to"), right("for"), left("fault")];
  return ["", `${tone("faults", "bold")}  ${report.faults.length}`, ...table(columns, rows, tone)];
}

function operations(report: Report, tone: Toner): string[] {
  if (report.operations.length === 0) return [];
  const rows = report.operations.map((event) => [
    formatTime(event.at),
    `#${event.seq}`,
    event.text,
  ]);
  return [
    "",
    tone("operator", "bold"),
    ...table([right("at"), right("seq"), left("action")], rows, tone),
  ];
}

function tail(report: Report, tone: Toner): string[] {
  const lines = [""];
  if (report.dropped > 0) {
    lines.push(
      `${count(report.dropped)} spans and events were too many to keep: the lists are cut.`,
    );
  }
  if (report.sum !== null) lines.push(`log hash    ${printable(report.sum)}`);
  if (report.state !== null) lines.push(`state hash  ${printable(report.state)}`);
  if (report.verdict === "incomplete") {
    const why = "the log has no end record: it was cut off, or is still being written";
    lines.push(tone(why, "warn"));
  }
  if (report.replay !== null) lines.push(`replay      ${report.replay}`);
  return lines;
}

interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

function left(title: string): Column {
  return { title, align: "left" };
}

function right(title: string): Column {
  return { title, align: "right" };
}

/** Rows under titles, two spaces apart; the widest text column gives way until a line fits. */
function table(columns: readonly Column[], all: readonly string[][], tone: Toner): string[] {
  const rows = all.slice(0, ROWS_MAX);
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  narrow(widths, columns);
  const line = (cells: readonly string[]): string =>
    `  ${columns
      .map((column, i) => {
        const cell = clip(cells[i] ?? "", widths[i] ?? 0);
        return column.align === "left"
          ? cell.padEnd(widths[i] ?? 0)
          : cell.padStart(widths[i] ?? 0);
      })
      .join("  ")}`.trimEnd();
  const titles = tone(line(columns.map((column) => column.title)), "dim");
  return [titles, ...rows.map(line), ...rest(all.length)];
}

function narrow(widths: number[], columns: readonly Column[]): void {
  const room = WIDTH - 2 * columns.length;
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width, 0) - room;
    if (excess <= 0) return;
    const widest = widths.indexOf(Math.max(...widths));
    const next = Math.max(4, (widths[widest] ?? 0) - excess);
    if (next === widths[widest]) return;
    widths[widest] = next;
  }
}

function rest(total: number): string[] {
  return total > ROWS_MAX ? [`  and ${count(total - ROWS_MAX)} more (--json lists all)`] : [];
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A text broken at spaces to lines of at most 100 columns, those after the first indented. */
function paragraph(text: string, indent: number): string[] {
  const lines: string[] = [];
  let restText = text;
  while (restText.length > WIDTH) {
    const space = restText.lastIndexOf(" ", WIDTH);
    const cut = space > indent + 20 ? space : WIDTH;
    lines.push(restText.slice(0, cut));
    restText = " ".repeat(indent) + restText.slice(cut).trimStart();
  }
  return [...lines, restText];
}

function until(to: Micros | null): string {
  return to === null ? "end" : formatTime(to);
}

function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
