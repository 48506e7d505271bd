import { expandSpecifiers, type SpecifierContext, type UnitName } from "./names.js";
import { hasUnsafeCharacters } from "./unitfile.js";
import { readWord, splitWords } from "./value.js";

/** One command line of ExecStart= and its kin. */
export interface Command {
  /** What runs; argv[0] is a path or a name to be looked for in the usual directories. */
  readonly argv: readonly string[];
  /** `-`: a failure counts as success. */
  readonly ignoreFailure: boolean;
  /** `:`: variables are not replaced. */
  readonly literal: boolean;
}

/** What a command line comes to. */
export interface CommandLine {
  readonly commands: readonly Command[];
  /** What systemd says of it: it is ignored, or read with a backslash kept that escapes nothing. */
  readonly complaints: readonly string[];
  /** A mistake for which systemd refuses the whole unit. */
  readonly refused: boolean;
}

/**
 * Reads a command line (core/load-fragment.c, config_parse_exec): prefixes `@ - : + !`, quoting,
 * specifiers, `;` between commands. A mistake in a line whose command may fail is no mistake of the unit.
 */
export function parseCommands(
  text: string,
  unit: UnitName,
  context: SpecifierContext,
): CommandLine {
  const commands: Command[] = [];
  const complaints: string[] = [];
  for (let at = 0; ; ) {
    const first = readWord(text, at);
    if (first === "unbalanced") complaints.push("unbalanced quoting");
    if (first === "unbalanced" || first === null) return { commands, complaints, refused: false };
    if (first.oddEscape) complaints.push("unknown escape sequence");
    at = first.next;
    // A lone `;` parts commands, also where there is none.
    if (first.text === ";") continue;
    const prefix = readPrefix(first.text);
    const path = expandSpecifiers(first.text.slice(prefix.length), unit, context);
    const wrong = whatIsWrongWith(path);
    if (wrong !== null) {
      complaints.push(wrong);
      return { commands, complaints, refused: !prefix.includes("-") };
    }
    const rest = readArguments(text, at, complaints);
    if (rest === null) return { commands, complaints, refused: !prefix.includes("-") };
    const words = rest.words.map((word) => expandSpecifiers(word, unit, context));
    // With `@` the second word is what the process sees as its name; what runs is the first.
    const argv = prefix.includes("@") ? [path, ...words.slice(1)] : [path, ...words];
    if (prefix.includes("@") && (words[0] ?? "") === "") {
      complaints.push("empty executable name or zeroeth argument");
      return { commands, complaints, refused: !prefix.includes("-") };
    }
    commands.push({ argv, ignoreFailure: prefix.includes("-"), literal: prefix.includes(":") });
    if (!rest.more) return { commands, complaints, refused: false };
    at = rest.next;
  }
}

/** The characters before a path that say how it is run: each once, of `+`, `!` and `!!` one. */
function readPrefix(word: string): string {
  let prefix = "";
  for (const character of word) {
    const privilege = prefix.replace(/[^+!]/g, "");
    const allowed =
      character === "-" || character === "@" || character === ":"
        ? !prefix.includes(character)
        : character === "+"
          ? privilege === ""
          : character === "!" && (privilege === "" || privilege === "!");
    if (!allowed) break;
    prefix += character;
  }
  return prefix;
}

function whatIsWrongWith(path: string): string | null {
  if (path === "") return "empty path in command line";
  if (hasUnsafeCharacters(path)) return "executable name contains special characters";
  if (path.endsWith("/")) return "executable path specifies a directory";
  const name = path !== "." && path !== ".." && !path.includes("/") && path.length <= 255;
  return path.startsWith("/") || name
    ? null
    : "neither a valid executable name nor an absolute path";
}

/** Words up to the end or a `;` between blanks; `\\;` is an argument. Null when a quote is left open. */
function readArguments(
  text: string,
  from: number,
  complaints: string[],
): { words: string[]; next: number; more: boolean } | null {
  const words: string[] = [];
  for (let at = from; ; ) {
    if (/^;(?:\s|$)/.test(text.slice(at, at + 2))) return { words, next: at + 1, more: true };
    if (/^\\;(?:\s|$)/.test(text.slice(at, at + 3))) {
      words.push(";");
      at += 2;
      while (/\s/.test(text.charAt(at))) at++;
      continue;
    }
    const word = readWord(text, at);
    if (word === "unbalanced") {
      complaints.push("unbalanced quoting");
      return null;
    }
    if (word === null) return { words, next: text.length, more: false };
    if (word.oddEscape) complaints.push("unknown escape sequence");
    words.push(word.text);
    at = word.next;
  }
}

/**
 * argv with variables replaced (basic/env-util.c): `${X}` by the value, a word that is only `$X` by
 * the words of the value, `$$` by `$`. Variables that are not set are empty.
 */
export function expandVariables(
  command: Command,
  environment: Readonly<Record<string, string>>,
): string[] {
  if (command.literal) return [...command.argv];
  const [path = "", ...words] = command.argv;
  return [path, ...words.flatMap((word) => expandWord(word, environment))];
}

function expandWord(word: string, environment: Readonly<Record<string, string>>): string[] {
  if (!word.includes("$")) return [word];
  if (/^\$[^{$]/.test(word)) return splitWords(environment[word.slice(1)] ?? "") ?? [];
  return [
    word.replace(/\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (match, name: string | undefined) =>
      match === "$$" ? "$" : (environment[name ?? ""] ?? ""),
    ),
  ];
}
