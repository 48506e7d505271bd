import { type ByteText, encodeRune, fromBytes, quoteRune } from "./bytes.js";

/**
 * JSON as Go's encoding/json has it, errors included. Texts inside are decoded; numbers stay as they
 * were written, for whoever knows the field that takes one.
 */
export type GoJson =
  | { readonly type: "null" }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "number"; readonly text: string }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly items: readonly GoJson[] }
  /** In order, repeated keys as often as they come. */
  | { readonly type: "object"; readonly entries: readonly (readonly [string, GoJson])[] };

export type GoJsonRead =
  | { readonly ok: true; readonly value: GoJson }
  | { readonly ok: false; readonly error: string };

/** Go gives up on JSON that is nested more deeply. */
const DEPTH_MAX = 10_000;

const HTML = /[<>&\u2028\u2029]/g;

/** JSON as Go's encoder writes it, which keeps it safe inside HTML. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    HTML,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The first value of a stream, as a Go Decoder reads it: what follows is left alone. */
export function readGoJson(bytes: ByteText): GoJsonRead {
  return attempt(() => new Scanner(bytes).first());
}

/** The one value of a text, as Go's Unmarshal reads it: only white space may follow. Null where Go reports an error. */
export function readWholeGoJson(bytes: ByteText): GoJson | null {
  const read = attempt(() => new Scanner(bytes).only());
  return read.ok ? read.value : null;
}

function attempt(read: () => GoJson): GoJsonRead {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, error: error.message };
    throw error;
  }
}

class Malformed extends Error {}

/** A list or an object that has not ended; the key is that of the value being read. */
type Open =
  | { readonly items: GoJson[] }
  | { readonly entries: (readonly [string, GoJson])[]; key: string };

function closed(open: Open): GoJson {
  return "key" in open
    ? { type: "object", entries: open.entries }
    : { type: "array", items: open.items };
}

class Scanner {
  readonly #bytes: ByteText;
  #at = 0;

  constructor(bytes: ByteText) {
    this.#bytes = bytes;
  }

