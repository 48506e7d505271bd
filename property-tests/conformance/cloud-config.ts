import {
  checkUpdate,
  formatEntry,
  parseCloudConfig,
  substitute,
  type Variable,
  validateCloudConfig,
} from "../../core/cloudconfig/index.js";
import type { Report, Suite } from "./suite.js";
import { witnessFile } from "./witness.js";

interface Applied {
  readonly parseError?: string;
  readonly hostname?: string;
  readonly rebootStrategy?: string;
  readonly updateError?: string;
  readonly units?: readonly (readonly [string, string, boolean, boolean, boolean, number])[];
  readonly files?: readonly (readonly [string, string, string])[];
}

interface ValidateCase {
  readonly id: string;
  readonly text: string;
  readonly kind: string;
  readonly entries: readonly string[];
  readonly error?: string;
  readonly apply?: Applied;
}

interface SubstituteCase {
  readonly id: string;
  readonly text: string;
  readonly metadata: Partial<Record<Variable, string>>;
  readonly env: Record<string, string>;
  readonly results: readonly string[];
}

/** Validator, lax reading and substitution of cloud-configs. */
export const cloudConfig: Suite = {
  name: "cloud-config",
  about: "validator, applied configuration and substitution, against coreos-cloudinit 1.14",
  run(dataDir, report) {
    for (const item of cases<ValidateCase>(dataDir, "cloud-config/validate.jsonl", report)) {
      validateCase(item, report);
    }
    for (const item of cases<SubstituteCase>(dataDir, "cloud-config/substitute.jsonl", report)) {
      const actual = substitute(item.text, { metadata: item.metadata, env: item.env });
      const expected = [...item.results].sort();
      const input = () => JSON.stringify({ ...item, results: undefined });
      report.compare(item.id, input, JSON.stringify(expected), JSON.stringify(actual));
    }
  },
};

function cases<Case>(dataDir: string, path: string, report: Report): Case[] {
  const text = witnessFile(dataDir, path, report);
  if (text === null) return [];
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Case => JSON.parse(line));
}

function validateCase(item: ValidateCase, report: Report): void {
  const validation = validateCloudConfig(item.text);
  const actual = {
    kind: validation.kind,
    entries: validation.entries.map((entry) => (entry.syntax ? SYNTAX : formatEntry(entry))).sort(),
    failed: validation.failed !== null,
    apply: item.kind === "cloud-config" ? applied(item.text) : null,
  };
  const expected = {
    kind: item.kind,
    entries: withSyntaxClass(item.entries),
    failed: item.error !== undefined,
    apply: item.apply === undefined ? null : expectedApplied(item.apply),
  };
  report.compare(item.id, () => item.text, JSON.stringify(expected), JSON.stringify(actual));
}

/**
 * An entry for broken YAML carries the wording, and the often surprising line, of the YAML library
 * that coreos-cloudinit was built with. As the data's README allows, only its class is compared:
 * there is one such entry, the tree is empty and the structure rule says so. Everything else is
 * compared to the letter.
 */
const SYNTAX = "a YAML error";
const EMPTY_TREE = 'line 0: warning: incorrect type for "" (want struct)';

function withSyntaxClass(entries: readonly string[]): string[] {
  if (!entries.includes(EMPTY_TREE)) return [...entries].sort();
  return entries.map((entry) => (/^line \d+: error: /.test(entry) ? SYNTAX : entry)).sort();
}

function applied(text: string): unknown {
  const parsed = parseCloudConfig(text, "user-data");
  if (!parsed.ok) return SYNTAX;
  const { hostname, coreos, writeFiles } = parsed.value;
  return {
    hostname,
    rebootStrategy: coreos.update.rebootStrategy,
    updateError: checkUpdate(coreos.update),
    units: coreos.units.map((unit) => [
      unit.name,
      unit.command,
      unit.enable,
      unit.mask,
      unit.runtime,
      unit.dropIns.length,
    ]),
    files: writeFiles.map((file) => [file.path, file.permissions, file.encoding]),
  };
}

function expectedApplied(apply: Applied): unknown {
  if (apply.parseError !== undefined) return SYNTAX;
  return {
    hostname: apply.hostname,
    rebootStrategy: apply.rebootStrategy,
    updateError: apply.updateError ?? null,
    units: apply.units,
    files: apply.files,
  };
}
