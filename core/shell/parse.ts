/** One step of a compiled script. `unless` and `when` jump by the status of the last command. */
export type Instruction =
  /** `checked`: somebody looks at its status, so that `set -e` does not. */
  | { readonly op: "run"; readonly argv: readonly string[]; readonly checked: boolean }
  | { readonly op: "jump"; readonly to: number }
  /** Goes there if the last command failed. */
  | { readonly op: "unless"; readonly to: number }
  /** Goes there if the last command did well. */
  | { readonly op: "when"; readonly to: number }
  /** Turns the last status round (`!`). */
  | { readonly op: "not" }
  /** Makes the last status 0, as an `if` without a branch to take and a loop that ends do. */
  | { readonly op: "well" };

/**
 * A script for `sh -c`, compiled, as far as the shells of unit files go: simple commands, `;`, `&&`, `||`,
 * `!`, `while`, `until`, `if`, `{ }`, quotes, variables, redirections. What it cannot read is named.
 */
export type Script =
  | { readonly ok: true; readonly code: readonly Instruction[] }
  | { readonly ok: false; readonly found: string };

/** A script or what stands in it that is not modelled: a pipe, a substitution, a function. */
export function parseScript(
  text: string,
  environment: Readonly<Record<string, string>> = {},
): Script {
  try {
    const parser = new Parser(lex(text, environment));
    parser.list([]);
    parser.end();
    return { ok: true, code: parser.code };
  } catch (error) {
    if (error instanceof NotModelled) return { ok: false, found: error.message };
    throw error;
  }
}

class NotModelled extends Error {}

interface Token {
  readonly kind: "word" | "operator";
  readonly text: string;
  /** A word with quotes in it is no keyword. */
  readonly quoted: boolean;
}

const OPERATORS = ["&&", "||", ";;", ";", "\n", "|", "&", "(", ")"] as const;

/** Words with their quotes taken off and variables put in; redirections are dropped. */
function lex(text: string, environment: Readonly<Record<string, string>>): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at, at + 2);
    const character = text.charAt(at);
    if (character === " " || character === "\t" || rest === "\\\n") {
      at += rest === "\\\n" ? 2 : 1;
      continue;
    }
    if (character === "#") {
      while (at < text.length && text.charAt(at) !== "\n") at++;
      continue;
    }
    const redirection = /^\d*(?:>>|>&|<&|>|<)/.exec(text.slice(at, at + 4));
    if (redirection !== null) {
      at = word(text, skipBlanks(text, at + redirection[0].length), environment).next;
      continue;
    }
    const operator = OPERATORS.find((each) => text.startsWith(each, at));
    if (operator !== undefined) {
      tokens.push({ kind: "operator", text: operator === "\n" ? ";" : operator, quoted: false });
      at += operator.length;
      continue;
    }
    const read = word(text, at, environment);
    for (const each of read.words) tokens.push({ kind: "word", text: each, quoted: read.quoted });
    at = read.next;
  }
  return tokens;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charAt(at) === " " || text.charAt(at) === "\t") at++;
  return at;
}

/** One word from `from` on. A variable outside of quotes may make several of it, or none. */
function word(
  text: string,
  from: number,
  environment: Readonly<Record<string, string>>,
): { readonly words: readonly string[]; readonly quoted: boolean; readonly next: number } {
  let made = "";
  let quoted = false;
  let split = false;
  let at = from;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (/[\s;&|()<>]/.test(character)) break;
    if (character === "'") {
      const close = text.indexOf("'", at + 1);
      if (close < 0) throw new NotModelled("a quote that is not closed");
      made += text.slice(at + 1, close);
      at = close;
      quoted = true;
    } else if (character === '"') {
      const inner = doubleQuoted(text, at + 1, environment);
      made += inner.text;
      at = inner.next;
      quoted = true;
    } else if (character === "\\") {
      made += text.charAt(++at);
      quoted = true;
    } else if (character === "$" || character === "`") {
      const variable = readVariable(text, at, environment);
      made += variable.value;
      at = variable.next - 1;
      split = true;
    } else made += character;
  }
  const words = split && !quoted ? made.split(/\s+/).filter((each) => each !== "") : [made];
  return { words, quoted, next: at };
}

