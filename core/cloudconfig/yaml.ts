import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
} from "yaml";

/** A node of the first document of a text, aliases still unexpanded. */
export type YamlNode =
  | {
      readonly kind: "scalar";
      readonly text: string;
      /** Neither quoted nor a block: its type follows from its text. */
      readonly plain: boolean;
      /** An explicit tag in short form, such as `!!binary`, or "". */
      readonly tag: string;
      readonly line: number;
    }
  | {
      readonly kind: "map";
      readonly entries: readonly (readonly [YamlNode, YamlNode])[];
      readonly line: number;
    }
  | { readonly kind: "seq"; readonly items: readonly YamlNode[]; readonly line: number }
  | { readonly kind: "alias"; readonly name: string; readonly line: number };

/** The first document and its anchors; `root` is null for an empty one. */
export interface YamlTree {
  readonly root: YamlNode | null;
  readonly anchors: ReadonlyMap<string, YamlNode>;
}

/** Why a text is not YAML. `line` is 1 where the old library knew none. */
export class YamlError extends Error {
  readonly line: number;
  readonly column: number;
  constructor(message: string, line = 1, column = 1) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

const EMPTY: YamlNode = { kind: "scalar", text: "", plain: true, tag: "", line: 0 };

/**
 * Reads the first document of a text as go-yaml v1 (libyaml 0.1.4's grammar) does: later documents
 * are not looked at, but what follows the first must begin like one.
 *
 * @throws YamlError when libyaml would have refused the text
 */
export function readYaml(text: string): YamlTree {
  const counter = new LineCounter();
  const first = firstDocument(text, counter);
  checkDocumentStart(text, first);
  if (first === undefined) return { root: null, anchors: new Map() };
  const error = first.errors[0];
  if (error !== undefined) {
    const { line, col } = counter.linePos(error.pos[0]);
    throw new YamlError(error.message, line, col);
  }
  return new TreeBuilder(counter).build(first);
}

/** The parser works as it is asked: what comes after the first document costs nothing. */
function firstDocument(text: string, counter: LineCounter): Document.Parsed | undefined {
  const tokens = new Parser(counter.addNewLine).parse(text);
  const composer = new Composer({
    version: "1.1",
    schema: "failsafe",
    uniqueKeys: false,
    strict: false,
    logLevel: "silent",
  });
  try {
    for (const document of composer.compose(tokens)) return document;
    return undefined;
  } catch (error) {
    // The parser recurses; only absurd nesting gets here.
    if (error instanceof RangeError) throw new YamlError("exceeded the depth of nesting");
    throw error;
  }
}

/**
 * libyaml's rules between documents, which the parser in use does not have: a document that is not
 * the first begins with `---`, one that begins with a directive has it too, and `...` ends only a
 * document that began.
 */
function checkDocumentStart(text: string, first: Document.Parsed | undefined): void {
  const lines = text.split(/\r\n|\n|\r/);
  let at = skipBlank(lines, 0);
  if (isMarker(lines[at], "...")) throw new YamlError("did not find expected node content", 1);
  if (lines[at]?.startsWith("%")) {
    while (lines[at]?.startsWith("%")) at = skipBlank(lines, at + 1);
    if (!isMarker(lines[at], "---")) {
      throw new YamlError("did not find expected <document start>", at + 1);
    }
  }
  if (first === undefined || first.errors.length > 0) return;
  const end = firstDocumentEnd(lines, text, first);
  if (end === null) return;
  let next = skipBlank(lines, end + 1);
  while (isMarker(lines[next], "...")) next = skipBlank(lines, next + 1);
  const line = lines[next];
  if (line === undefined || isMarker(line, "---") || line.startsWith("%")) return;
  throw new YamlError("did not find expected <document start>", next + 1);
}

/** The line of the `...` that ends the first document, if one does. */
function firstDocumentEnd(
  lines: readonly string[],
  text: string,
  first: Document.Parsed,
): number | null {
  const offset = first.range[1];
  let line = 0;
  for (const match of text.slice(0, offset).matchAll(/\r\n|\n|\r/g)) line += match.length;
  for (let at = line; at < lines.length; at++) {
    if (isMarker(lines[at], "...")) return at;
    if (at > line && isMarker(lines[at], "---")) return null;
  }
  return null;
}

function skipBlank(lines: readonly string[], from: number): number {
  let at = from;
  while (at < lines.length && /^\uFEFF?[ \t]*(#.*)?$/.test(lines[at] ?? "")) at++;
  return at;
}

function isMarker(line: string | undefined, marker: string): boolean {
  if (line === undefined || !line.startsWith(marker)) return false;
  const after = line.charAt(marker.length);
  return after === "" || after === " " || after === "\t";
}

/** No cloud-config nests deeper; what does would exhaust the stack. */
const DEPTH_MAX = 200;

const CORE_TAG = "tag:yaml.org,2002:";

class TreeBuilder {
  readonly #counter: LineCounter;
  readonly #anchors = new Map<string, YamlNode>();
  #depth = 0;

  constructor(counter: LineCounter) {
    this.#counter = counter;
  }

  build(document: Document.Parsed): YamlTree {
    const root = document.contents === null ? null : this.#node(document.contents);
    return { root, anchors: this.#anchors };
  }

  #node(node: unknown): YamlNode {
    if (++this.#depth > DEPTH_MAX) throw new YamlError("exceeded the depth of nesting");
    const built = this.#withoutAnchor(node);
    this.#depth--;
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, built);
    }
    return built;
  }

  #withoutAnchor(node: unknown): YamlNode {
    if (isAlias(node)) {
      return { kind: "alias", name: node.source, line: this.#line(node.range) };
    }
    if (isMap(node)) {
      const entries = node.items.map(
        (pair) => [this.#node(pair.key), this.#node(pair.value)] as const,
      );
      return { kind: "map", entries, line: this.#line(node.range) };
    }
    if (isSeq(node)) {
      return {
        kind: "seq",
        items: node.items.map((item) => this.#node(item)),
        line: this.#line(node.range),
      };
    }
    if (!isScalar(node)) return EMPTY;
    const plain = node.type === "PLAIN" || node.type === undefined;
    const tag = node.tag ?? "";
    return {
      kind: "scalar",
      text: typeof node.value === "string" ? node.value : (node.source ?? ""),
      plain,
      tag: tag.startsWith(CORE_TAG) ? `!!${tag.slice(CORE_TAG.length)}` : tag,
      line: this.#line(node.range),
    };
  }

  #line(range: readonly number[] | null | undefined): number {
    return this.#counter.linePos(range?.[0] ?? 0).line;
  }
}
