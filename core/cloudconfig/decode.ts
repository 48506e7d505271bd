import { formatFloat, quote, resolvePlain, type Scalar } from "./scalar.js";
import type { Schema } from "./schema.js";
import { YamlError, type YamlNode, type YamlTree } from "./yaml.js";

/** A value whose type was inferred from the text. */
export type Weak =
  | Scalar
  | { readonly kind: "map"; readonly entries: readonly (readonly [Scalar, Weak])[] }
  | { readonly kind: "slice"; readonly items: readonly Weak[] };

/** A value decoded into the type the schema asks for. Structs hold every field that was set. */
export type Strong =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "int" | "float64"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "slice"; readonly items: Strong[] }
  | { readonly kind: "struct"; readonly fields: ReadonlyMap<string, Strong> };

/** No user-data needs more; beyond it aliases are bombs. */
const NODES_MAX = 100_000;

/** Expands aliases and counts what comes out. */
class Aliases {
  readonly #tree: YamlTree;
  readonly #open = new Set<YamlNode>();
  #visited = 0;

  constructor(tree: YamlTree) {
    this.#tree = tree;
  }

  /** Calls `visit` with the node an alias stands for. */
  through<T>(node: YamlNode, visit: (node: Exclude<YamlNode, { kind: "alias" }>) => T): T {
    if (++this.#visited > NODES_MAX) throw new YamlError("aliases expand to too much");
    if (node.kind !== "alias") return visit(node);
    const target = this.#tree.anchors.get(node.name);
    if (target === undefined) throw new YamlError(`Unknown anchor '${node.name}' referenced`);
    if (this.#open.has(target)) throw new YamlError(`Anchor '${node.name}' value contains itself`);
    this.#open.add(target);
    const result = this.through(target, visit);
    this.#open.delete(target);
    return result;
  }
}

const RESOLVABLE = new Set(["", "!!str", "!!bool", "!!int", "!!float", "!!null"]);
const TAG_OF = { nil: "!!null", bool: "!!bool", int: "!!int", float64: "!!float", string: "!!str" };

/** The value of a scalar node (go-yaml v1, decode.go and resolve.go). */
function scalarOf(node: Extract<YamlNode, { kind: "scalar" }>): Scalar {
  if (node.tag === "" && !node.plain) return { kind: "string", value: node.text };
  if (node.tag === "!!binary") return { kind: "string", value: binary(node.text) };
  if (!RESOLVABLE.has(node.tag) || node.tag === "!!str")
    return { kind: "string", value: node.text };
  const scalar = resolvePlain(node.text);
  const tag = TAG_OF[scalar.kind];
  if (node.tag !== "" && node.tag !== tag) {
    throw new YamlError(`cannot decode ${tag} \`${node.text}\` as a ${node.tag}`);
  }
  return scalar;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 with padding; line breaks are skipped. Null when it is anything else. */
export function decodeBase64(text: string): number[] | null {
  const packed = text.replace(/[\r\n]/g, "");
  if (packed.length % 4 !== 0) return null;
  const bytes: number[] = [];
  for (let at = 0; at < packed.length; at += 4) {
    const last = at + 4 === packed.length;
    const padding = last ? (packed.endsWith("==") ? 2 : packed.endsWith("=") ? 1 : 0) : 0;
    let bits = 0;
    for (let i = 0; i < 4; i++) {
      const digit = i >= 4 - padding ? 0 : BASE64.indexOf(packed.charAt(at + i));
      if (digit < 0) return null;
      bits = (bits << 6) | digit;
    }
    for (let i = 0; i < 3 - padding; i++) bytes.push((bits >> (16 - 8 * i)) & 0xff);
  }
  return bytes;
}

function binary(text: string): string {
  const bytes = decodeBase64(text);
  if (bytes === null) throw new YamlError("!!binary value contains invalid base64 data");
  return String.fromCharCode(...bytes.slice(0, 4096));
}

/**
 * Decodes with types inferred. The root must be a mapping; anything else is an empty one.
 *
 * @throws YamlError for a mapping or sequence used as a key, an unknown anchor, a tag that does not fit
 */
export function decodeWeak(tree: YamlTree): Extract<Weak, { kind: "map" }> {
  const aliases = new Aliases(tree);
  const value = (node: YamlNode): Weak => aliases.through(node, inner);
  const inner = (node: Exclude<YamlNode, { kind: "alias" }>): Weak => {
    switch (node.kind) {
      case "scalar":
        return scalarOf(node);
      case "seq":
        return { kind: "slice", items: node.items.map(value) };
      case "map":
        return weakMap(node, value);
    }
  };
  const root = tree.root;
  if (root === null) return { kind: "map", entries: [] };
  return aliases.through(root, (node) => {
    if (node.kind !== "map") {
      if (node.kind === "scalar") scalarOf(node);
      return { kind: "map", entries: [] };
    }
    return weakMap(node, value);
  });
}

function weakMap(
  node: Extract<YamlNode, { kind: "map" }>,
  value: (node: YamlNode) => Weak,
): Extract<Weak, { kind: "map" }> {
  // A key that comes twice keeps the last value.
  const entries = new Map<string, readonly [Scalar, Weak]>();
  for (const [keyNode, valueNode] of node.entries) {
    if (isMerge(keyNode)) {
      for (const entry of merged(valueNode, value)) {
        if (!entries.has(identity(entry[0]))) entries.set(identity(entry[0]), entry);
      }
      continue;
    }
    const key = value(keyNode);
    if (key.kind === "map" || key.kind === "slice") {
      throw new YamlError(`invalid map key: ${goSyntax(key)}`);
    }
    entries.set(identity(key), [key, value(valueNode)]);
  }
  return { kind: "map", entries: [...entries.values()] };
}

function merged(node: YamlNode, value: (node: YamlNode) => Weak): (readonly [Scalar, Weak])[] {
  const wrong = "map merge requires map or sequence of maps as the value";
  const source = value(node);
  if (source.kind === "map") return [...source.entries];
  if (source.kind !== "slice") throw new YamlError(wrong);
  // The first mapping of a sequence has the last word.
  return source.items.flatMap((item) => {
    if (item.kind !== "map") throw new YamlError(wrong);
    return [...item.entries];
  });
}

function isMerge(node: YamlNode): boolean {
  return (
    node.kind === "scalar" &&
    node.text === "<<" &&
    ((node.tag === "" && node.plain) || node.tag === "!!merge")
  );
}

const identity = (key: Scalar) => (key.kind === "nil" ? "nil" : `${key.kind} ${key.value}`);

/** `%#v` of a decoded value. Go sorts the keys of maps it prints. */
function goSyntax(value: Weak): string {
  switch (value.kind) {
    case "nil":
      return "interface {}(nil)";
    case "string":
      return quote(value.value);
    case "float64":
      return formatFloat(value.value);
    case "int":
    case "bool":
      return value.value.toString();
    case "slice":
      return `[]interface {}{${value.items.map(goSyntax).join(", ")}}`;
    case "map":
      return `map[interface {}]interface {}{${value.entries
        .map(([key, item]) => `${goSyntax(key)}:${goSyntax(item)}`)
        .sort()
        .join(", ")}}`;
  }
}

/** The zero value of a type. */
export function zeroOf(schema: Schema): Strong {
  switch (schema.kind) {
    case "string":
      return { kind: "string", value: "" };
    case "int":
    case "float64":
      return { kind: schema.kind, value: 0 };
    case "bool":
      return { kind: "bool", value: false };
    case "slice":
      return { kind: "slice", items: [] };
    case "struct":
      return { kind: "struct", fields: new Map() };
  }
}

/**
 * Decodes into the schema's types. What does not fit is left out silently: a field keeps what it
 * had, an item of a list is dropped. A struct given twice is filled twice, a list given twice is
 * appended to, a null resets.
 *
 * @throws YamlError for an unknown anchor or a tag that does not fit
 */
export function decodeStrong(tree: YamlTree, schema: Schema): Strong {
  const decoder = new StrongDecoder(new Aliases(tree));
  const zero = zeroOf(schema);
  return tree.root === null ? zero : (decoder.decode(tree.root, schema, zero) ?? zero);
}

class StrongDecoder {
  readonly #aliases: Aliases;

  constructor(aliases: Aliases) {
    this.#aliases = aliases;
  }

  /** Null when the node does not fit. */
  decode(node: YamlNode, schema: Schema, before: Strong): Strong | null {
    return this.#aliases.through(node, (target) => {
      switch (target.kind) {
        case "scalar":
          return strongScalar(target, schema);
        case "seq":
          return schema.kind === "slice" ? this.#sequence(target.items, schema.of, before) : null;
        case "map":
          return schema.kind === "struct" ? this.#struct(target, schema, before) : null;
      }
    });
  }

  #sequence(nodes: readonly YamlNode[], of: Schema, before: Strong): Strong {
    // A list given again grows in place: nobody else has it.
    const items = before.kind === "slice" ? before.items : [];
    for (const node of nodes) {
      const item = this.decode(node, of, zeroOf(of));
      if (item !== null) items.push(item);
    }
    return { kind: "slice", items };
  }

