import type { Span } from "../faults/plan.js";

/** Reads a quantity; null when the text is none, does not come out whole, or is out of range. */
export type QuantityReader = (text: string) => number | null;

const DURATION_UNITS: Readonly<Record<string, number>> = {
  us: 1,
  µs: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

const DECIMAL_BYTES = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const BINARY_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
const SIZE_UNITS: Readonly<Record<string, number>> = { ...DECIMAL_BYTES, ...BINARY_BYTES };
const RATE_UNITS: Readonly<Record<string, number>> = {
  bps: 1 / 8,
  kbps: 125,
  Kbps: 125,
  Mbps: 125_000,
  Gbps: 125_000_000,
  "B/s": 1,
  "KB/s": 1e3,
  "MB/s": 1e6,
  "GB/s": 1e9,
  "KiB/s": 1024,
  "MiB/s": 1024 ** 2,
  "GiB/s": 1024 ** 3,
};
const SHARE_UNITS: Readonly<Record<string, number>> = { "%": 10_000, ppm: 1 };

/** Longest duration, in µs: ten years. Sums and products of a few stay safe integers. */
export const DURATION_MAX = 3_650 * 86_400_000_000;

const ONE = /^(\d{1,16})(?:\.(\d{1,9}))?([^\d\s.]{1,8})/;

/** `1500us`, `250ms`, `1m30s`, `-50ms`, `1.5s`, `0`, in µs. */
export function readDuration(text: string): number | null {
  if (text === "0") return 0;
  const negative = text.startsWith("-");
  let rest = negative ? text.slice(1) : text;
  if (rest === "" || rest.length > 64) return null;
  let total = 0;
  while (rest !== "") {
    const match = ONE.exec(rest);
    const part = match === null ? null : scaled(match, DURATION_UNITS);
    if (match === null || part === null) return null;
    total += part;
    rest = rest.slice(match[0].length);
  }
  if (total > DURATION_MAX) return null;
  return negative && total !== 0 ? -total : total;
}

/** `512KiB`, `350MB`, `0`, in bytes. */
export const readSize: QuantityReader = (text) => single(text, SIZE_UNITS);

/** `1Gbps`, `100MB/s`, in bytes a second. */
export const readRate: QuantityReader = (text) => single(text, RATE_UNITS);

/** `1%`, `0.1%`, `500ppm`, `0`, in parts per million; at most all of it. */
export const readShare: QuantityReader = (text) => {
  const share = single(text, SHARE_UNITS);
  return share !== null && share <= 1_000_000 ? share : null;
};

/** `-50ppm`, `0.1%`: a signed deviation of at most 10 %, in parts per million. */
export const readDrift: QuantityReader = (text) => {
  const negative = text.startsWith("-");
  const drift = single(negative ? text.slice(1) : text, SHARE_UNITS);
  if (drift === null || drift > 100_000) return null;
  return negative && drift !== 0 ? -drift : drift;
};

/** A whole number of things, at most a million. */
export const readCount: QuantityReader = (text) => {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : null;
  return count !== null && count <= 1_000_000 ? count : null;
};

/** `low..high` or one value for both. Null when either is none or they are in the wrong order. */
export function readSpan(text: string, read: QuantityReader): Span | null {
  const dots = text.indexOf("..");
  const low = read((dots < 0 ? text : text.slice(0, dots)).trim());
  const high = dots < 0 ? low : read(text.slice(dots + 2).trim());
  if (low === null || high === null || low > high) return null;
  return { low, high };
}

/** As `readSpan` for counts, but either end may be open: `3..`, `..1`. */
export function readCountSpan(text: string): Span | null {
  if (text === "..") return null;
  const open = text.replace(/^\.\./, "0..").replace(/\.\.$/, "..1000000");
  return readSpan(open, readCount);
}

function single(text: string, units: Readonly<Record<string, number>>): number | null {
  if (text === "0") return 0;
  const match = /^(\d{1,16})(?:\.(\d{1,9}))?([^\d\s.]{1,8})$/.exec(text);
  return match === null ? null : scaled(match, units);
}

/** Whole part, fraction and unit of a match, exactly; null when it does not come out whole. */
function scaled(match: RegExpExecArray, units: Readonly<Record<string, number>>): number | null {
  const unit = Object.hasOwn(units, match[3] ?? "") ? units[match[3] ?? ""] : undefined;
  if (unit === undefined) return null;
  const fraction = match[2] ?? "";
  const whole = Number(match[1]) * unit;
  const part = (Number(fraction) * unit) / 10 ** fraction.length;
  const value = whole + part;
  return Number.isSafeInteger(whole) && Number.isInteger(part) && Number.isSafeInteger(value)
    ? value
    : null;
}

const DURATION_NAMES = [
  ["d", 86_400_000_000],
  ["h", 3_600_000_000],
  ["m", 60_000_000],
  ["s", 1_000_000],
  ["ms", 1_000],
  ["us", 1],
] as const;

/** A duration as `readDuration` reads it back: `1m30s`. */
export function writeDuration(micros: number): string {
  if (micros === 0) return "0";
  let rest = Math.abs(micros);
  let text = micros < 0 ? "-" : "";
  for (const [unit, size] of DURATION_NAMES) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
