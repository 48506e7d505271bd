import { type ByteText, type GoJson, namesField, readGoJson, toBytes } from "../go/index.js";
import type { UnitOption } from "./unit-lexer.js";

/** The body of a PUT of a unit, as fleet's server has it after decoding. */
export interface UnitBody {
  readonly name: string;
  readonly desiredState: string;
  /** Null where the client wrote `null`, on which the server trips. */
  readonly options: readonly (UnitOption | null)[];
}

/** One operation of a PATCH of machines. */
export interface MetadataOperation {
  readonly op: string;
  readonly path: string;
  readonly value: string;
}

export type BodyRead<Body> =
  | { readonly ok: true; readonly body: Body }
  | { readonly ok: false; readonly error: string };

/** Decodes a unit as Go does; errors are in Go's words. */
export function readUnitBody(bytes: ByteText): BodyRead<UnitBody> {
  return decode(bytes, (json, decoder) => {
    const unit = { name: "", desiredState: "", currentState: "", machineID: "" };
    let options: (OptionFields | null)[] = [];
    decoder.struct(json, "schema.Unit", [], (key, value) => {
      const field = TEXT_FIELDS.find((name) => namesField(key, name));
      if (field !== undefined) {
        unit[field] = decoder.text(value, unit[field], `Unit.${field}`);
      } else if (namesField(key, "options")) options = readOptions(decoder, value, options);
    });
    return {
      name: unit.name,
      desiredState: unit.desiredState,
      options: options.map((option) => (option === null ? null : unitOption(option))),
    };
  });
}

const TEXT_FIELDS = ["name", "desiredState", "currentState", "machineID"] as const;

interface OptionFields {
  name: string;
  section: string;
  value: string;
}

const OPTION_FIELDS = ["name", "section", "value"] as const;

/** Options given again are decoded into those there were: what they leave out stays. */
function readOptions(
  decoder: Decoder,
  json: GoJson,
  before: (OptionFields | null)[],
): (OptionFields | null)[] {
  if (json.type === "null") return [];
  if (json.type !== "array") {
    decoder.mismatch(json, "[]*schema.UnitOption", "Unit.options");
    return before;
  }
  return json.items.map((item, index) => {
    if (item.type === "null") return null;
    const option = before[index] ?? { name: "", section: "", value: "" };
    decoder.struct(item, "schema.UnitOption", ["Unit.options"], (key, value) => {
      const field = OPTION_FIELDS.find((name) => namesField(key, name));
      if (field === undefined) return;
      option[field] = decoder.text(value, option[field], `UnitOption.options.${field}`);
    });
    return option;
  });
}

function unitOption({ name, section, value }: OptionFields): UnitOption {
  return { section: toBytes(section), name: toBytes(name), value: toBytes(value) };
}

/** Decodes the operations of a PATCH as Go does; errors are in Go's words. */
export function readMetadataOperations(bytes: ByteText): BodyRead<readonly MetadataOperation[]> {
  return decode(bytes, (json, decoder) => {
    if (json.type === "null") return [];
    if (json.type !== "array") {
      decoder.mismatch(json, "[]api.machineMetadataOp", null);
      return [];
    }
    return json.items.map((item) => readOperation(decoder, item));
  });
}

function readOperation(decoder: Decoder, json: GoJson): MetadataOperation {
  const operation = { op: "", path: "", value: "" };
  decoder.struct(json, "api.machineMetadataOp", [], (key, value) => {
    if (namesField(key, "op")) {
      operation.op = decoder.text(value, operation.op, "machineMetadataOp.op");
    } else if (namesField(key, "path")) {
      operation.path = decoder.text(value, operation.path, "machineMetadataOp.path");
    } else if (namesField(key, "value")) {
      decoder.struct(value, VALUE_TYPE, ["machineMetadataOp.Value"], (inner, text) => {
        if (!namesField(inner, "value")) return;
        operation.value = decoder.text(text, operation.value, ".Value.value");
      });
    }
  });
  return operation;
}

/** How Go prints the type of an operation's value, which has no name. */
const VALUE_TYPE = 'struct { Value string "json:\\"value\\"" }';

function decode<Body>(
  bytes: ByteText,
  read: (json: GoJson, decoder: Decoder) => Body,
): BodyRead<Body> {
  const json = readGoJson(bytes);
  if (!json.ok) return json;
  const decoder = new Decoder();
  const body = read(json.value, decoder);
  return decoder.error === null ? { ok: true, body } : { ok: false, error: decoder.error };
}

/** Goes on after a mismatch, as Go's does; the first one is the error. */
class Decoder {
  error: string | null = null;

  /** @param field - where the value is, such as `Unit.name`; null at the top */
  mismatch(json: GoJson, type: string, field: string | null): void {
    const into = field === null ? "value" : `struct field ${field}`;
    this.error ??= `json: cannot unmarshal ${json.type} into Go ${into} of type ${type}`;
  }

  text(json: GoJson, before: string, field: string): string {
    if (json.type === "string") return json.value;
    if (json.type !== "null") this.mismatch(json, "string", field);
    return before;
  }

  struct(
    json: GoJson,
    type: string,
    [field]: readonly string[],
    entry: (key: string, value: GoJson) => void,
  ): void {
    if (json.type === "object") for (const [key, value] of json.entries) entry(key, value);
    else if (json.type !== "null") this.mismatch(json, type, field ?? null);
  }
}