  #struct(
    node: Extract<YamlNode, { kind: "map" }>,
    schema: Extract<Schema, { kind: "struct" }>,
    before: Strong,
  ): Strong {
    const fields = new Map(before.kind === "struct" ? before.fields : []);
    this.#fill(node, schema, fields);
    return { kind: "struct", fields };
  }

  #fill(
    node: Extract<YamlNode, { kind: "map" }>,
    schema: Extract<Schema, { kind: "struct" }>,
    fields: Map<string, Strong>,
  ): void {
    for (const [keyNode, valueNode] of node.entries) {
      if (isMerge(keyNode)) {
        this.#merge(valueNode, schema, fields);
        continue;
      }
      const key = this.decode(keyNode, { kind: "string" }, { kind: "string", value: "" });
      if (key?.kind !== "string") continue;
      const name = key.value.replaceAll("-", "_");
      const field = schema.fields.find((candidate) => candidate.name === name);
      if (field === undefined) continue;
      const before = fields.get(name) ?? zeroOf(field.schema);
      const value = this.decode(valueNode, field.schema, before);
      if (value !== null) fields.set(name, value);
    }
  }

  #merge(
    node: YamlNode,
    schema: Extract<Schema, { kind: "struct" }>,
    fields: Map<string, Strong>,
  ): void {
    this.#aliases.through(node, (target) => {
      if (target.kind === "map") return this.#fill(target, schema, fields);
      if (target.kind === "scalar") {
        throw new YamlError("map merge requires map or sequence of maps as the value");
      }
      for (const item of [...target.items].reverse()) this.#merge(item, schema, fields);
    });
  }
}

function strongScalar(node: Extract<YamlNode, { kind: "scalar" }>, schema: Schema): Strong | null {
  const scalar = scalarOf(node);
  if (scalar.kind === "nil") return zeroOf(schema);
  switch (schema.kind) {
    case "string":
      return {
        kind: "string",
        value: node.tag === "!!binary" && scalar.kind === "string" ? scalar.value : node.text,
      };
    case "bool":
      return scalar.kind === "bool" ? scalar : null;
    case "int":
      if (scalar.kind === "int") return { kind: "int", value: Number(scalar.value) };
      return scalar.kind === "float64" && Math.abs(scalar.value) < 2 ** 63
        ? { kind: "int", value: Math.trunc(scalar.value) }
        : null;
    case "float64":
      if (scalar.kind === "int") return { kind: "float64", value: Number(scalar.value) };
      return scalar.kind === "float64" ? { kind: "float64", value: scalar.value } : null;
    case "slice":
    case "struct":
      return null;
  }
}
