import { quote as quoteBytes, toBytes } from "../go/index.js";

/** A plain value as the old go-yaml resolves it: `kind` is the Go kind. */
export type Scalar =
  | { readonly kind: "nil" }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "float64"; readonly value: number }
  | { readonly kind: "string"; readonly value: string };

const TRUE = new Set(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]);
const FALSE = new Set(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]);
const NULL = new Set(["", "~", "null", "Null", "NULL"]);
const NAN = new Set([".nan", ".NaN", ".NAN"]);
const INFINITE = new Map([
  [".inf", Number.POSITIVE_INFINITY],
  [".Inf", Number.POSITIVE_INFINITY],
  [".INF", Number.POSITIVE_INFINITY],
  ["+.inf", Number.POSITIVE_INFINITY],
  ["+.Inf", Number.POSITIVE_INFINITY],
  ["+.INF", Number.POSITIVE_INFINITY],
  ["-.inf", Number.NEGATIVE_INFINITY],
  ["-.Inf", Number.NEGATIVE_INFINITY],
  ["-.INF", Number.NEGATIVE_INFINITY],
]);

/**
 * YAML 1.1 resolution of a plain scalar (go-yaml v1, resolve.go): `off` and `yes` are booleans,
 * `0644` is octal, dates stay text, digits may hold `_`.
 */
export function resolvePlain(text: string): Scalar {
  if (TRUE.has(text)) return { kind: "bool", value: true };
  if (FALSE.has(text)) return { kind: "bool", value: false };
  if (NULL.has(text)) return { kind: "nil" };
  if (NAN.has(text)) return { kind: "float64", value: Number.NaN };
  const infinite = INFINITE.get(text);
  if (infinite !== undefined) return { kind: "float64", value: infinite };
  return resolveNumber(text) ?? { kind: "string", value: text };
}

function resolveNumber(text: string): Scalar | null {
  const first = text.charCodeAt(0);
  const digitOrSign = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d;
  if (!digitOrSign && first !== 0x2e) return null;
  const plain = digitOrSign ? text.replaceAll("_", "") : text;
  if (digitOrSign) {
    const integer = parseInteger(plain);
    if (integer !== null) return { kind: "int", value: integer };
  }
  const float = parseFloatGo(plain);
  return float === null ? null : { kind: "float64", value: float };
}

/** Go's ParseInt with base 0: 0x, 0o, 0b and leading-zero octal; null unless it fits 64 bits. */
function parseInteger(text: string): bigint | null {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(text);
  if (match === null) return null;
  const digits = match[2] ?? "";
  if (digits.length > 70) return null;
  const octal = /^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const value = BigInt(octal) * (match[1] === "-" ? -1n : 1n);
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : null;
}

function parseFloatGo(text: string): number | null {
  if (/^[-+]?inf(inity)?$/i.test(text)) {
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (!/^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/** `%v` of a number, as Go prints a float64. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Object.is(value, -0)) return "-0";
  if (value === 0) return "0";
  const [digits, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 21) {
    const size = Math.abs(exponent).toString().padStart(2, "0");
    return `${digits}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  return exponent < 0
    ? value.toFixed(Math.max(0, decimals(digits ?? "") - exponent))
    : plainDigits(value);
}

function decimals(digits: string): number {
  return (digits.split(".")[1] ?? "").length;
}

function plainDigits(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : value.toString();
}

/** `%q`: the text in Go's double quotes. */
export function quote(text: string): string {
  return quoteBytes(toBytes(text));
}
