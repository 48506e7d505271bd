import { z } from "zod";
import type { DiagnosticCode } from "../../core/kernel/index.js";
import type { Span } from "../faults/plan.js";
import { show } from "./document.js";
import {
  type QuantityReader,
  readCount,
  readCountSpan,
  readDrift,
  readDuration,
  readRate,
  readShare,
  readSize,
  readSpan,
} from "./quantity.js";

/** What a field's check says besides where; `issues.ts` makes a diagnostic of it. */
export interface FieldProblem {
  readonly code: DiagnosticCode;
  readonly found: string;
  readonly expected: string;
  readonly advice: string;
}

/** A field read from a text (or a bare number) by `read`, which answers null to what it cannot read. */
function field<T>(expected: string, read: (text: string) => T | null) {
  return z.unknown().transform((value, context): T => {
    if (typeof value === "string" || typeof value === "number") {
      const parsed = read(String(value).trim());
      if (parsed !== null) return parsed;
    }
    const params: FieldProblem =
      value === undefined
        ? { code: "E_SCENARIO_MISSING_KEY", found: "nothing", expected, advice: "Add it." }
        : {
            code: "E_SCENARIO_VALUE",
            found: show(value),
            expected,
            advice: adviceFor(value, expected),
          };
    context.issues.push({ code: "custom", input: value, params: { ...params } });
    return z.NEVER;
  });
}

function adviceFor(value: unknown, expected: string): string {
  if (typeof value === "number" && expected.startsWith("a duration")) {
    return `Say in what unit: ${value}s or ${value}ms.`;
  }
  if (typeof value === "string" && value.includes("..")) return "Write the smaller end first.";
  if (typeof value === "string" && value.startsWith("-"))
    return "Use a value that is not negative.";
  return "Write it in that form.";
}

const notNegative =
  (read: QuantityReader): QuantityReader =>
  (text) => {
    const value = read(text);
    return value !== null && value >= 0 ? value : null;
  };

const positive =
  (read: QuantityReader): QuantityReader =>
  (text) => {
    const value = read(text);
    return value !== null && value > 0 ? value : null;
  };

const span =
  (read: QuantityReader) =>
  (text: string): Span | null =>
    readSpan(text, read);

/** A span of which either end may be left out. */
const openSpan =
  (read: QuantityReader, least: string, most: string) =>
  (text: string): Span | null =>
    text === ".."
      ? null
      : readSpan(text.replace(/^\.\./, `${least}..`).replace(/\.\.$/, `..${most}`), read);

export const duration = field("a duration such as 250ms or 1m30s", notNegative(readDuration));
export const positiveDuration = field(
  "a duration longer than 0, such as 40s",
  positive(readDuration),
);
export const signedDuration = field("a duration such as 250ms or -2s", readDuration);
export const durationSpan = field(
  "a duration or a span of durations, such as 2ms or 2ms..6ms",
  span(notNegative(readDuration)),
);
export const positiveDurationSpan = field(
  "a duration or a span of durations longer than 0, such as 10s..40s",
  span(positive(readDuration)),
);
export const signedDurationSpan = field(
  "a span of durations such as -50ms..50ms",
  span(readDuration),
);
export const driftSpan = field("a span of deviations such as -50ppm..50ppm", span(readDrift));
export const drift = field("a deviation such as 50ppm or -200ppm", readDrift);
export const size = field("a size such as 512KiB or 300MB", positive(readSize));
export const rate = field("a rate such as 1Gbps or 100MB/s", positive(readRate));
export const share = field("a share such as 1%, 0.1% or 500ppm", readShare);
export const shareSpan = field(
  "a share or a span of shares, such as 1% or 0%..5%",
  span(readShare),
);
export const openDurationSpan = field(
  "a duration or a span of durations, such as ..5s, 2s..10s or 30s..",
  openSpan(notNegative(readDuration), "0s", "3650d"),
);
export const openShareSpan = field(
  "a share or a span of shares, such as ..5%, 40%..60% or 95%..",
  openSpan(readShare, "0%", "100%"),
);
export const countSpan = field("a count or a span of counts, such as 3, 1..3, ..1", readCountSpan);
export const countOrAll = field("a count, a span of counts, or all", (text) =>
  text === "all" ? ("all" as const) : readCountSpan(text),
);
export const count = field("a whole number from 0", readCount);
export const positiveCount = field("a whole number from 1", positive(readCount));

/** A non-empty text. Numbers are refused: `3.10` without quotes is the number 3.1. */
export const text = z.string().min(1).max(4_096);

/** A text that may have many lines. */
export const longText = z.string().max(512 * 1024);

/** Name of a host, group, zone, scenario: as a host name has it. */
export const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "a name of a-z, 0-9 and -, up to 63 characters");

/** Version of an OS release or of etcd. */
export const version = z
  .string()
  .regex(/^\d{1,9}(?:\.\d{1,9}){0,3}$/, "a version such as 1010.0.0");

/** Name of a systemd unit. */
export const unitName = z
  .string()
  .regex(
    /^[0-9a-zA-Z:_.\\@-]{1,240}\.(?:service|socket|timer|path|target|mount|automount|device)$/,
    "a unit name such as web@1.service",
  );

/** One or several. */
export function oneOrMore<T extends z.ZodType>(item: T) {
  const list = z.array(item).min(1).max(10_000);
  return z.preprocess(
    (value) => (Array.isArray(value) || value === undefined ? value : [value]),
    list,
  );
}

/** A map with these keys and no others; the known keys go along for "did you mean". */
export function keys<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape).join(" ");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? known : undefined),
  });
}
