/**
 * Reading fields of data whose shape is only promised: what is missing or of another type reads
 * as the empty value, so that a log from another version is shown as far as it can be.
 */
export type Fields = Readonly<Record<string, unknown>>;

const NOTHING: Fields = {};

/** The value if it is an object, else an object without fields. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : NOTHING;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text; a number or boolean reads as its text, anything else as "". */
export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return "";
}

/** A number, or the given one. */
export function numberOf(fields: Fields, name: string, otherwise = 0): number {
  const value = fields[name];
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

export function flagOf(fields: Fields, name: string): boolean {
  return fields[name] === true;
}

/** A list, or an empty one. */
export function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

/** The texts in a list; what is not a text is left out. */
export function textsOf(fields: Fields, name: string): readonly string[] {
  return listOf(fields, name).filter((item): item is string => typeof item === "string");
}
