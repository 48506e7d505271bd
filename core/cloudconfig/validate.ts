import { decodeContent } from "./content.js";
import { decodeStrong, decodeWeak } from "./decode.js";
import {
  child,
  coerce,
  isCompatible,
  type Leaf,
  Lines,
  NOTHING,
  type Node,
  reflectString,
  weakNode,
} from "./node.js";
import { formatFloat, quote } from "./scalar.js";
import { CLOUD_CONFIG, type Field, humanType, type Schema } from "./schema.js";
import { isRequestUri } from "./uri.js";
import { readYaml, YamlError, type YamlTree } from "./yaml.js";

/** One line of the validator's report. */
export interface Entry {
  readonly line: number;
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
  /** The text is not YAML; wording and line of such an entry are this parser's, not libyaml's. */
  readonly syntax: boolean;
}

/** What user-data is taken for, by its first line. */
export type UserDataKind = "empty" | "script" | "ignition" | "cloud-config" | "none";

/** The report on a user-data, in the order of the rules. */
export interface Report {
  readonly kind: UserDataKind;
  readonly entries: readonly Entry[];
  /** How the validator itself failed, in Go's words; it stops there. Null if it did not. */
  readonly failed: string | null;
}

/** `line N: <severity>: <message>`, as printed. */
export function formatEntry(entry: Entry): string {
  return `line ${entry.line}: ${entry.severity}: ${entry.message}`;
}

/** What user-data is taken for (config/config.go, script.go, ignition.go). */
export function classifyUserData(text: string): UserDataKind {
  if (text === "") return "empty";
  const newline = text.indexOf("\n");
  const header = newline < 0 ? text : text.slice(0, newline);
  if (header.startsWith("#!")) return "script";
  if (header.trimEnd() === "#cloud-config") return "cloud-config";
  return isIgnition(text) ? "ignition" : "none";
}

/** Ignition is JSON with an integer `ignitionVersion` or an `ignition.version`. */
function isIgnition(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed === null || typeof parsed !== "object") return false;
    if ("ignitionVersion" in parsed) return typeof parsed.ignitionVersion === "number";
    if (!("ignition" in parsed)) return false;
    const { ignition } = parsed;
    return ignition !== null && typeof ignition === "object" && "version" in ignition;
  } catch {
    return false;
  }
}

/** The validator failed, as Go's does on values it cannot compare. */
class ValidatorPanic extends Error {}

/**
 * Validates user-data as `coreos-cloudinit -validate` 1.14 does (config/validate).
 *
 * Known differences: entries come in the order of the text where the original's order is random, and
 * the entry for broken YAML carries this parser's wording and line.
 *
 * @param tree - what `readYaml` makes of the text, if the caller has it
 */
export function validateCloudConfig(text: string, tree?: YamlTree): Report {
  const kind = classifyUserData(text);
  if (kind === "none") {
    const message = 'must be "#cloud-config" or begin with "#!"';
    return {
      kind,
      entries: [{ line: 1, severity: "error", message, syntax: false }],
      failed: null,
    };
  }
  if (kind !== "cloud-config") return { kind, entries: [], failed: null };
  const entries: Entry[] = [];
  try {
    const root = parse(text, tree, entries);
    for (const rule of RULES) rule(root, new Reporter(entries));
    return { kind, entries, failed: null };
  } catch (error) {
    if (error instanceof ValidatorPanic) return { kind, entries, failed: error.message };
    throw error;
  }
}

function parse(text: string, tree: YamlTree | undefined, entries: Entry[]): Node {
  try {
    return configNodes(text, tree ?? readYaml(text));
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const { line, message } = error;
    entries.push({ line, severity: "error", message, syntax: true });
    return NOTHING;
  }
}

/**
 * A cloud-config as nodes that know their lines.
 *
 * @throws YamlError for what `decodeWeak` refuses
 */
export function configNodes(text: string, tree: YamlTree): Node {
  const weak = weakNode(decodeWeak(tree), new Lines(text));
  return coerce(weak, decodeStrong(tree, CLOUD_CONFIG), CLOUD_CONFIG);
}

class Reporter {
  readonly #entries: Entry[];
  constructor(entries: Entry[]) {
    this.#entries = entries;
  }
  #add(line: number, severity: Entry["severity"], message: string): void {
    this.#entries.push({ line, severity, message, syntax: false });
  }
  error(line: number, message: string): void {
    this.#add(line, "error", message);
  }
  warning(line: number, message: string): void {
    this.#add(line, "warning", message);
  }
  info(line: number, message: string): void {
    this.#add(line, "info", message);
  }
}

type Rule = (root: Node, report: Reporter) => void;