  first(): GoJson {
    this.#skipSpace();
    if (this.#at >= this.#bytes.length) throw new Malformed("EOF");
    return this.#value();
  }

  only(): GoJson {
    const value = this.first();
    this.#skipSpace();
    if (this.#at < this.#bytes.length) this.#refuse("after top-level value");
    return value;
  }

  #peek(): string {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Malformed("unexpected EOF");
    return byte;
  }

  #skipSpace(): void {
    while (" \t\r\n".includes(this.#bytes[this.#at] ?? "x")) this.#at++;
  }

  #refuse(context: string): never {
    const shown = quoteRune(this.#peek().charCodeAt(0));
    throw new Malformed(`invalid character ${shown} ${context}`);
  }

  /** Without recursion: Go nests more deeply than the stack here bears. */
  #value(): GoJson {
    const open: Open[] = [];
    for (;;) {
      let value = this.#begin(open);
      while (value !== null) {
        const inner = open.at(-1);
        if (inner === undefined) return value;
        value = this.#add(inner, value) ? null : closed(open.pop() ?? inner);
      }
    }
  }

  /** A value; null when it is a list or an object with something in it, which is open then. */
  #begin(open: Open[]): GoJson | null {
    this.#skipSpace();
    switch (this.#peek()) {
      case "{":
        return this.#open(open, { entries: [], key: "" }, "}");
      case "[":
        return this.#open(open, { items: [] }, "]");
      case '"':
        return { type: "string", value: this.#string() };
      case "t":
        this.#literal("true");
        return { type: "bool", value: true };
      case "f":
        this.#literal("false");
        return { type: "bool", value: false };
      case "n":
        this.#literal("null");
        return { type: "null" };
      default:
        if (/[-0-9]/.test(this.#peek())) return { type: "number", text: this.#number() };
        return this.#refuse("looking for beginning of value");
    }
  }

  #open(open: Open[], begun: Open, close: "]" | "}"): GoJson | null {
    if (open.length >= DEPTH_MAX) throw new Malformed("exceeded max depth");
    this.#at++;
    this.#skipSpace();
    if (this.#peek() === close) {
      this.#at++;
      return closed(begun);
    }
    if ("key" in begun) begun.key = this.#key();
    open.push(begun);
    return null;
  }

  /** Puts a value where it belongs; false when that ends there. */
  #add(inner: Open, value: GoJson): boolean {
    this.#skipSpace();
    const next = this.#peek();
    if ("key" in inner) {
      if (next !== "," && next !== "}") this.#refuse("after object key:value pair");
      this.#at++;
      inner.entries.push([inner.key, value]);
      if (next === ",") inner.key = this.#key();
    } else {
      if (next !== "," && next !== "]") this.#refuse("after array element");
      this.#at++;
      inner.items.push(value);
    }
    return next === ",";
  }

  #key(): string {
    this.#skipSpace();
    if (this.#peek() !== '"') this.#refuse("looking for beginning of object key string");
    const key = this.#string();
    this.#skipSpace();
    if (this.#peek() !== ":") this.#refuse("after object key");
    this.#at++;
    return key;
  }

  #literal(word: string): void {
    for (const [index, letter] of [...word].entries()) {
      if (this.#peek() !== letter && index > 0) {
        this.#refuse(`in literal ${word} (expecting ${quoteRune(letter.charCodeAt(0))})`);
      }
      this.#at++;
    }
  }

  #number(): string {
    const from = this.#at;
    if (this.#peek() === "-") this.#at++;
    if (!this.#digit()) this.#refuse("in numeric literal");
    if (this.#bytes[this.#at] === "0") this.#at++;
    else this.#digits();
    if (this.#bytes[this.#at] === ".") {
      this.#at++;
      if (!this.#digit()) this.#refuse("after decimal point in numeric literal");
      this.#digits();
    }
    if (/[eE]/.test(this.#bytes[this.#at] ?? "")) {
      this.#at++;
      if (/[-+]/.test(this.#peek())) this.#at++;
      if (!this.#digit()) this.#refuse("in exponent of numeric literal");
      this.#digits();
    }
    return this.#bytes.slice(from, this.#at);
  }

  #digit(): boolean {
    return /[0-9]/.test(this.#peek());
  }

  #digits(): void {
    while (/[0-9]/.test(this.#bytes[this.#at] ?? "")) this.#at++;
  }

  #string(): string {
    this.#at++;
    let text: ByteText = "";
    for (;;) {
      const byte = this.#peek();
      if (byte === '"') {
        this.#at++;
        return fromBytes(text);
      }
      if (byte < " ") this.#refuse("in string literal");
      this.#at++;
      text += byte === "\\" ? this.#escape() : byte;
    }
  }

  #escape(): ByteText {
    const letter = this.#peek();
    if (letter === "u") {
      this.#at++;
      return this.#unicode();
    }
    const plain = ESCAPES[letter];
    if (plain === undefined) return this.#refuse("in string escape code");
    this.#at++;
    return plain;
  }

  /** A code unit of UTF-16, and the one that belongs to it; half a pair becomes U+FFFD. */
  #unicode(): ByteText {
    const unit = this.#hex();
    if (unit < 0xd800 || unit > 0xdfff) return encodeRune(unit);
    const back = this.#at;
    if (unit < 0xdc00 && this.#bytes.startsWith("\\u", this.#at)) {
      this.#at += 2;
      const low = this.#hex();
      if (low >= 0xdc00 && low <= 0xdfff) {
        return encodeRune(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      }
      this.#at = back;
    }
    return encodeRune(0xfffd);
  }

  #hex(): number {
    const from = this.#at;
    for (let i = 0; i < 4; i++, this.#at++) {
      if (!/[0-9a-fA-F]/.test(this.#peek())) this.#refuse("in \\u hexadecimal character escape");
    }
    return Number.parseInt(this.#bytes.slice(from, this.#at), 16);
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Whether an object's key names a field of a Go struct: the same letters, whatever their case. */
export function namesField(key: string, field: string): boolean {
  return key === field || fold(key) === fold(field);
}

/** Letters of one simple case folding; long s and the Kelvin sign are those outside ASCII. */
function fold(text: string): string {
  return text.replaceAll("\u017f", "s").replaceAll("\u212a", "k").toLowerCase();
}
