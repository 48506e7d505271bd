import { Command, Option } from "commander";
import { type Diagnostic, formatDiagnostic } from "../../core/kernel/index.js";
import {
  formatFinding,
  kindOf,
  LINT_CODES,
  LINT_KINDS,
  type LintFinding,
  type LintKind,
  lintText,
  readText,
} from "../../sim/index.js";
import { EXIT } from "./exit.js";
import { filesOf, type LintFile } from "./lint-files.js";

interface LintFlags {
  readonly as?: LintKind;
  readonly json?: true;
}

/** `orrery lint FILE…`: what is wrong with configuration before a host has to find out. */
export function lintCommand(): Command {
  const codes = Object.entries(LINT_CODES).map(([code, what]) => `  ${code.padEnd(19)} ${what}`);
  return new Command("lint")
    .description("say what is wrong with cloud-configs, unit files and scenarios")
    .argument("<files...>", "files, or folders of them")
    .addOption(new Option("--as <kind>", "what the files are").choices(LINT_KINDS))
    .option("--json", "print the findings as JSON")
    .addHelpText(
      "after",
      `
Prints a line for each finding: file:line:column: severity CODE: message. Names and first lines tell
what a file is; in a folder, what is nothing of it is passed over. A unit file is shown to fleet too
if it has a section [X-Fleet], or --as fleet-unit says so.

Exit code 0: nothing found. 1: findings. 2: a file cannot be read, or what it is cannot be told.

Codes, besides those of scenarios:
${codes.join("\n")}

Examples:
  orrery lint user-data units/
  orrery lint --as fleet-unit web@.service
  orrery lint --json scenarios/`,
    )
    .action(lint);
}

/** What came of one file. */
type Outcome =
  | { readonly kind: "findings"; readonly findings: readonly LintFinding[] }
  | { readonly kind: "unreadable"; readonly problems: readonly Diagnostic[] }
  | { readonly kind: "passed-over" };

function lint(paths: readonly string[], flags: LintFlags): void {
  const { files, problems: missing } = filesOf(paths);
  const problems = [...missing];
  const findings: LintFinding[] = [];
  let looked = 0;
  let passedOver = 0;
  for (const file of files) {
    const outcome = lintFile(file, flags.as);
    if (outcome.kind === "unreadable") problems.push(...outcome.problems);
    if (outcome.kind === "passed-over") passedOver++;
    if (outcome.kind !== "findings") continue;
    looked++;
    findings.push(...outcome.findings);
  }
  if (looked === 0 && problems.length === 0) {
    problems.push(unknownKind(paths.join(" "), `${passedOver} files of other kinds`));
  }
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ files: looked, findings, problems }, null, 2)}\n`);
  } else {
    for (const finding of findings) console.log(formatFinding(finding));
    for (const problem of problems) console.error(formatDiagnostic(problem));
  }
  if (problems.length > 0) process.exitCode = EXIT.badInput;
  else process.exitCode = findings.length > 0 ? EXIT.violated : EXIT.held;
}

function lintFile({ path, asked }: LintFile, as: LintKind | undefined): Outcome {
  const text = readText(path);
  if (!text.ok) {
    // A folder may hold pictures and archives.
    const binary = text.diagnostics.every(({ code }) => code !== "E_FILE_UNREADABLE");
    if (!asked && binary && as === undefined && kindOf(path, "") === null) {
      return { kind: "passed-over" };
    }
    return { kind: "unreadable", problems: text.diagnostics };
  }
  const kind = as ?? kindOf(path, text.value);
  if (kind !== null) return { kind: "findings", findings: lintText(path, text.value, kind) };
  if (!asked) return { kind: "passed-over" };
  const found = text.value === "" ? "an empty file" : "a file that could be anything";
  return { kind: "unreadable", problems: [unknownKind(path, found)] };
}

function unknownKind(file: string, found: string): Diagnostic {
  return {
    code: "E_FLAG",
    severity: "error",
    position: { file, line: 1, column: 1 },
    found,
    expected: "a cloud-config, a unit file or a scenario",
    advice: `Say what it is with --as ${LINT_KINDS.join(" or --as ")}.`,
  };
}
