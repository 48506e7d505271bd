import type { z } from "zod";
import type { DiagnosticCode } from "../../core/kernel/index.js";
import { excerpt, type Path, type SourceDocument, show } from "./document.js";
import type { FieldProblem } from "./fields.js";

type Issue = z.core.$ZodIssue;

/** Reports what the schema found, each at its place in the text. */
export function reportIssues(
  source: SourceDocument,
  values: unknown,
  issues: readonly Issue[],
): void {
  for (const issue of issues) {
    if (source.isFull) return;
    reportIssue(source, values, issue, issue.path);
  }
}

function reportIssue(source: SourceDocument, values: unknown, issue: Issue, path: Path): void {
  const value = at(values, path);
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) {
        if (source.isFull) return;
        reportUnknownKey(source, [...path, key], key, issue.message);
      }
      return;
    case "custom":
      if (isFieldProblem(issue.params)) {
        const { code, found, expected, advice } = issue.params;
        source.report(path, code, found, expected, advice);
        return;
      }
      source.report(path, "E_SCENARIO_VALUE", show(value), issue.message, "");
      return;
    case "invalid_key":
      source.report(
        path,
        "E_SCENARIO_VALUE",
        show(path.at(-1)),
        keyForm(issue),
        "Rename it.",
        "key",
      );
      return;
    case "invalid_union":
      reportUnion(source, values, issue, path);
      return;
    default: {
      const { code, expected, advice } = explain(issue, value);
      const where = value === undefined ? path.slice(0, -1) : path;
      source.report(where, code, found(value, path), expected, advice);
    }
  }
}

function reportUnknownKey(source: SourceDocument, path: Path, key: string, known: string): void {
  const names = known.includes("Unrecognized key") ? [] : known.split(" ");
  const meant = nearest(key, names);
  source.report(
    path,
    "E_SCENARIO_UNKNOWN_KEY",
    `the key "${excerpt(key)}"`,
    names.length === 0 ? "a key of the format" : `one of ${list(names)}`,
    meant === null ? "Remove it." : `Did you mean "${meant}"?`,
    "key",
  );
}

function reportUnion(
  source: SourceDocument,
  values: unknown,
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
): void {
  const value = at(values, path);
  const options = "options" in issue && Array.isArray(issue.options) ? issue.options : null;
  if (options !== null) {
    const names = options.map(String);
    const missing = value === undefined;
    const meant = typeof value === "string" ? nearest(value, names) : null;
    source.report(
      missing ? path.slice(0, -1) : path,
      missing ? "E_SCENARIO_MISSING_KEY" : "E_SCENARIO_VALUE",
      found(value, path),
      `one of ${list(names)}`,
      meant === null ? "Choose one of them." : `Did you mean "${meant}"?`,
    );
    return;
  }
  // The alternative that got furthest into the value is the one that was meant.
  const branches = [...issue.errors].sort((left, right) => deepest(right) - deepest(left));
  const best = branches[0] ?? [];
  if (deepest(best) > 0 || best.some((inner) => inner.code === "unrecognized_keys")) {
    for (const inner of best) reportIssue(source, values, inner, [...path, ...inner.path]);
    return;
  }
  const forms = issue.errors.flatMap((branch) =>
    branch.slice(0, 1).map((inner) => explain(inner, value).expected),
  );
  source.report(
    value === undefined ? path.slice(0, -1) : path,
    value === undefined ? "E_SCENARIO_MISSING_KEY" : "E_SCENARIO_VALUE",
    found(value, path),
    [...new Set(forms)].join(", or "),
    "Write it in one of these forms.",
  );
}

function explain(
  issue: Issue,
  value: unknown,
): { code: DiagnosticCode; expected: string; advice: string } {
  if (issue.code === "custom" && isFieldProblem(issue.params)) return issue.params;
  const missing = value === undefined;
  const code = (other: DiagnosticCode): DiagnosticCode =>
    missing ? "E_SCENARIO_MISSING_KEY" : other;
  const advice = missing ? "Add it." : "Correct it.";
  switch (issue.code) {
    case "invalid_type": {
      const quote = issue.expected === "string" && typeof value === "number";
      return {
        code: code("E_SCENARIO_TYPE"),
        expected: TYPE_NAMES[issue.expected] ?? `a ${issue.expected}`,
        advice: quote ? `Put it in quotes: "${String(value)}".` : advice,
      };
    }
    case "invalid_value": {
      const names = issue.values.map(String);
      const meant = typeof value === "string" ? nearest(value, names) : null;
      return {
        code: code("E_SCENARIO_VALUE"),
        expected: names.length === 1 ? `${names[0]}` : `one of ${list(names)}`,
        advice: meant === null ? advice : `Did you mean "${meant}"?`,
      };
    }
    case "too_small":
      return {
        code: code(value === "" ? "E_SCENARIO_EMPTY" : "E_SCENARIO_VALUE"),
        expected: bound(issue.origin, "at least", issue.minimum),
        advice,
      };
    case "too_big":
      return {
        code: code("E_SCENARIO_VALUE"),
        expected: bound(issue.origin, "at most", issue.maximum),
        advice,
      };
    default:
      return { code: code("E_SCENARIO_VALUE"), expected: issue.message, advice };
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list of two",
  object: "a map",
  record: "a map",
};

function bound(origin: string, which: string, limit: number | bigint): string {
  if (origin === "string") return `${which} ${limit} character${limit === 1 ? "" : "s"}`;
  if (origin === "array") return `${which} ${limit} item${limit === 1 ? "" : "s"}`;
  return `${which} ${limit}`;
}

function found(value: unknown, path: Path): string {
  const last = path.at(-1);
  return value === undefined && typeof last === "string" ? `no "${excerpt(last)}"` : show(value);
}

function keyForm(issue: z.core.$ZodIssueInvalidKey): string {
  return issue.issues[0]?.message ?? "another name";
}

function deepest(issues: readonly Issue[]): number {
  return issues.reduce((most, issue) => Math.max(most, issue.path.length), 0);
}

function at(values: unknown, path: Path): unknown {
  let value = values;
  for (const step of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, step))
      return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

function isFieldProblem(params: unknown): params is FieldProblem {
  return params !== null && typeof params === "object" && "code" in params && "advice" in params;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 24).join(", ");
  return names.length > 24 ? `${shown}, …` : shown;
}

/** The name nearest to what was written, if it is near enough to have been meant. */
export function nearest(written: string, names: readonly string[]): string | null {
  const text = plain(written.slice(0, 64));
  let best: string | null = null;
  // A name of which nothing is left is not a misspelling of it.
  let least = Math.min(Math.max(1, Math.floor(text.length / 4)), text.length - 1) + 1;
  for (const name of names) {
    const distance = editDistance(text, plain(name));
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, "");
}

/** Damerau–Levenshtein distance with adjacent transpositions (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1;
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return above[right.length] ?? 0;
}
