import { area, curveStepAfter, max, type SeriesPoint, scaleLinear, stack } from "d3";
import type { Micros } from "../../core/kernel/index.js";
import type { Timeline } from "../timeline/index.js";
import type { Sheet } from "./lanes.js";
import { cycle, FAINT, GRID, VERSION_FILL } from "./palette.js";
import { element, label, type Svg, tooltip } from "./svg.js";

interface Count {
  readonly at: Micros;
  /** Hosts up with each version, in the order of `Sheet.versions`. */
  readonly hosts: readonly number[];
}

const POINTS_MAX = 4_000;

/** OS versions in the order in which hosts first ran them. */
export function versionsOf(timeline: Timeline): string[] {
  return timeline.chronicle.hosts
    .flatMap((host) => host.versions)
    .sort((a, b) => a.from - b.from)
    .map((span) => span.version)
    .filter((version, place, all) => all.indexOf(version) === place);
}

/** How many hosts are up with each version over time, stacked: a rollout as a rising area. */
export function adoptionArea(sheet: Sheet, y: number, height: number): Svg[] {
  const { timeline, scale, versions, left, right } = sheet;
  const counts = countsOverTime(timeline, versions);
  const total = timeline.chronicle.hosts.length;
  const up = scaleLinear()
    .domain([0, Math.max(1, total)])
    .range([y + height, y]);
  const shape = area<SeriesPoint<Count>>()
    .x((point) => scale(point.data.at))
    .y0((point) => up(point[0]))
    .y1((point) => up(point[1]))
    .curve(curveStepAfter);
  const keys = versions.map((_, place) => place);
  const series = stack<unknown, Count, number>()
    .keys(keys)
    .value((count, key) => count.hosts[key] ?? 0)(counts);
  const peak = max(counts, (count) => count.hosts.reduce((sum, hosts) => sum + hosts, 0)) ?? 0;
  return [
    element("line", { x1: left, x2: right, y1: y, y2: y, stroke: GRID }),
    element("line", { x1: left, x2: right, y1: y + height, y2: y + height, stroke: GRID }),
    ...series.map((layer) =>
      element(
        "path",
        {
          d: rounded(shape(layer) ?? ""),
          fill: cycle(VERSION_FILL, layer.key),
          "fill-opacity": 0.75,
        },
        [
          tooltip(
            `hosts up with ${versions[layer.key] ?? ""}, at most ${peak} of ${total} up at once`,
          ),
        ],
      ),
    ),
    label(String(total), {
      x: left - 10,
      y: y + 4,
      class: "small",
      "text-anchor": "end",
      fill: FAINT,
    }),
    label("0", {
      x: left - 10,
      y: y + height + 3,
      class: "small",
      "text-anchor": "end",
      fill: FAINT,
    }),
  ];
}

function rounded(path: string): string {
  return path.replace(/\d+\.\d+/g, (number) => String(Math.round(Number(number) * 10) / 10));
}

function countsOverTime(timeline: Timeline, versions: readonly string[]): Count[] {
  const steps: { at: Micros; version: number; by: 1 | -1 }[] = [];
  const end = timeline.duration;
  for (const host of timeline.chronicle.hosts) {
    for (const power of host.powers) {
      if (power.power !== "up") continue;
      for (const span of host.versions) {
        const from = Math.max(span.from, power.from);
        const to = Math.min(span.to ?? end, power.to ?? end);
        if (from >= to) continue;
        const version = versions.indexOf(span.version);
        steps.push({ at: from, version, by: 1 }, { at: to, version, by: -1 });
      }
    }
  }
  steps.sort((a, b) => a.at - b.at || a.by - b.by);
  const now = versions.map(() => 0);
  const counts: Count[] = [{ at: 0, hosts: [...now] }];
  const apart = end / POINTS_MAX;
  for (const step of steps) {
    if (step.at >= end) break;
    now[step.version] = (now[step.version] ?? 0) + step.by;
    const last = counts.at(-1);
    if (last !== undefined && step.at - last.at < apart) counts.pop();
    counts.push({ at: step.at, hosts: [...now] });
  }
  return [...counts, { at: end, hosts: [...now] }];
}
