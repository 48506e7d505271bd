import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import type { Diagnostic, DiagnosticCode, Position } from "../../core/kernel/index.js";

/** Deepest nesting of lists and maps. */
export const DEPTH_MAX = 40;
const ALIAS_ADVICE = "Put the anchor before it, or quote the text if it is none.";

/** Most values in a file once aliases are followed. */
export const VALUES_MAX = 200_000;
/** Most problems reported at once. */
export const PROBLEMS_MAX = 50;

/** Keys and list indexes from the top of the document. */
export type Path = readonly PropertyKey[];

/** A YAML text as plain values, and where in the text each of them stands. */
export class SourceDocument {
  readonly problems: Diagnostic[] = [];
  readonly #document: Document.Parsed | null;
  readonly #lines = new LineCounter();
  /** What each alias stands for. The library looks through the whole document for each of them. */
  readonly #aliases = new Map<unknown, unknown>();
  readonly #file: string;
  readonly #text: string;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#text = text;
    this.#document = this.#parse(text);
  }

  /** The document as plain values; undefined when there were problems. */
  values(): unknown {
    if (this.#document === null || this.problems.length > 0) return undefined;
    this.#checkShape(this.#document.contents);
    if (this.problems.length > 0) return undefined;
    return this.#valueOf(this.#document.contents);
  }

  /** Reports a problem with the value at `path`, or with its key. */
  report(
    path: Path,
    code: DiagnosticCode,
    found: string,
    expected: string,
    advice: string,
    at: "value" | "key" = "value",
  ): void {
    this.#push({
      code,
      severity: "error",
      position: this.position(path, at),
      found,
      expected,
      advice,
    });
  }

  /** True when as many problems were found as are reported: looking for more is in vain. */
  get isFull(): boolean {
    return this.problems.length >= PROBLEMS_MAX;
  }

  /** Where the value (or key) at `path` stands; for what is absent, where its parent does. */
  position(path: Path, at: "value" | "key" = "value"): Position {
    let node: unknown = this.#document?.contents ?? null;
    let offset = offsetOf(node) ?? 0;
    for (let i = 0; i < path.length; i++) {
      const container = this.#follow(node);
      const step = path[i];
      if (isMap(container)) {
        const pair = container.items.find((item) => keyText(item.key) === String(step));
        if (pair === undefined) break;
        if (at === "key" && i === path.length - 1) return this.#at(offsetOf(pair.key) ?? offset);
        node = pair.value;
        offset = offsetOf(node) ?? offsetOf(pair.key) ?? offset;
      } else if (isSeq(container) && typeof step === "number") {
        node = container.items[step];
        offset = offsetOf(node) ?? offset;
      } else break;
    }
    return this.#at(offset);
  }

  /**
   * Where a place within the text at `path` stands in the file. Exact for block literals (`|`),
   * which keep their lines; otherwise the place where the text begins.
   */
  positionWithin(path: Path, line: number, column: number): Position {
    const start = this.position(path);
    const node = this.#nodeAt(path);
    if (!isScalar(node) || node.type !== "BLOCK_LITERAL") return start;
    const content = this.#text.split("\n").slice(start.line);
    const indent = content.find((each) => each.trim() !== "")?.search(/\S/) ?? 0;
    return { file: start.file, line: start.line + line, column: column + indent };
  }

  #nodeAt(path: Path): unknown {
    let node: unknown = this.#document?.contents ?? null;
    for (const step of path) {
      const container = this.#follow(node);
      if (isMap(container)) {
        node = container.items.find((item) => keyText(item.key) === String(step))?.value ?? null;
      } else if (isSeq(container) && typeof step === "number") node = container.items[step];
      else return null;
    }
    return node;
  }

  #parse(text: string): Document.Parsed | null {
    let document: Document.Parsed;
    try {
      // Three things of the library take quadratic time: it compares every key of a map with every
      // other, looks through the document for each alias, and quotes the line for each error.
      document = parseDocument(text, {
        lineCounter: this.#lines,
        uniqueKeys: false,
        prettyErrors: false,
      });
    } catch (error) {
      const found =
        error instanceof RangeError ? "lists and maps nested too deeply" : String(error);
      this.#problem(0, "E_YAML_SYNTAX", found, `nesting of at most ${DEPTH_MAX}`, "Flatten it.");
      return null;
    }
    for (const error of document.errors.slice(0, PROBLEMS_MAX)) {
      const advice = syntaxAdvice(error.code);
      this.#problem(error.pos[0], "E_YAML_SYNTAX", excerpt(error.message), "YAML 1.2", advice);
    }
    if (this.problems.length === 0) this.#resolveAliases(document);
    return document;
  }

  #resolveAliases(document: Document.Parsed): void {
    const anchors = new Map<string, unknown>();
    visit(document, {
      Node: (_, node) => {
        if (isAlias(node)) this.#aliases.set(node, anchors.get(node.source));
        else if (node.anchor) anchors.set(node.anchor, node);
      },
    });
  }

  /** Bounds depth and size with aliases followed, and finds keys given twice. */
  #checkShape(root: unknown): void {
    let values = 0;
    const stack: { node: unknown; depth: number }[] = [{ node: root, depth: 1 }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      values++;
      const node = this.#follow(next.node);
      const offset = offsetOf(next.node) ?? 0;
      if (isAlias(node)) {
        this.#problem(
          offset,
          "E_YAML_ALIASES",
          "an alias of nothing",
          "the name of an anchor",
          ALIAS_ADVICE,
        );
        return;
      }
      if (next.depth > DEPTH_MAX || values > VALUES_MAX) {
        const code = isAlias(next.node) || values > VALUES_MAX ? "E_YAML_ALIASES" : "E_YAML_SYNTAX";
        const found = next.depth > DEPTH_MAX ? "values nested too deeply" : "too many values";
        const expected = `at most ${DEPTH_MAX} levels and ${VALUES_MAX} values, aliases expanded`;
        this.#problem(offset, code, found, expected, "Write out what the aliases stand for.");
        return;
      }
      if (isMap(node)) this.#checkKeys(node);
      if (!isCollection(node)) continue;
      for (let i = node.items.length - 1; i >= 0; i--) {
        const item = node.items[i];
        stack.push({ node: isPair(item) ? item.value : item, depth: next.depth + 1 });
      }
    }
  }

  /** Plain values of a node whose shape has been checked. */
  #valueOf(written: unknown): unknown {
    const node = this.#follow(written);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item) => this.#valueOf(item));
    if (!isMap(node)) return null;
    const entries = node.items.map(({ key, value }) => [keyText(key), this.#valueOf(value)]);
    // Unlike assignment, this makes a property of `__proto__` like of any other key.
    return Object.fromEntries(entries);
  }

  #checkKeys(map: YAMLMap): void {
    const seen = new Set<string>();
    for (const { key } of map.items) {
      const text = keyText(key);
      const offset = offsetOf(key) ?? offsetOf(map) ?? 0;
      if (text === null) {
        this.#problem(offset, "E_YAML_SYNTAX", "a list or map as a key", "a text", "Quote it.");
      } else if (seen.has(text)) {
        const found = `"${excerpt(text)}" a second time`;
        this.#problem(offset, "E_SCENARIO_DUPLICATE", found, "each key once", "Keep one of them.");
      }
      if (text !== null) seen.add(text);
    }
  }

  #follow(node: unknown): unknown {
    return isAlias(node) ? (this.#aliases.get(node) ?? node) : node;
  }

  #problem(
    offset: number,
    code: DiagnosticCode,
    found: string,
    expected: string,
    advice: string,
  ): void {
    const position = this.#at(offset);
    this.#push({ code, severity: "error", position, found, expected, advice });
  }

  #push(diagnostic: Diagnostic): void {
    if (!this.isFull) this.problems.push(diagnostic);
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}

/** A text short enough for a message, its control characters made visible. */
export function excerpt(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return JSON.stringify(cut).slice(1, -1);
}

/** A value as a message shows it. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return `"${excerpt(value)}"`;
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a map";
  return String(value);
}

function keyText(key: unknown): string | null {
  if (!isScalar(key)) return key === null ? "" : null;
  return key.value === null ? "" : String(key.value);
}

function offsetOf(node: unknown): number | null {
  const range = (node as Node | null | undefined)?.range;
  return range?.[0] ?? null;
}

function syntaxAdvice(code: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "Indent with spaces.";
    case "BAD_INDENT":
    case "MISSING_CHAR":
      return "Check the indentation and closing brackets or quotes around here.";
    case "MULTIPLE_DOCS":
      return "Keep one document; drop what follows the `---`.";
    default:
      return "Mend the YAML here.";
  }
}
