import { formatDuration, formatTime, type HostHistory, type Timeline } from "../timeline/index.js";
import { pack, stretches, type TimeScale } from "./axis.js";
import {
  cycle,
  FAINT,
  HOST_FILL,
  INK,
  LOCK,
  ROLE_FILL,
  VERSION_FILL,
  VIOLATION,
} from "./palette.js";
import { element, label, type Svg, text, tooltip } from "./svg.js";

/** What every part of the picture needs. */
export interface Sheet {
  readonly timeline: Timeline;
  readonly scale: TimeScale;
  readonly left: number;
  readonly right: number;
  /** OS versions in the order in which they appeared. */
  readonly versions: readonly string[];
}

const TEXT_WIDTH = 6.2;

/** A host's lane: lock above, the etcd role as a band, the OS version as a strip below it. */
export function hostLane(sheet: Sheet, index: number, y: number, height: number): Svg[] {
  const history = sheet.timeline.chronicle.hosts[index];
  if (history === undefined) return [];
  const band = Math.max(4, height - 9);
  return [
    laneName(history.name, history.zone, sheet.left, y + height / 2 + 1),
    ...roleBand(sheet, history, y + 3, band),
    ...versionStrip(sheet, history, y + 3 + band + 1, 3.5),
    ...lockBars(sheet, history.name, y, 2.5),
  ];
}

function laneName(name: string, zone: string, left: number, y: number): Svg {
  const shown = name.length > 14 ? `${name.slice(0, 13)}…` : name;
  const children = [element("tspan", { "font-weight": 600, fill: INK }, [text(shown)])];
  if (zone !== "") children.push(element("tspan", { fill: FAINT, dx: 5 }, [text(zone)]));
  return element("text", { x: left - 10, y: y + 3, "text-anchor": "end", class: "mono" }, children);
}

function roleBand(sheet: Sheet, history: HostHistory, y: number, height: number): Svg[] {
  const { timeline, scale } = sheet;
  const end = timeline.duration;
  return stretches(history.roles, scale, end, (span) => span.role).map(({ span, x, width }) => {
    const to = span.to ?? end;
    const about = `${history.name} ${span.role}${span.term > 0 ? `, term ${span.term}` : ""}`;
    const children: Svg[] = [
      element("rect", { x, y, width, height, fill: ROLE_FILL[span.role] }),
      tooltip(
        `${about}: ${formatTime(span.from)} – ${formatTime(to)} (${formatDuration(to - span.from)})`,
      ),
    ];
    const term = `term ${span.term}`;
    const termText = width > term.length * TEXT_WIDTH + 8 ? term : `${span.term}`;
    if (span.role === "leader" && height >= 10 && width > termText.length * TEXT_WIDTH + 6) {
      children.push(
        label(termText, { x: x + 5, y: y + height / 2 + 3.6, fill: "#ffffff", class: "small" }),
      );
    }
    return element("g", {}, children);
  });
}

function versionStrip(sheet: Sheet, history: HostHistory, y: number, height: number): Svg[] {
  const { timeline, scale, versions } = sheet;
  const drawn = stretches(history.versions, scale, timeline.duration, (span) => span.version);
  return drawn.map(({ span, x, width }) =>
    element(
      "rect",
      { x, y, width, height, fill: cycle(VERSION_FILL, versions.indexOf(span.version)) },
      [tooltip(`${history.name} runs ${span.version} from ${formatTime(span.from)}`)],
    ),
  );
}

function lockBars(sheet: Sheet, host: string, y: number, height: number): Svg[] {
  const { timeline, scale } = sheet;
  const held = timeline.chronicle.locks.filter((lock) => lock.holder === host);
  return stretches(held, scale, timeline.duration, () => "lock").map(({ span, x, width }) =>
    element("rect", { x, y, width: Math.max(2, width), height, fill: LOCK }, [
      tooltip(`${host} holds the reboot lock from ${formatTime(span.from)}`),
    ]),
  );
}

/** A unit's lane: where it was active, in the colour of the host, and its outages in red. */
export function unitLane(sheet: Sheet, name: string, y: number, height: number): Svg[] {
  const { timeline, scale, left } = sheet;
  const history = timeline.chronicle.units.get(name);
  if (history === undefined) return [];
  const end = timeline.duration;
  const hosts = timeline.chronicle.hosts.map((host) => host.name);
  const parts: Svg[] = [laneName(name.replace(/\.service$/, ""), "", left, y + height / 2)];
  const packed = pack(
    stretches(history.active, scale, end, (one) => one.host),
    0,
  );
  // A unit on many hosts at once, such as a global one, has its lane divided among them.
  const rows = Math.max(1, ...packed.map(({ row }) => row + 1));
  const bar = (height - 4) / rows;
  for (const { item, row } of packed) {
    const { span, x, width } = item;
    const children: Svg[] = [
      element("rect", {
        x,
        y: y + 2 + row * bar,
        width,
        height: bar,
        rx: Math.min(2, width / 2),
        fill: cycle(HOST_FILL, hosts.indexOf(span.host)),
      }),
      tooltip(`${name} active on ${span.host} from ${formatTime(span.from)}`),
    ];
    if (rows === 1 && height >= 14 && width > span.host.length * TEXT_WIDTH + 8) {
      children.push(
        label(span.host, { x: x + 5, y: y + height / 2 + 3.4, fill: INK, class: "small" }),
      );
    }
    parts.push(element("g", {}, children));
  }
  for (const { span, x, width } of stretches(history.outages, scale, end, () => "outage")) {
    const length = formatDuration((span.to ?? end) - span.from);
    parts.push(
      element("rect", { x, y: y + height / 2 - 1.5, width, height: 3, fill: VIOLATION }, [
        tooltip(`${name} active nowhere for ${length} from ${formatTime(span.from)}`),
      ]),
    );
  }
  return parts;
}
