import { symbol, symbolTimes } from "d3";
import {
  compareNames,
  type FaultSpan,
  formatDuration,
  formatTime,
  type RoleLabel,
  type Timeline,
} from "../timeline/index.js";
import { adoptionArea, versionsOf } from "./adoption.js";
import { pack, stretches, tickLabel, timeScale, timeTicks } from "./axis.js";
import { hostLane, type Sheet, unitLane } from "./lanes.js";
import {
  cycle,
  FAINT,
  FAULT,
  GRID,
  INK,
  LOCK,
  PAPER,
  ROLE_FILL,
  VERSION_FILL,
  VIOLATION,
} from "./palette.js";
import { element, label, type Svg, tooltip } from "./svg.js";

export interface SpaceTimeOptions {
  /** Width in pixels; the height follows from what there is to show. */
  readonly width?: number;
  readonly title?: string;
}

/** Lanes shown; the picture says how many more there are. */
export const HOST_LANES_MAX = 120;
export const UNIT_LANES_MAX = 80;
const FAULT_ROWS_MAX = 8;
const FAULT_ROW = 15;
const LEFT = 128;
const MARGIN = 24;

/**
 * The space-time picture of a run, as an SVG document: faults on top, then a lane for each host
 * (etcd role, OS version, reboot lock) and each unit (where it was active, its outages), and how
 * many hosts ran which version. Violations cross everything. Its size depends on lanes and width,
 * not on the length of the log.
 */
export function spaceTime(timeline: Timeline, options: SpaceTimeOptions = {}): Svg {
  const width = options.width ?? 1200;
  const right = width - MARGIN;
  const scale = timeScale(timeline.duration, LEFT, right);
  const sheet: Sheet = { timeline, scale, left: LEFT, right, versions: versionsOf(timeline) };
  const parts: Svg[] = [...heading(timeline, options.title, width)];
  let y = 74;
  const faults = faultRows(sheet, y);
  parts.push(...faults.parts);
  y += faults.height;
  const operations = operationRow(sheet, y);
  parts.push(...operations.parts);
  y += operations.height;
  const hosts = hostLanes(sheet, y);
  y += hosts.height;
  const units = unitLanes(sheet, y);
  y += units.height;
  const adoption = adoptionPart(sheet, y);
  y += adoption.height;
  parts.unshift(...axis(sheet, 64, y));
  parts.push(...hosts.parts, ...faultBands(sheet, hosts.laneOf, hosts.laneHeight));
  parts.push(...units.parts, ...adoption.parts, ...violationLines(sheet, 64, y));
  parts.push(...legend(sheet, y + 26, width));
  return document(width, y + 62, parts);
}

function document(width: number, height: number, parts: readonly Svg[]): Svg {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  const body = [styles(), element("rect", { width, height, fill: PAPER }), ...parts];
  return `${element("svg", { xmlns: "http://www.w3.org/2000/svg", ...size, role: "img" }, body)}\n`;
}

