import { type ScaleLinear, scaleLinear } from "d3";
import type { Micros } from "../../core/kernel/index.js";
import type { Span } from "../timeline/index.js";

/** Pixels of a time. */
export type TimeScale = ScaleLinear<number, number>;

export function timeScale(duration: Micros, left: number, right: number): TimeScale {
  return scaleLinear()
    .domain([0, Math.max(1, duration)])
    .range([left, right]);
}

const SECOND = 1_000_000;
const STEPS: readonly number[] = [
  1_000,
  2_000,
  5_000,
  10_000,
  20_000,
  50_000,
  100_000,
  200_000,
  500_000,
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].map(
    (seconds) => seconds * SECOND,
  ),
  ...[1, 2, 7, 14, 30, 90, 365].map((days) => days * 86_400 * SECOND),
];

/** Times to label: round ones as people count time, about `count` of them. */
export function timeTicks(duration: Micros, count: number): Micros[] {
  const step = STEPS.find((candidate) => duration / candidate <= count) ?? STEPS.at(-1) ?? SECOND;
  const ticks: Micros[] = [];
  for (let at = 0; at <= duration && ticks.length < 200; at += step) ticks.push(at);
  return ticks;
}

/** A time as short as the axis allows: `0`, `250 ms`, `1:30`, `2:05:00`, `3 d`. */
export function tickLabel(at: Micros): string {
  if (at === 0) return "0";
  if (at < SECOND) return `${Math.round(at / 1000)} ms`;
  const seconds = at / SECOND;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (hours === 0) return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  if (hours % 24 === 0 && whole % 3600 === 0) return `${hours / 24} d`;
  return `${hours}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** A span in pixels. */
export interface Stretch<S> {
  readonly span: S;
  readonly x: number;
  readonly width: number;
}

const WIDTH_MIN = 0.8;

/**
 * Spans as pixels, of which there are never many more than the lane has: of spans narrower than
 * a pixel only the first of each look is kept in each pixel, widened to be seen.
 */
export function stretches<S extends Span>(
  spans: readonly S[],
  scale: TimeScale,
  end: Micros,
  lookOf: (span: S) => string,
): Stretch<S>[] {
  const drawn: Stretch<S>[] = [];
  const tiny = new Map<string, number>();
  for (const span of spans) {
    const x = scale(span.from);
    const width = scale(span.to ?? end) - x;
    if (width >= WIDTH_MIN) {
      drawn.push({ span, x, width });
      continue;
    }
    const look = lookOf(span);
    const pixel = Math.floor(x);
    if (tiny.get(look) === pixel) continue;
    tiny.set(look, pixel);
    drawn.push({ span, x, width: WIDTH_MIN });
  }
  return drawn;
}

/** Rows for spans such that those in one row do not overlap; the first free row is taken. */
export function pack<S>(
  items: readonly Stretch<S>[],
  gap: number,
): { readonly item: Stretch<S>; readonly row: number }[] {
  const ends: number[] = [];
  return [...items]
    .sort((a, b) => a.x - b.x)
    .map((item) => {
      const free = ends.findIndex((end) => end + gap <= item.x);
      const row = free < 0 ? ends.length : free;
      ends[row] = item.x + item.width;
      return { item, row };
    });
}