const checkDiscoveryUrl: Rule = (root, report) => {
  const node = child(child(child(root, "coreos"), "etcd"), "discovery");
  if (node.leaf === null || isRequestUri(reflectString(node.leaf))) return;
  report.warning(node.line, "discovery URL is not valid");
};

const checkEncoding: Rule = (root, report) => {
  for (const file of child(root, "write_files").children) {
    const encoding = child(file, "encoding");
    if (encoding.leaf === null) continue;
    const content = child(file, "content");
    const name = reflectString(encoding.leaf);
    if (decodeContent(reflectString(content.leaf), name) !== null) continue;
    report.error(content.line, `content cannot be decoded as ${quote(name)}`);
  }
};

const checkStructure: Rule = (root, report) => checkNodeStructure(root, CLOUD_CONFIG, report);

function checkNodeStructure(node: Node, schema: Schema, report: Reporter): void {
  if (!isCompatible(node.leaf?.kind ?? "invalid", schema)) {
    const want = humanType(schema);
    report.warning(node.line, `incorrect type for ${quote(node.name)} (want ${want})`);
    return;
  }
  if (schema.kind === "slice") {
    for (const item of node.children) checkNodeStructure(item, schema.of, report);
    return;
  }
  if (schema.kind !== "struct") return;
  for (const item of node.children) {
    const field = schema.fields.find((candidate) => candidate.name === item.name);
    if (field === undefined) {
      report.warning(item.line, `unrecognized key ${quote(item.name)}`);
      continue;
    }
    if (field.deprecated !== undefined) {
      report.warning(item.line, `deprecated key ${quote(item.name)} (${field.deprecated})`);
    }
    checkNodeStructure(item, field.schema, report);
  }
}

const checkValidity: Rule = (root, report) => checkNodeValidity(root, CLOUD_CONFIG, null, report);

function checkNodeValidity(
  node: Node,
  schema: Schema,
  field: Field | null,
  report: Reporter,
): void {
  if (field?.valid !== undefined && !isZero(node.leaf)) {
    const value = plainText(node.leaf);
    if (!field.valid.pattern.test(value)) report.error(node.line, `invalid value ${value}`);
  }
  if (schema.kind === "slice") {
    for (const item of node.children) checkNodeValidity(item, schema.of, null, report);
    return;
  }
  if (schema.kind !== "struct") return;
  for (const item of node.children) {
    const known = schema.fields.find((candidate) => candidate.name === item.name);
    if (known !== undefined) checkNodeValidity(item, known.schema, known, report);
  }
}

/** @throws ValidatorPanic where Go's comparison with the zero value panics */
function isZero(leaf: Leaf): boolean {
  if (leaf === null) {
    throw new ValidatorPanic("reflect: call of reflect.Value.Interface on zero Value");
  }
  switch (leaf.kind) {
    case "map":
      throw new ValidatorPanic(
        "runtime error: comparing uncomparable type map[interface {}]interface {}",
      );
    case "slice":
      throw new ValidatorPanic("runtime error: comparing uncomparable type []interface {}");
    case "struct":
      return true;
    case "string":
      return leaf.value === "";
    case "bool":
      return !leaf.value;
    case "int":
    case "float64":
      return leaf.value === 0 || leaf.value === 0n;
  }
}

function plainText(leaf: Leaf): string {
  if (leaf === null || leaf.kind === "map" || leaf.kind === "slice" || leaf.kind === "struct") {
    return "";
  }
  return leaf.kind === "float64" ? formatFloat(leaf.value) : leaf.value.toString();
}

const checkWriteFiles: Rule = (root, report) => {
  for (const file of child(root, "write_files").children) {
    const path = child(file, "path");
    if (path.leaf === null) continue;
    if (!directoryOf(reflectString(path.leaf)).startsWith("/usr")) continue;
    report.error(path.line, "file cannot be written to a read-only filesystem");
  }
};

/** Go's path.Dir: everything before the last `/`, with `.`, `..` and doubled slashes resolved. */
export function directoryOf(path: string): string {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  const rooted = directory.startsWith("/");
  const kept: string[] = [];
  for (const part of directory.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!rooted) kept.push("..");
  }
  const clean = kept.join("/");
  return rooted ? `/${clean}` : clean === "" ? "." : clean;
}

const checkWriteFilesUnderCoreos: Rule = (root, report) => {
  const node = child(child(root, "coreos"), "write_files");
  if (node.leaf !== null) report.info(node.line, "write_files doesn't belong under coreos");
};

const RULES: readonly Rule[] = [
  checkDiscoveryUrl,
  checkEncoding,
  checkStructure,
  checkValidity,
  checkWriteFiles,
  checkWriteFilesUnderCoreos,
];
