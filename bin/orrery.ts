#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { endWithOutput } from "./commands/output.js";

/** Exit codes of every command: held, violated or diverged, bad input. */
const HELP_END = `
Exit codes:
  0  everything held
  1  something was violated, failed or diverged
  2  bad input: a flag, a scenario, a log, a server that is not there

Examples:
  orrery run scenarios/first-light.yaml --seed 7 --out run.orlog
  orrery replay run.orlog
  orrery check scenarios/first-light.yaml --seeds 100`;

endWithOutput();

const program = new Command("orrery")
  .description("A deterministic simulator and digital twin for clusters of self-updating hosts")
  .version(version(), "-V, --version")
  // What follows the words of `ctl` belongs to them.
  .enablePositionalOptions()
  .showHelpAfterError("(orrery --help shows what there is)")
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  })
  .addHelpText("after", HELP_END);

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./commands/run.js")).runCommand(),
  check: async () => (await import("./commands/check.js")).checkCommand(),
  replay: async () => (await import("./commands/replay.js")).replayCommand(),
  log: async () => (await import("./commands/log.js")).logCommand(),
  verify: async () => (await import("./commands/verify.js")).verifyCommand(),
  lint: async () => (await import("./commands/lint.js")).lintCommand(),
  observe: async () => (await import("./commands/observe.js")).observeCommand(),
  drive: async () => (await import("./commands/drive.js")).driveCommand(),
  serve: async () => (await import("./commands/serve.js")).serveCommand(),
  discovery: async () => (await import("./commands/discovery.js")).discoveryCommand(),
  ctl: async () => (await import("./commands/ctl.js")).ctlCommand(),
  fleet: async () => (await import("./commands/fleet.js")).fleetCommand(),
};

// Loading all of them takes longer than most runs do, so only the one that is asked for is loaded.
const asked = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "";
const one = Object.hasOwn(COMMANDS, asked) ? COMMANDS[asked] : undefined;
for (const load of one === undefined ? Object.values(COMMANDS) : [one]) {
  program.addCommand(inherit(await load()));
}
await program.parseAsync();

/** A flag that is wrong is bad input, wherever it stands. */
function inherit(command: Command): Command {
  command.copyInheritedSettings(program);
  for (const child of command.commands) inherit(child);
  return command;
}

function version(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), "utf8");
      return String((JSON.parse(text) as { version: string }).version);
    } catch {
      // Built, the package file is one folder further up.
    }
  }
  return "unknown";
}
