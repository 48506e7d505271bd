import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCommand } from "../command-line.js";
import { type Outcome, runSuite, type Suite } from "./suite.js";
import { SUITES } from "./suites.js";

const USAGE = "usage: npm run conformance -- [SUITE...] [--data DIR] [--json] [--list]";

/** Where witness data is when the command line does not say. */
function defaultDataDir(): string {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
  return process.env.ORRERY_WITNESS_DIR ?? resolve(root, "../shared/data");
}

function listing(): string {
  const width = Math.max(...SUITES.map((suite) => suite.name.length));
  return SUITES.map((suite) => `  ${suite.name.padEnd(width)}  ${suite.about}`).join("\n");
}

/** The named suites, or all; null if a name is unknown. */
function select(names: readonly string[]): Suite[] | null {
  if (names.length === 0) return [...SUITES];
  const chosen: Suite[] = [];
  for (const name of names) {
    const suite = SUITES.find((candidate) => candidate.name === name);
    if (suite === undefined) return null;
    chosen.push(suite);
  }
  return chosen;
}

/** True if the outcome lets the run pass. */
function good(outcome: Outcome): boolean {
  const skipFails = process.env.ORRERY_WITNESS_REQUIRED === "1" && outcome.skipped.length > 0;
  return outcome.passed === outcome.total && !skipFails;
}

function describe(outcome: Outcome): string {
  const lines = [`${outcome.suite} ${outcome.passed}/${outcome.total}`];
  for (const part of outcome.skipped) lines.push(`${outcome.suite} skipped: no ${part}`);
  const { first } = outcome;
  if (first !== null) {
    lines.push(`first difference: ${first.name}`);
    if (first.input !== "") lines.push("--- input", first.input);
    lines.push("--- expected", first.expected, "--- actual", first.actual, "---");
  }
  return lines.join("\n");
}

async function run({ values, positionals }: ReturnType<typeof parse>): Promise<number> {
  if (values.list) {
    console.log(listing());
    return 0;
  }
  const chosen = select(positionals);
  if (chosen === null) {
    const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name));
    console.error(`unknown suite: ${unknown.join(", ")}; the suites are\n${listing()}`);
    return 2;
  }
  const dataDir = resolve(values.data ?? defaultDataDir());
  if (!existsSync(dataDir)) console.error(`no witness data at ${dataDir}`);
  const outcomes: Outcome[] = [];
  for (const suite of chosen) {
    const outcome = await runSuite(suite, dataDir);
    outcomes.push(outcome);
    if (!values.json) console.log(describe(outcome));
  }
  if (values.json) console.log(JSON.stringify(outcomes));
  return outcomes.every(good) ? 0 : 1;
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      data: { type: "string" },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
}

process.exitCode = await runCommand(USAGE, parse, run);
