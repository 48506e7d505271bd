import { type TypeJson, typeNamed } from "../etcd/proto.js";
import { isWire, type Wire } from "../etcd/wire-fields.js";

/**
 * Messages as JSON, the way etcd 3.4's gateway writes them: names as in the proto, 64-bit integers as
 * strings, bytes in base64, enumerations by name, and nothing that is zero.
 *
 * @param type - full name of the message, such as `etcdserverpb.RangeResponse`
 */
export function toJson(message: Wire, type: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const shape = shapeOf(type);
  const choices = new Set(Object.values(shape.oneofs ?? {}).flatMap(({ oneof }) => oneof));
  for (const [name, field] of Object.entries(shape.fields)) {
    const value = message[name];
    if (value === undefined || value === null) continue;
    if (field.rule === "repeated") {
      if (!Array.isArray(value) || value.length === 0) continue;
      out[name] = value.map((one) => valueToJson(one, field.type, shape.home));
    } else if (choices.has(name) || !isZero(value, field.type, shape.home)) {
      out[name] = valueToJson(value, field.type, shape.home);
    }
  }
  return out;
}

/** What is wrong with a body, in Go's words where they are known. */
export class JsonProblem extends Error {}

/** Reads JSON as the gateway does. Fields that no message has are passed over. Throws a `JsonProblem`. */
export function fromJson(json: unknown, type: string): Record<string, unknown> {
  if (json === null) return {};
  if (typeof json !== "object" || Array.isArray(json)) {
    throw new JsonProblem(
      `json: cannot unmarshal ${goKind(json)} into Go value of type map[string]json.RawMessage`,
    );
  }
  const given: Readonly<Record<string, unknown>> = { ...json };
  const out: Record<string, unknown> = {};
  const shape = shapeOf(type);
  for (const [name, field] of Object.entries(shape.fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : given[camelCase(name)];
    if (value === undefined || value === null) continue;
    if (field.rule !== "repeated") {
      out[name] = valueFromJson(value, field.type, shape.home);
    } else if (Array.isArray(value)) {
      out[name] = value.map((one: unknown) => valueFromJson(one, field.type, shape.home));
    } else {
      throw new JsonProblem(
        `json: cannot unmarshal ${goKind(value)} into Go value of type []json.RawMessage`,
      );
    }
  }
  return out;
}

/** Reads one JSON text. Throws a `JsonProblem` as Go's decoder words it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonProblem(goSyntaxError(text));
  }
}

type MessageShape = Extract<TypeJson, { readonly fields: unknown }> & { readonly home: string };

function shapeOf(type: string): MessageShape {
  const shape = typeNamed(type, "");
  if (shape === null || !("fields" in shape)) throw new Error(`no message ${type}`);
  return shape;
}

function isZero(value: unknown, type: string, home: string): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  if (value === 0 || value === "" || value === false || value === "0") return true;
  return typeof value === "string" && type !== "string" && enumNames(type, home)?.[value] === 0;
}

/** The names of an enumeration with their numbers; null for another type. */
function enumNames(type: string, home: string): Readonly<Record<string, number>> | null {
  const shape = typeNamed(type, home);
  return shape !== null && "values" in shape ? shape.values : null;
}

function valueToJson(value: unknown, type: string, home: string): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isWire(value)) return toJson(value, full(type, home));
  return value;
}

/** A type's full name: its own package unless it names another. */
function full(type: string, home: string): string {
  return type.includes(".") ? type : `${home}.${type}`;
}

const INTEGERS = new Set(["int64", "uint64", "int32", "uint32"]);

function valueFromJson(value: unknown, type: string, home: string): unknown {
  if (INTEGERS.has(type)) return integer(value, type);
  if (type === "bool") return exactly(value, "boolean", "bool");
  if (type === "string") return exactly(value, "string", "string");
  if (type === "bytes") return base64(value);
  const names = enumNames(type, home);
  if (names === null) return fromJson(value, full(type, home));
  // Messages have names, and numbers only where there is none.
  const name = Object.keys(names).find((known) => known === value || names[known] === value);
  if (name !== undefined) return name;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw new JsonProblem(`unknown value ${JSON.stringify(value)} for enum ${full(type, home)}`);
}

function exactly(value: unknown, kind: "boolean" | "string", goType: string): unknown {
  if (typeof value === kind) return value;
  throw new JsonProblem(`json: cannot unmarshal ${goKind(value)} into Go value of type ${goType}`);
}

/** Both a number and a string of digits will do. Large numbers lose their last digits, as they do in JSON. */
function integer(value: unknown, type: string): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && /^-?\d{1,20}$/.test(text) && fits(BigInt(text), type))
    return text;
  // What is between quotes is read as JSON by itself.
  if (typeof value === "string" && !/^-?\d/.test(value))
    throw new JsonProblem(goSyntaxError(value));
  const shown = typeof value === "boolean" ? "bool" : `number ${String(value)}`;
  throw new JsonProblem(`json: cannot unmarshal ${shown} into Go value of type ${type}`);
}

function fits(value: bigint, type: string): boolean {
  const bits = type.endsWith("64") ? 64 : 32;
  const kept = type.startsWith("u") ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
  return kept === value;
}

function base64(value: unknown): Buffer {
  if (typeof value !== "string") {
    throw new JsonProblem(`json: cannot unmarshal ${goKind(value)} into Go value of type []uint8`);
  }
  const text = value.replace(/[\r\n]/g, "");
  const wrong = /[^A-Za-z0-9+/=]|=[^=]/.exec(text);
  if (wrong !== null || text.length % 4 !== 0) {
    throw new JsonProblem(
      `illegal base64 data at input byte ${wrong?.index ?? text.length - (text.length % 4)}`,
    );
  }
  return Buffer.from(text, "base64");
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}

function goSyntaxError(text: string): string {
  const start = text.trimStart();
  if (start === "") return "EOF";
  if (!/^[[{"\-\dtfn]/.test(start)) {
    return `invalid character '${start[0] ?? ""}' looking for beginning of value`;
  }
  return /[}\]"]\s*$/.test(text) ? "invalid JSON" : "unexpected EOF";
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
