import {
  parseUnit,
  parseUnitBytes,
  parseUnitHash,
  recognizedUnitType,
  requirements,
  type UnitFile,
  unitContents,
  unitFromOptions,
  unitNameInfo,
  unknownRequirements,
  validateOptions,
  validateUnitName,
  withServiceSuffix,
} from "../../core/fleet/index.js";
import { type ByteText, fromBytes, toBytes } from "../../core/go/index.js";
import { asSet, compareRows } from "./fleet-witness.js";
import type { Suite } from "./suite.js";

/** Unit files, hashes, requirements, names and option checks. */
export const fleetUnits: Suite = {
  name: "fleet-units",
  about: "unit files, hashes, X-Fleet options, names and API checks, against coreos/fleet 45224983",
  run(dataDir, report) {
    const folder = "fleet-units";
    compareRows<ParseCase>(dataDir, `${folder}/unit-parse.jsonl`, report, parseCase);
    compareRows<RequirementCase>(dataDir, `${folder}/requirements.jsonl`, report, requirementCase);
    compareRows<OptionCase>(dataDir, `${folder}/validate-options.jsonl`, report, optionCase);
    compareRows<NameCase>(dataDir, `${folder}/names.jsonl`, report, nameCase);
    compareRows<HashCase>(dataDir, `${folder}/hash-hex.jsonl`, report, hashCase);
  },
};

interface Compared {
  readonly expected: unknown;
  readonly actual: unknown;
}

type Triple = readonly [section: string, name: string, value: string];

/** A part that is not valid UTF-8 is given in base64, without `contents`. */
interface ParseCase {
  readonly id: string;
  readonly text?: string;
  readonly text_b64?: string;
  readonly error?: string;
  readonly hash?: string;
  readonly options?: readonly Triple[];
  readonly options_b64?: readonly Triple[];
  readonly serialized?: string;
  readonly serialized_b64?: string;
  readonly contents?: unknown;
}

function parseCase(row: ParseCase): Compared {
  const { id, text, text_b64, ...expected } = row;
  const source = text_b64 === undefined ? toBytes(text ?? "") : fromBase64(text_b64);
  const parsed = parseUnitBytes(source);
  if (!parsed.ok) return { expected, actual: { error: parsed.error } };
  const { unit } = parsed;
  const options = unit.options.map(({ section, name, value }) => [section, name, value]);
  const actual =
    row.options_b64 === undefined
      ? {
          options: readable(options),
          serialized: fromBytes(unit.serialized),
          contents: contents(unit),
        }
      : {
          options_b64: options.map((option) => option.map(toBase64)),
          serialized_b64: toBase64(unit.serialized),
        };
  return { expected, actual: { ...actual, hash: unit.hash } };
}

function fromBase64(text: string): ByteText {
  return Buffer.from(text, "base64").toString("latin1");
}

function toBase64(bytes: ByteText): string {
  return Buffer.from(bytes, "latin1").toString("base64");
}

/** Every byte string in a value, decoded. */
function readable(value: unknown): unknown {
  if (typeof value === "string") return fromBytes(value);
  if (Array.isArray(value)) return value.map(readable);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [fromBytes(key), readable(item)]),
  );
}

function contents(unit: UnitFile): unknown {
  return readable(unitContents(unit));
}

interface RequirementCase {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly requirementErrors: readonly string[];
}

function requirementCase(row: RequirementCase): Compared {
  const { id, name, text, requirementErrors, ...expected } = row;
  const parsed = parseUnit(text);
  if (!parsed.ok) return { expected, actual: { error: parsed.error } };
  const { metadata, ...derived } = requirements(name, parsed.unit);
  return {
    expected: { ...expected, requirementErrors: asSet(requirementErrors) },
    actual: {
      ...derived,
      metadata: Object.fromEntries(metadata.map(({ key, values }) => [key, values])),
      xfleet: readable(unitContents(parsed.unit)["X-Fleet"] ?? {}),
      requirementErrors: asSet(orAccepted(unknownRequirements(parsed.unit))),
    },
  };
}

/** The witness has "" for accepted. */
function orAccepted(errors: readonly string[]): readonly string[] {
  return errors.length === 0 ? [""] : errors;
}

interface OptionCase {
  readonly id: string;
  readonly options: readonly Triple[];
  readonly errors: readonly string[];
  readonly hash: string;
}

function optionCase(row: OptionCase): Compared {
  const unit = unitFromOptions(
    row.options.map(([section, name, value]) => ({
      section: toBytes(section),
      name: toBytes(name),
      value: toBytes(value),
    })),
  );
  return {
    expected: { errors: asSet(row.errors), hash: row.hash },
    actual: { errors: asSet(orAccepted(validateOptions(unit))), hash: unit.hash },
  };
}

interface NameCase {
  readonly id: string;
  readonly name: string;
}

function nameCase(row: NameCase): Compared {
  const { id, name, ...expected } = row;
  return {
    expected,
    actual: {
      error: validateUnitName(name),
      info: unitNameInfo(name),
      recognized: recognizedUnitType(name),
      defaulted: withServiceSuffix(name),
    },
  };
}

interface HashCase {
  readonly id: string;
  readonly hex: string;
}

function hashCase(row: HashCase): Compared {
  const { id, hex, ...expected } = row;
  const parsed = parseUnitHash(hex);
  const actual = parsed.ok
    ? { hash: parsed.hash, short: parsed.hash.slice(0, 7) }
    : { error: parsed.error };
  return { expected, actual };
}