function styles(): Svg {
  const css =
    "text{font-family:ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;font-size:11px}" +
    ".mono{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:11px}" +
    ".small{font-size:10px}.title{font-size:17px;font-weight:600}";
  const hatch = (id: string, paper: string, ink: string): Svg =>
    element(
      "pattern",
      { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      [
        element("rect", { width: 6, height: 6, fill: paper }),
        element("rect", { width: 2, height: 6, fill: ink }),
      ],
    );
  return element("defs", {}, [
    element("style", {}, [css]),
    hatch("down", "#374151", "#6b7280"),
    hatch("stopped", "#e5e7eb", "#9ca3af"),
  ]);
}

function heading(timeline: Timeline, title: string | undefined, width: number): Svg[] {
  const { origin } = timeline.header;
  const scenario = origin.scenario;
  const named =
    typeof scenario === "object" && scenario !== null && "name" in scenario ? scenario.name : null;
  const name = title ?? (typeof named === "string" ? named : "log");
  const seed = origin.seed;
  const { latest, chronicle, duration } = timeline;
  const facts = [
    typeof seed === "number" ? `seed ${seed}` : "",
    `${formatDuration(duration)} simulated`,
    `${latest.hosts.length} hosts`,
    counted(latest.elections, "election"),
    counted(chronicle.faults.length, "fault"),
    counted(latest.violations, "violation"),
    latest.expectationsFailed === 0
      ? ""
      : `${counted(latest.expectationsFailed, "expectation")} failed`,
    chronicle.dropped === 0 ? "" : `${chronicle.dropped} later changes are not shown`,
  ].filter((fact) => fact !== "");
  const verdict = latest.end?.verdict ?? "incomplete";
  const fill = verdict === "held" ? "#059669" : verdict === "violated" ? VIOLATION : FAINT;
  const chip = verdict.length * 7 + 20;
  return [
    label(name, { x: MARGIN, y: 28, class: "title", fill: INK }),
    label(facts.join("  ·  "), { x: MARGIN, y: 46, fill: FAINT }),
    element("rect", { x: width - MARGIN - chip, y: 14, width: chip, height: 20, rx: 10, fill }),
    label(verdict, {
      x: width - MARGIN - chip / 2,
      y: 28,
      fill: "#ffffff",
      "text-anchor": "middle",
      "font-weight": 600,
    }),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function axis(sheet: Sheet, top: number, bottom: number): Svg[] {
  const { scale, timeline, left, right } = sheet;
  return timeTicks(timeline.duration, Math.floor((right - left) / 90)).flatMap((at) => {
    const x = scale(at);
    return [
      element("line", { x1: x, x2: x, y1: top + 4, y2: bottom, stroke: GRID }),
      label(tickLabel(at), { x, y: top, class: "small", fill: FAINT, "text-anchor": "middle" }),
    ];
  });
}

interface Part {
  readonly parts: Svg[];
  readonly height: number;
}

function faultRows(sheet: Sheet, y: number): Part {
  const { timeline, scale, left } = sheet;
  const { faults } = timeline.chronicle;
  if (faults.length === 0) return { parts: [], height: 0 };
  const drawn = stretches(faults, scale, timeline.duration, (fault) => fault.kind);
  const packed = pack(drawn, 3);
  const rows = Math.min(FAULT_ROWS_MAX, Math.max(...packed.map((one) => one.row)) + 1);
  const parts = packed
    .filter((one) => one.row < rows)
    .map(({ item, row }) => faultBar(item.span, item.x, y + row * FAULT_ROW, item.width, timeline));
  const name = { x: left - 10, y: y + 10, "text-anchor": "end", fill: FAULT, "font-weight": 600 };
  const beyond = packed.filter((one) => one.row >= rows).length;
  if (beyond > 0) {
    const more = `${beyond} more overlap`;
    parts.push(label(more, { ...name, y: y + 10 + FAULT_ROW, class: "small" }));
  }
  return { parts: [label("faults", name), ...parts], height: rows * FAULT_ROW + 8 };
}

function faultBar(fault: FaultSpan, x: number, y: number, width: number, timeline: Timeline): Svg {
  const to = fault.to ?? timeline.duration;
  const text = `${fault.kind}${fault.hosts.length === 1 ? ` ${fault.hosts[0]}` : ""}`;
  const shown = text.length * 5.6 + 8 <= width ? text : "";
  const children: Svg[] = [
    element("rect", {
      x,
      y,
      width: Math.max(2, width),
      height: 12,
      rx: 2,
      fill: FAULT,
      "fill-opacity": 0.85,
    }),
    tooltip(`${fault.text}: ${formatTime(fault.from)} – ${formatTime(to)}`),
  ];
  if (shown !== "") {
    children.push(label(shown, { x: x + 4, y: y + 9.4, class: "small", fill: "#ffffff" }));
  }
  return element("g", {}, children);
}

const FLAG_WIDTH = 8;

/** What operators did, each named where there is room; actions at about one time share a flag. */
function operationRow(sheet: Sheet, y: number): Part {
  const { timeline, scale, left } = sheet;
  const { operations } = timeline.chronicle;
  if (operations.length === 0) return { parts: [], height: 0 };
  const head = { x: left - 10, y: y + 10, "text-anchor": "end", fill: INK, "font-weight": 600 };
  const parts: Svg[] = [label("operator", head)];
  let free = -Infinity;
  let lastPixel = -Infinity;
  for (const { at, text } of operations) {
    const x = scale(at);
    if (x - lastPixel < FLAG_WIDTH) continue;
    lastPixel = x;
    const flag = { points: `${x},${y + 2} ${x + 6},${y + 5} ${x},${y + 8} ${x},${y + 13}` };
    parts.push(
      element("polyline", { ...flag, fill: INK, stroke: INK }, [
        tooltip(`${formatTime(at)} ${text}`),
      ]),
    );
    const name = text.split(" ")[0] ?? "";
    const room = name.length * 5.2 + 12;
    if (x < free || x + room > sheet.right) continue;
    free = x + room;
    parts.push(label(name, { x: x + 9, y: y + 10, class: "small", fill: FAINT }));
  }
  return { parts, height: 20 };
}

interface HostPart extends Part {
  readonly laneHeight: number;
  /** Top of a host's lane, or null if it has none. */
  readonly laneOf: (host: string) => number | null;
}

function hostLanes(sheet: Sheet, top: number): HostPart {
  const { hosts } = sheet.timeline.chronicle;
  const shown = Math.min(hosts.length, HOST_LANES_MAX);
  const laneHeight = shown > 40 ? 14 : shown > 16 ? 20 : 30;
  const gap = shown > 40 ? 2 : 5;
  const y = top + 6;
  const parts: Svg[] = [];
  for (let i = 0; i < shown; i++)
    parts.push(...hostLane(sheet, i, y + i * (laneHeight + gap), laneHeight));
  let height = 6 + shown * (laneHeight + gap) + 8;
  if (hosts.length > shown) {
    parts.push(more(sheet, `and ${hosts.length - shown} more hosts`, top + height + 4));
    height += 18;
  }
  const places = new Map(
    hosts.slice(0, shown).map((host, i) => [host.name, y + i * (laneHeight + gap)]),
  );
  return { parts, height, laneHeight, laneOf: (host) => places.get(host) ?? null };
}

function more(sheet: Sheet, text: string, y: number): Svg {
  return label(text, { x: sheet.left, y, class: "small", fill: FAINT });
}

function unitLanes(sheet: Sheet, top: number): Part {
  const names = [...sheet.timeline.chronicle.units.keys()].sort(compareNames);
  if (names.length === 0) return { parts: [], height: 0 };
  const shown = names.slice(0, UNIT_LANES_MAX);
  const lane = shown.length > 30 ? 12 : 17;
  const parts: Svg[] = [caption(sheet, "units", top + 10)];
  shown.forEach((name, i) => {
    parts.push(...unitLane(sheet, name, top + 16 + i * lane, lane));
  });
  let height = 16 + shown.length * lane + 12;
  if (names.length > shown.length) {
    parts.push(more(sheet, `and ${names.length - shown.length} more units`, top + height));
    height += 16;
  }
  return { parts, height };
}

function adoptionPart(sheet: Sheet, top: number): Part {
  if (sheet.versions.length === 0) return { parts: [], height: 0 };
  const height = 44;
  return {
    parts: [caption(sheet, "hosts up, by OS", top + 10), ...adoptionArea(sheet, top + 16, height)],
    height: height + 26,
  };
}

function caption(sheet: Sheet, text: string, y: number): Svg {
  return label(text, { x: sheet.left, y, class: "small", fill: FAINT, "font-weight": 600 });
}

/** Each fault as a shade over the lanes of the hosts it names, or over all if it names none. */
function faultBands(
  sheet: Sheet,
  laneOf: (host: string) => number | null,
  laneHeight: number,
): Svg[] {
  const { timeline, scale } = sheet;
  const { faults, hosts } = timeline.chronicle;
  const drawn = stretches(faults, scale, timeline.duration, (fault) => fault.hosts.join(" "));
  return drawn.flatMap(({ span, x, width }) => {
    const named = span.hosts.length > 0 ? span.hosts : hosts.map((host) => host.name);
    return named.flatMap((host) => {
      const y = laneOf(host);
      if (y === null) return [];
      const shade = {
        x,
        y: y - 2,
        width,
        height: laneHeight + 4,
        fill: FAULT,
        "fill-opacity": 0.2,
      };
      return [element("rect", shade)];
    });
  });
}

/** Violated invariants and failed expectations, across everything. */
function violationLines(sheet: Sheet, top: number, bottom: number): Svg[] {
  const { timeline, scale, right } = sheet;
  const cross = symbol(symbolTimes, 70)() ?? "";
  let lastPixel = -10;
  let lastLabel = -Infinity;
  const { violations, expectations } = timeline.chronicle;
  const failed = expectations.filter(({ kind }) => kind === "expectation.failed");
  const marked = [...violations, ...failed].sort((a, b) => a.seq - b.seq);
  return marked.flatMap((violation) => {
    const x = scale(violation.at);
    if (x - lastPixel < 1) return [];
    lastPixel = x;
    const whole = violation.text.split(/:| \(/)[0] ?? "";
    const name = whole.length > 36 ? `${whole.slice(0, 35)}…` : whole;
    const room = name.length * 6 + 14;
    const toLeft = x + room > right;
    const line = { x1: x, x2: x, y1: top + 6, y2: bottom, stroke: VIOLATION, "stroke-width": 1.4 };
    const parts = [
      element("line", { ...line, "stroke-dasharray": "4 2" }),
      element("path", {
        d: cross,
        transform: `translate(${Math.round(x * 10) / 10} ${bottom + 6})`,
        stroke: VIOLATION,
        "stroke-width": 2,
        fill: "none",
      }),
      tooltip(`#${violation.seq} ${formatTime(violation.at)} ${violation.text}`),
    ];
    if (x - lastLabel > room) {
      lastLabel = x;
      const anchor = {
        "text-anchor": toLeft ? "end" : "start",
        fill: VIOLATION,
        "font-weight": 600,
      };
      parts.push(
        label(name, { x: x + (toLeft ? -9 : 9), y: bottom + 10, class: "small", ...anchor }),
      );
    }
    return [element("g", {}, parts)];
  });
}

const ROLES_SHOWN: readonly RoleLabel[] = [
  "leader",
  "candidate",
  "pre-candidate",
  "follower",
  "down",
];

function legend(sheet: Sheet, y: number, width: number): Svg[] {
  const items: (readonly [text: string, fill: string])[] = [
    ...ROLES_SHOWN.map((role) => [role, ROLE_FILL[role]] as const),
    ["reboot lock", LOCK],
    ["fault", FAULT],
    ["unit active nowhere", VIOLATION],
    ...sheet.versions.map((version, i) => [`OS ${version}`, cycle(VERSION_FILL, i)] as const),
  ];
  const parts: Svg[] = [];
  let x = sheet.left;
  let row = y;
  for (const [text, fill] of items) {
    const room = text.length * 5.8 + 32;
    if (x + room > width - MARGIN) {
      x = sheet.left;
      row += 16;
    }
    parts.push(element("rect", { x, y: row, width: 14, height: 9, rx: 1.5, fill }));
    parts.push(label(text, { x: x + 19, y: row + 8.4, class: "small", fill: FAINT }));
    x += room;
  }
  return parts;
}