function doubleQuoted(
  text: string,
  from: number,
  environment: Readonly<Record<string, string>>,
): { readonly text: string; readonly next: number } {
  let made = "";
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') return { text: made, next: at };
    if (character === "\\" && /["\\$`]/.test(text.charAt(at + 1))) made += text.charAt(++at);
    else if (character === "$" || character === "`") {
      const variable = readVariable(text, at, environment);
      made += variable.value;
      at = variable.next - 1;
    } else made += character;
  }
  throw new NotModelled("a quote that is not closed");
}

function readVariable(
  text: string,
  at: number,
  environment: Readonly<Record<string, string>>,
): { readonly value: string; readonly next: number } {
  const match = /^\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/.exec(text.slice(at, at + 256));
  const name = match?.[1] ?? match?.[2];
  if (match !== null && name !== undefined) {
    return { value: environment[name] ?? "", next: at + match[0].length };
  }
  const follows = text.charAt(at + 1);
  if (text.charAt(at) === "$" && !/[({\w?$!@*#-]/.test(follows))
    return { value: "$", next: at + 1 };
  throw new NotModelled(`the expansion ${JSON.stringify(text.slice(at, at + 8))}`);
}

const KEYWORDS = new Set(
  "while until do done if then elif else fi for case esac { } ! function".split(" "),
);

/** Deepest nesting of a script that is taken. */
const DEPTH_MAX = 64;

/** Recursive descent over the tokens; the code comes out in order, jumps are filled in behind. */
class Parser {
  readonly code: Instruction[] = [];
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Above 0: somebody looks at the status of what is read now. */
  #checked = 0;
  /** Jumps to be filled in of each loop that is open: where it goes on, and its `break`s. */
  readonly #loops: { readonly again: number; readonly breaks: number[] }[] = [];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Commands up to one of these keywords, which is left. */
  list(until: readonly string[]): void {
    for (;;) {
      while (this.#operator(";")) this.#at++;
      if (this.#at >= this.#tokens.length || this.#isKeyword(...until)) return;
      this.#andOr();
      if (this.#operator(";")) continue;
      if (this.#at >= this.#tokens.length || this.#isKeyword(...until)) return;
      throw new NotModelled(JSON.stringify(this.#peek()?.text ?? ""));
    }
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new NotModelled(JSON.stringify(this.#peek()?.text));
  }

  #andOr(): void {
    // All but the last command of `a && b || c` are looked at.
    const looked = this.#hasConnective();
    if (looked) this.#checked++;
    this.#command();
    while (this.#operator("&&") || this.#operator("||")) {
      const op = this.#peek()?.text === "&&" ? ("unless" as const) : ("when" as const);
      this.#at++;
      while (this.#operator(";")) this.#at++;
      // The shell goes from left to right: what is skipped leaves the status for the next connective.
      const jump = this.code.length;
      this.code.push({ op, to: 0 });
      const last = !this.#hasConnective();
      if (last) this.#checked--;
      this.#command();
      if (last) this.#checked++;
      this.code[jump] = { op, to: this.code.length };
    }
    if (looked) this.#checked--;
  }

  /** Whether the command that begins here is followed by `&&` or `||`, at its own depth. */
  #hasConnective(): boolean {
    let depth = 0;
    for (let at = this.#at; at < this.#tokens.length; at++) {
      const token = this.#tokens[at];
      if (token === undefined) return false;
      if (token.kind === "word" && !token.quoted) {
        if (["while", "until", "if", "{"].includes(token.text)) depth++;
        else if (["done", "fi", "}"].includes(token.text)) depth--;
      }
      if (depth < 0) return false;
      if (depth > 0 || token.kind === "word") continue;
      if (token.text === "&&" || token.text === "||") return true;
      if (token.text === ";") return false;
    }
    return false;
  }

  #command(): void {
    const token = this.#peek();
    if (token === undefined || token.kind === "operator") {
      throw new NotModelled(JSON.stringify(token?.text ?? "an empty command"));
    }
    if (++this.#depth > DEPTH_MAX) throw new NotModelled("so deep a nesting");
    const keyword = !token.quoted && KEYWORDS.has(token.text) ? token.text : "";
    switch (keyword) {
      case "":
        this.#simple();
        break;
      case "!":
        this.#at++;
        this.#checked++;
        this.#command();
        this.#checked--;
        this.code.push({ op: "not" });
        break;
      case "{":
        this.#at++;
        this.list(["}"]);
        this.#take("}");
        break;
      case "while":
      case "until":
        this.#loop(keyword);
        break;
      case "if":
        this.#if();
        break;
      default:
        throw new NotModelled(JSON.stringify(keyword));
    }
    this.#depth--;
  }

  #simple(): void {
    const argv: string[] = [];
    for (let token = this.#peek(); token?.kind === "word"; token = this.#peek()) {
      argv.push(token.text);
      this.#at++;
    }
    const [name = ""] = argv;
    const loop = this.#loops.at(-1);
    if (/^[A-Za-z_]\w*=/.test(name)) throw new NotModelled("an assignment");
    if (["trap", "eval", "source", ".", "wait", "read", "local", "export"].includes(name)) {
      throw new NotModelled(JSON.stringify(name));
    }
    if ((name === "break" || name === "continue") && loop !== undefined) {
      if (name === "break") loop.breaks.push(this.code.length);
      this.code.push({ op: "jump", to: loop.again });
      return;
    }
    this.code.push({ op: "run", argv, checked: this.#checked > 0 });
  }

  #loop(keyword: "while" | "until"): void {
    this.#at++;
    const again = this.code.length;
    this.#checked++;
    this.list(["do"]);
    this.#checked--;
    this.#take("do");
    const leave = this.code.length;
    this.code.push({ op: "jump", to: 0 });
    const breaks: number[] = [];
    this.#loops.push({ again, breaks });
    this.list(["done"]);
    this.#take("done");
    this.#loops.pop();
    this.code.push({ op: "jump", to: again });
    const end = this.code.length;
    this.code.push({ op: "well" });
    this.code[leave] = { op: keyword === "while" ? "unless" : "when", to: end };
    for (const at of breaks) this.code[at] = { op: "jump", to: end };
  }

  #if(): void {
    const ends: number[] = [];
    for (;;) {
      this.#at++;
      this.#checked++;
      this.list(["then"]);
      this.#checked--;
      this.#take("then");
      const skip = this.code.length;
      this.code.push({ op: "jump", to: 0 });
      this.list(["elif", "else", "fi"]);
      ends.push(this.code.length);
      this.code.push({ op: "jump", to: 0 });
      this.code[skip] = { op: "unless", to: this.code.length };
      if (this.#isKeyword("elif")) continue;
      if (this.#isKeyword("else")) {
        this.#at++;
        this.list(["fi"]);
      } else this.code.push({ op: "well" });
      this.#take("fi");
      break;
    }
    for (const at of ends) this.code[at] = { op: "jump", to: this.code.length };
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #operator(text: string): boolean {
    const token = this.#peek();
    return token?.kind === "operator" && token.text === text;
  }

  #isKeyword(...names: readonly string[]): boolean {
    const token = this.#peek();
    return token?.kind === "word" && !token.quoted && names.includes(token.text);
  }

  #take(keyword: string): void {
    if (!this.#isKeyword(keyword)) throw new NotModelled(`no "${keyword}" where one belongs`);
    this.#at++;
  }
}
