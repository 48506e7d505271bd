/** An argument of a directive: `key`, `key=value` or `key=(value, value)`. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

/** One step of a script: what is asked, and what the original answered. */
export interface Directive {
  /** Line of the directive, from 1. */
  readonly line: number;
  /** The directive as it stands in the file, with its input. */
  readonly source: string;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
}

/**
 * Reads a script in the format of cockroachdb/datadriven: a directive line, optional input lines,
 * `----`, and the expected output up to a blank line, or up to a doubled `----` if it starts with one.
 */
export function parseScript(text: string): Directive[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    let line = (lines[at++] ?? "").trim();
    if (line.startsWith("#")) continue;
    while (line.endsWith("\\") && at < lines.length) {
      line = `${line.slice(0, -1)} ${(lines[at++] ?? "").trim()}`;
    }
    const parsed = parseDirective(line);
    if (parsed === null) continue;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== "----") input.push(lines[at++] ?? "");
    const separated = at < lines.length;
    at++;
    const source = [line, ...input].join("\n");
    const expected: string[] = [];
    if (separated) at = readExpected(lines, at, expected);
    directives.push({
      line: start + 1,
      source,
      ...parsed,
      input: input.join("\n").trim(),
      expected: expected.map((item) => `${item}\n`).join(""),
    });
  }
  return directives;
}

function readExpected(lines: readonly string[], start: number, expected: string[]): number {
  let at = start;
  if (lines[at] !== "----") {
    while (at < lines.length && (lines[at] ?? "").trim() !== "") expected.push(lines[at++] ?? "");
    return at + 1;
  }
  at++;
  while (at < lines.length && !(lines[at] === "----" && lines[at + 1] === "----")) {
    expected.push(lines[at++] ?? "");
  }
  return at + 2;
}

/** Takes a directive line apart; null for a blank one. Values may hold balanced parentheses. */
export function parseDirective(line: string): { command: string; args: Argument[] } | null {
  let rest = line.trim();
  if (rest === "") return null;
  const until = (pattern: RegExp): string => {
    const end = rest.search(pattern);
    const token = end === -1 ? rest : rest.slice(0, end);
    rest = end === -1 ? "" : rest.slice(end);
    return token;
  };
  const command = until(/ /);
  const args: Argument[] = [];
  rest = rest.trim();
  while (rest !== "") {
    const key = until(/[ =]/);
    if (key === "") throw new Error(`cannot parse directive: ${line}`);
    let values: string[] = [];
    if (rest.startsWith("=(")) {
      const list = takeList(rest.slice(2), line);
      values = list.values;
      rest = list.rest;
    } else if (rest.startsWith("=")) {
      rest = rest.slice(1);
      values = [until(/ /)];
    }
    args.push({ key, values });
    rest = rest.trim();
  }
  return { command, args };
}

function takeList(text: string, line: string): { values: string[]; rest: string } {
  const values: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "(") depth++;
    else if (char === ")" && depth > 0) depth--;
    else if (depth === 0 && (char === "," || char === ")")) {
      values.push(text.slice(from, i));
      if (char === ")") return { values, rest: text.slice(i + 1) };
      from = i + 1;
      while (text[from] === " ") from++;
    }
  }
  throw new Error(`cannot parse directive: ${line}`);
}

/** The output as datadriven compares it: ended by a newline unless empty. */
export function asExpected(output: string): string {
  return output === "" || output.endsWith("\n") ? output : `${output}\n`;
}
