import { type Strong, type Weak, zeroOf } from "./decode.js";
import type { Scalar } from "./scalar.js";
import type { Schema } from "./schema.js";

/** A leaf's value; null for an absent one (Go's invalid reflect.Value). */
export type Leaf =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int"; readonly value: bigint | number }
  | { readonly kind: "float64"; readonly value: number }
  | { readonly kind: "map" }
  | { readonly kind: "slice" }
  | { readonly kind: "struct" }
  | null;

/** A value of the configuration with the line it was guessed to be on (0: not found). */
export interface Node {
  readonly name: string;
  readonly line: number;
  readonly children: readonly Node[];
  readonly leaf: Leaf;
}

/** The node that is not there. */
export const NOTHING: Node = { name: "", line: 0, children: [], leaf: null };

/** A node's child by name, or `NOTHING`. */
export function child(node: Node, name: string): Node {
  return node.children.find((candidate) => candidate.name === name) ?? NOTHING;
}

/**
 * Where the lines of a text could be keys or list items. The original looks for a key line by line
 * from the line of its parent on, by text alone; this does the same with indexes.
 */
export class Lines {
  readonly #byKey = new Map<string, number[]>();
  readonly #keys: number[] = [];
  readonly #items: number[] = [];

  constructor(text: string) {
    text
      .replaceAll("\r", "")
      .split("\n")
      .forEach((line, index) => {
        if (/^ *-/.test(line)) this.#items.push(index);
        const colon = line.indexOf(":");
        if (colon < 0) return;
        const prefix = /^ *-? ?/.exec(line.slice(0, colon))?.[0].length ?? 0;
        this.#keys.push(index);
        const key = line.slice(prefix, colon);
        const lines = this.#byKey.get(key);
        if (lines === undefined) this.#byKey.set(key, [index]);
        else lines.push(index);
      });
  }

  /** The first line at or after `from` that begins with the key; Infinity when there is none. */
  key(key: string, from: number): number {
    return firstFrom(key === "" ? this.#keys : (this.#byKey.get(key) ?? []), from);
  }

  /** The first line at or after `from` that begins a list item. */
  item(from: number): number {
    return firstFrom(this.#items, from);
  }
}

function firstFrom(sorted: readonly number[], from: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return sorted[low] ?? Number.POSITIVE_INFINITY;
}

const lineNumber = (index: number) => (index === Number.POSITIVE_INFINITY ? 0 : index + 1);

/** The node of a weakly typed value, names with `_` for `-`. */
export function weakNode(value: Weak, lines: Lines): Node {
  return toNode(value, "", "", 0, 0, lines);
}

function toNode(
  value: Weak,
  rawName: string,
  name: string,
  line: number,
  from: number,
  lines: Lines,
): Node {
  const normalised = name.replaceAll("-", "_");
  if (value.kind === "map") {
    const children = value.entries.map(([key, item]) => {
      const keyName = goText(key);
      const at = lines.key(keyName, from);
      return toNode(item, keyName, keyName, lineNumber(at), at, lines);
    });
    return { name: normalised, line, children, leaf: { kind: "map" } };
  }
  if (value.kind === "slice") {
    let at = from;
    const children = value.items.map((item, index) => {
      at = lines.item(at);
      const child = toNode(item, rawName, `${rawName}[${index}]`, lineNumber(at), at, lines);
      at += 1;
      return child;
    });
    return { name: normalised, line, children, leaf: { kind: "slice" } };
  }
  const leaf: Leaf = value.kind === "nil" ? null : value;
  return { name: normalised, line, children: [], leaf };
}

/** `%s` of a mapping's key: a text as it is, anything else with Go's complaint. */
function goText(key: Scalar): string {
  switch (key.kind) {
    case "string":
      return key.value;
    case "nil":
      return "%!s(<nil>)";
    default:
      return `%!s(${key.kind}=${key.value})`;
  }
}

/**
 * Puts the strongly typed value in the place of the weak one where both are leaves of compatible
 * types, so that `0644` is judged as the text it was and not as 420.
 */
export function coerce(weak: Node, strong: Strong | null, schema: Schema | null): Node {
  const children = weak.children.map((child, index) => {
    const [value, type] = strongChild(strong, schema, child.name, index, weak.name);
    return coerce(child, value, type);
  });
  const leaf =
    weak.children.length === 0 && strong !== null && schema !== null
      ? coercedLeaf(weak.leaf, strong, schema)
      : weak.leaf;
  return { name: weak.name, line: weak.line, children, leaf };
}

function strongChild(
  strong: Strong | null,
  schema: Schema | null,
  name: string,
  index: number,
  parent: string,
): readonly [Strong | null, Schema | null] {
  if (strong === null || schema === null) return [null, null];
  if (schema.kind === "struct" && strong.kind === "struct") {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined) return [null, null];
    return [strong.fields.get(name) ?? zeroOf(field.schema), field.schema];
  }
  if (schema.kind === "slice" && strong.kind === "slice" && name === `${parent}[${index}]`) {
    const item = strong.items[index];
    return item === undefined ? [null, null] : [item, schema.of];
  }
  return [null, null];
}

function coercedLeaf(weak: Leaf, strong: Strong, schema: Schema): Leaf {
  if (weak === null || !isCompatible(weak.kind, schema)) return weak;
  if (strong.kind === "struct") return strong.fields.size === 0 ? { kind: "struct" } : weak;
  if (strong.kind === "slice") return strong.items.length === 0 ? { kind: "slice" } : weak;
  return strong.kind === "int" || strong.kind === "float64"
    ? { kind: strong.kind, value: strong.value }
    : strong;
}

/** Whether a value of a Go kind may stand where the schema's type is asked for. */
export function isCompatible(kind: string, schema: Schema): boolean {
  switch (schema.kind) {
    case "string":
      return kind === "string" || kind === "int" || kind === "float64" || kind === "bool";
    case "struct":
      return kind === "struct" || kind === "map";
    case "float64":
      return kind === "float64" || kind === "int";
    default:
      return kind === schema.kind;
  }
}

/** What reflect.Value.String returns: the text of a string, a description of anything else. */
export function reflectString(leaf: Leaf): string {
  if (leaf === null) return "<invalid Value>";
  switch (leaf.kind) {
    case "string":
      return leaf.value;
    case "map":
      return "<map[interface {}]interface {} Value>";
    case "slice":
      return "<[]interface {} Value>";
    default:
      return `<${leaf.kind} Value>`;
  }
}
