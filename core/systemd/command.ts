import { expandSpecifiers, type SpecifierContext, type UnitName } from "./names.js";
import { splitWords } from "./value.js";

/** One command line of ExecStart= and its kin. */
export interface Command {
  /** What runs; argv[0] is a path or a name to be looked for in the usual directories. */
  readonly argv: readonly string[];
  /** `-`: a failure counts as success. */
  readonly ignoreFailure: boolean;
  /** `:`: variables are not replaced. */
  readonly literal: boolean;
}

/**
 * Reads a command line (core/load-fragment.c, config_parse_exec): prefixes `@ - : + !`, quoting,
 * specifiers, `;` between commands. Null when it is not one.
 */
export function parseCommands(
  text: string,
  unit: UnitName,
  context: SpecifierContext,
): Command[] | null {
  const words = splitWords(text);
  if (words === null) return null;
  const commands: Command[] = [];
  let rest = words;
  while (rest.length > 0) {
    // A lone `;` parts commands; written `\;` it is an argument.
    const end = rest.indexOf(";");
    const command = parseCommand(end < 0 ? rest : rest.slice(0, end), unit, context);
    if (command === null) return null;
    commands.push(command);
    rest = end < 0 ? [] : rest.slice(end + 1);
  }
  return commands;
}

function parseCommand(
  words: readonly string[],
  unit: UnitName,
  context: SpecifierContext,
): Command | null {
  const prefix = /^[@:+!-]*/.exec(words[0] ?? "")?.[0] ?? "";
  const expanded = words.map((word, index) =>
    // `\;` is a semicolon that parts nothing.
    word === "\\;"
      ? ";"
      : expandSpecifiers(index === 0 ? word.slice(prefix.length) : word, unit, context),
  );
  const path = expanded[0] ?? "";
  if (path === "" || path.endsWith("/") || (path.includes("/") && !path.startsWith("/"))) {
    return null;
  }
  // With `@` the second word is what the process sees as its name; what runs is the first.
  const argv = prefix.includes("@") ? [path, ...expanded.slice(2)] : expanded;
  return { argv, ignoreFailure: prefix.includes("-"), literal: prefix.includes(":") };
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
