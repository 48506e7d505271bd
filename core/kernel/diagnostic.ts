/** Where in a text something was found. Lines and columns count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with something a user gave us, in words that help to mend it. */
export interface Diagnostic {
  /** A code of the catalogue, such as `E_SCENARIO_UNKNOWN_KEY`. */
  readonly code: DiagnosticCode;
  readonly severity: "error" | "warning";
  readonly position: Position;
  readonly found: string;
  readonly expected: string;
  /** What to do about it. */
  readonly advice: string;
}

/** Every code a diagnostic can carry, with what it means. */
export const DIAGNOSTIC_CODES = {
  E_FILE_UNREADABLE: "the file cannot be opened or read",
  E_FILE_NOT_TEXT: "the file is not UTF-8 text",
  E_FILE_TOO_LARGE: "the file is larger than the stated limit",
  E_YAML_SYNTAX: "the text is not YAML",
  E_YAML_ALIASES: "aliases expand to more than the stated limit",
  E_SCENARIO_EMPTY: "the scenario holds nothing",
  E_SCENARIO_UNKNOWN_KEY: "a key the scenario format does not have",
  E_SCENARIO_MISSING_KEY: "a key the scenario format needs is not there",
  E_SCENARIO_TYPE: "a value of the wrong type",
  E_SCENARIO_VALUE: "a value out of its range or not one of those allowed",
  E_SCENARIO_REFERENCE: "a name that nothing in the scenario has",
  E_SCENARIO_DUPLICATE: "a name given twice",
  E_CLOUD_CONFIG: "the cloud-config of a group is not valid",
  E_UNIT_FILE: "a unit file is not valid",
  E_LOG_HEADER: "the file does not begin like an Orrery log",
  E_LOG_VERSION: "the log was written by a newer version",
  E_LOG_DAMAGED: "a record does not match its checksum or its place in the chain",
  E_LOG_TRUNCATED: "the log ends before its end record",
  E_LOG_WRITE: "the log cannot be written",
  E_FLAG: "a command-line flag or argument is not valid",
  E_CONNECT: "a server cannot be reached",
} as const;

export type DiagnosticCode = keyof typeof DIAGNOSTIC_CODES;

/** A value, or what kept us from having one. Warnings may come with a value. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** `file:line:column: error E_CODE: found …; expected …; advice`, the form every command prints. */
export function formatDiagnostic(d: Diagnostic): string {
  const { file, line, column } = d.position;
  return `${file}:${line}:${column}: ${d.severity} ${d.code}: found ${d.found}; expected ${d.expected}. ${d.advice}`;
}
