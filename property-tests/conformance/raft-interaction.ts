import { RaftPanic } from "../../core/raft/index.js";
import { runCommand } from "./raft/commands.js";
import { asExpected, parseDirective, parseScript } from "./raft/datadriven.js";
import { Environment } from "./raft/environment.js";
import type { Report, Suite } from "./suite.js";
import { witnessFile, witnessFiles } from "./witness.js";

/** Whole groups, step by step: every Ready, message and log line, and the texts of panics. */
export const raftInteraction: Suite = {
  name: "raft-interaction",
  about: "directives of interaction scripts, and panics, against etcd-io/raft 3.7",
  run(dataDir, report) {
    for (const folder of ["raft/interaction", "raft/generated"]) {
      for (const { path, text } of witnessFiles(dataDir, folder, ".txt", report)) {
        runScript(path, text, report);
      }
    }
    const panics = witnessFile(dataDir, "raft/panics.json", report);
    if (panics !== null) for (const panic of JSON.parse(panics) as Panic[]) runPanic(panic, report);
  },
};

/** A script that ends in a panic of the original. */
interface Panic {
  readonly id: string;
  readonly script: string;
  readonly panicDirective: string;
  readonly panicInput: string;
  readonly panic: string;
}

function runScript(path: string, text: string, report: Report): Environment {
  const env = new Environment();
  for (const directive of parseScript(text)) {
    const name = `${path}:${directive.line}`;
    const actual = outputOf(() => runCommand(env, directive));
    report.compare(name, () => directive.source, directive.expected, asExpected(actual));
  }
  return env;
}

function runPanic(panic: Panic, report: Report): void {
  const name = `raft/panics.json:${panic.id}`;
  const env = runScript(name, panic.script, report);
  const directive = parseDirective(panic.panicDirective);
  if (directive === null) throw new Error(`${name} has no directive`);
  const actual = outputOf(() => runCommand(env, { ...directive, input: panic.panicInput }));
  const input = () => `${panic.panicDirective}\n${panic.panicInput}`;
  report.compare(name, input, `panic: ${panic.panic}`, actual);
}

/** What a command prints, or how it fails: a script's other directives are still worth comparing. */
function outputOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    if (error instanceof RaftPanic) return `panic: ${error.message}`;
    return `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}
