import type { Micros } from "../../core/kernel/index.js";

const SECOND = 1_000_000;
const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  µs: 1,
  ms: 1_000,
  s: SECOND,
  m: 60 * SECOND,
  h: 3_600 * SECOND,
  d: 86_400 * SECOND,
};

/** `h:mm:ss.mmm`, from one day on `d:hh:mm:ss.mmm`; microseconds are cut off. */
export function formatTime(at: Micros): string {
  const millis = Math.floor(Math.max(0, at) / 1000);
  const seconds = Math.floor(millis / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const tail = `${two(minutes % 60)}:${two(seconds % 60)}.${String(millis % 1000).padStart(3, "0")}`;
  return hours < 24 ? `${hours}:${tail}` : `${Math.floor(hours / 24)}:${two(hours % 24)}:${tail}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** A duration in its two largest units, such as `850 ms`, `4.2 s`, `3 m 20 s`, `2 d 4 h`. */
export function formatDuration(duration: Micros): string {
  const value = Math.max(0, duration);
  if (value < 1_000) return `${Math.floor(value)} µs`;
  if (value < SECOND) return `${Math.floor(value / 1_000)} ms`;
  if (value < 60 * SECOND) return `${(Math.floor(value / 100_000) / 10).toFixed(1)} s`;
  const seconds = Math.floor(value / SECOND);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * A time as people write it, in microseconds: `12.5s`, `1m30s`, `1:02:03.5`, or bare seconds.
 * null for anything else.
 */
export function parseTime(text: string): Micros | null {
  if (/^\d+(:\d{1,2}){1,3}(\.\d+)?$/.test(text)) return parseClock(text);
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * SECOND);
  if (!/^(\d+(\.\d+)?(us|µs|ms|s|m|h|d))+$/.test(text)) return null;
  let total = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d+)?)(us|µs|ms|s|m|h|d)/g)) {
    total += Number(part[1]) * (UNITS[part[2] ?? ""] ?? 0);
  }
  return Math.round(total);
}

function parseClock(text: string): Micros {
  const parts = text.split(":").map(Number).reverse();
  const scale = [SECOND, 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND];
  return Math.round(parts.reduce((sum, part, i) => sum + part * (scale[i] ?? 0), 0));
}
