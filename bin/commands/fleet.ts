import { Command, Option } from "commander";
import { FleetApiError, FleetClient, Unreachable } from "../../adapters/fleet/index.js";
import { fdForward } from "./fleet-fd-forward.js";
import { type FleetContext, type FleetFlags, withFleetFlags } from "./fleet-flags.js";
import { type JournalFlags, journal } from "./fleet-journal.js";
import {
  type ListFlags,
  listMachines,
  listUnitFiles,
  listUnits,
  MACHINE_FIELDS,
  UNIT_FIELDS,
  UNIT_FILE_FIELDS,
} from "./fleet-list.js";
import { cat, explain } from "./fleet-look.js";
import type { SshPortFlag } from "./fleet-machine.js";
import { openFleet } from "./fleet-open.js";
import { restartGlobal, type SshFlags, ssh, status } from "./fleet-remote.js";
import { TunnelFailed } from "./fleet-ssh.js";
import {
  destroy,
  load,
  restart,
  start,
  stop,
  submit,
  type UnitCommand,
  unload,
} from "./fleet-units.js";
import { patience, type Voice } from "./fleet-wait.js";
import { guarded } from "./live-flags.js";
import { wholeNumber } from "./shared.js";

/** The version of fleetctl that the commands follow. */
const VERSION_TEXT = "fleetctl version 1.0.0";

/** `orrery fleet`: fleetctl's commands, for fleets that are simulated, served or real. */
export function fleetCommand(): Command {
  const fleet = withFleetFlags(new Command("fleet").enablePositionalOptions())
    .description("fleetctl's commands, on a simulated fleet, a served one or a real one")
    .addHelpText(
      "after",
      `
Exit codes are fleetctl's: 0 done, 1 not done, those of commands on machines; 2 for flags that make no sense.
FLEETCTL_ENDPOINT and the like stand for flags that are not given. The flags may stand on either side of the
command; orrery fleet COMMAND --help shows the command's own.

Examples:
  orrery fleet --endpoint http://127.0.0.1:49153 list-machines
  orrery fleet --endpoint http://127.0.0.1:49153 start web.service
  orrery fleet --etcd http://127.0.0.1:2379 explain web.service
  orrery fleet --scenario scenarios/first-light.yaml --at 5m list-units
  orrery fleet --tunnel 10.0.0.1 journal --lines 50 web.service`,
    )
    .version(VERSION_TEXT, "--version", "print the version that the commands follow");
  const asking: Command[] = [];
  const command = (name: string, description: string): Command => {
    const one = fleet.command(name).description(description);
    asking.push(one);
    return one;
  };

  for (const [name, { what, run, creates, blocks }] of Object.entries(UNIT_COMMANDS)) {
    const one = command(name, what).argument("[units...]", "unit files, or names of units");
    if (blocks !== "no") {
      one.option("--block-attempts <n>", "give up after so many attempts of 2 s (0: never)", COUNT);
    }
    if (blocks === "yes") one.option("--no-block", "do not wait for the effect");
    if (creates) {
      one.option("--replace", "replace units whose file differs");
      one.addOption(new Option("--sign", "deprecated").hideHelp());
    }
    one.action((units: string[], _: UnitFlags, self: Command) =>
      answer(self, ({ client, voice, flags }: FleetContext) => {
        const all: UnitFlags = self.opts();
        if (all.sign === true) return Promise.resolve(signed(voice));
        const { replace = false } = all;
        const compat = flags.compat === true;
        const told = (to: Voice) =>
          run({
            client,
            voice: to,
            units,
            patient: patience(all),
            replace,
            compat,
            restartGlobal: restartGlobal.bind(null, { client, voice: to, flags }),
          });
        return flags.json === true ? asJson(voice, told) : told(voice);
      }),
    );
  }

  for (const [name, { what, fields, run }] of Object.entries(LIST_COMMANDS)) {
    command(name, what)
      .option("-l, --full", "whole IDs and hashes")
      .option("--no-legend", "no line of column headers")
      .option("--fields <names>", `columns, of ${fields.join(",")}`)
      .action((_: ListFlags, self: Command) =>
        answer(self, (context) => run(context, self.opts<ListFlags>())),
      );
  }

  command("cat", "print a unit's file")
    .argument("[unit...]")
    .action((units: string[], _: object, self: Command) =>
      answer(self, (context) => cat(context, units)),
    );
  command("status", "how systemd has units, on the machines that they are on")
    .argument("[units...]")
    .addOption(sshPort())
    .action((units: string[], flags: SshPortFlag, self: Command) =>
      answer(self, (context) => status(context, units, flags)),
    );
  command("explain", "why a unit is where it is, or nowhere")
    .argument("<units...>")
    .action((units: string[], _: object, self: Command) =>
      answer(self, (context) => explain(context, units)),
    );
  command("journal", "a unit's journal; of a simulated one what systemd said of it")
    .argument("[unit...]")
    .option("--lines <n>", "lines to show", wholeNumber(0, 100_000), 10)
    .option("-f, --follow", "go on with what is said from now on")
    .option("--sudo", "run journalctl with sudo")
    .option("--output <mode>", "journalctl's output mode", "short")
    .addOption(sshPort())
    .action((units: string[], flags: JournalFlags, self: Command) =>
      answer(self, (context) => {
        const [unit] = units;
        if (unit !== undefined && units.length === 1) return journal(context, unit, flags);
        context.voice.err("One unit file must be provided.");
        return Promise.resolve(1);
      }),
    );
  command("ssh", "a shell or a command on a machine, or where a unit is")
    .argument("[words...]", "a machine ID or a unit, unless a flag names it, and a command")
    .option("--machine <id>", "the machine, by the beginning of its ID")
    .option("--unit <name>", "the machine that a unit is on")
    .option("-A, --forward-agent", "let the machine use the agent")
    .addOption(sshPort())
    .passThroughOptions()
    .action((words: string[], flags: SshFlags, self: Command) =>
      answer(self, (context) => ssh(context, words, flags)),
    );
  fleet
    .command("fd-forward")
    .description("carry standard input and output to a UNIX socket; a tunnel's other end")
    .argument("[socket...]")
    .action((sockets: string[]) => guarded(() => fdForward(sockets)));
  fleet
    .command("verify")
    .description("deprecated: units are not signed")
    .argument("[units...]")
    .action(() => {
      process.exitCode = signed(VOICE);
    });
  fleet
    .command("version")
    .description("the version of fleetctl that the commands follow")
    .action(() => console.log(VERSION_TEXT));
  // Last, so that a command's own flags come first in its help.
  for (const one of asking) withFleetFlags(one);
  return fleet;
}

const COUNT = wholeNumber(0, 1_000_000);

const sshPort = (): Option =>
  new Option("--ssh-port <n>", "port of the machines' SSH servers")
    .argParser(wholeNumber(1, 65_535))
    .default(22);

/** How a command ends is told once it has ended. */
interface EndingVoice extends Voice {
  end(exit: number): void;
}

const VOICE: EndingVoice = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  end: () => {},
};

/** With `--json` there is JSON on standard output whatever happens: of a command that printed none, why. */
class JsonVoice implements EndingVoice {
  readonly #warnings: string[] = [];
  #printed = false;

  out(line: string): void {
    this.#printed = true;
    console.log(line);
  }

  err(line: string): void {
    this.#warnings.push(line);
    console.error(line);
  }

  end(exit: number): void {
    if (!this.#printed) console.log(report(exit, [], this.#warnings));
  }
}

function report(exit: number, messages: readonly string[], warnings: readonly string[]): string {
  return JSON.stringify({ ok: exit === 0, messages, warnings }, null, 2);
}

interface UnitFlags extends FleetFlags {
  readonly block?: boolean;
  readonly blockAttempts?: number;
  readonly replace?: true;
  readonly sign?: true;
}

interface UnitCommandEntry {
  readonly what: string;
  readonly run: (command: UnitCommand) => Promise<number>;
  readonly creates: boolean;
  readonly blocks: "yes" | "attempts" | "no";
}

const UNIT_COMMANDS: Readonly<Record<string, UnitCommandEntry>> = {
  submit: { what: "put units into the registry", run: submit, creates: true, blocks: "no" },
  load: { what: "have units scheduled and loaded", run: load, creates: true, blocks: "yes" },
  start: { what: "have units started", run: start, creates: true, blocks: "yes" },
  stop: { what: "have units stopped, but loaded", run: stop, creates: false, blocks: "yes" },
  unload: { what: "take units off their machines", run: unload, creates: false, blocks: "yes" },
  restart: { what: "stop and start units", run: restart, creates: false, blocks: "attempts" },
  destroy: { what: "take units out of the registry", run: destroy, creates: false, blocks: "yes" },
};

interface ListCommandEntry {
  readonly what: string;
  readonly fields: readonly string[];
  readonly run: (context: FleetContext, flags: ListFlags) => Promise<number>;
}

const LIST_COMMANDS: Readonly<Record<string, ListCommandEntry>> = {
  "list-units": { what: "units that machines have", fields: UNIT_FIELDS, run: listUnits },
  "list-unit-files": { what: "units there are", fields: UNIT_FILE_FIELDS, run: listUnitFiles },
  "list-machines": { what: "machines that are present", fields: MACHINE_FIELDS, run: listMachines },
};

/** What a command says, gathered into one JSON object. */
async function asJson(voice: Voice, run: (to: Voice) => Promise<number>): Promise<number> {
  const messages: string[] = [];
  const warnings: string[] = [];
  const exit = await run({
    out: (line) => messages.push(line),
    err: (line) => warnings.push(line),
  });
  voice.out(report(exit, messages, warnings));
  return exit;
}

function signed(voice: Voice): number {
  voice.err("WARNING: The signed/verified units feature is DEPRECATED and cannot be used.");
  return 2;
}

/** Opens the way to the fleet, carries a command out, and says what went wrong on the way. */
function answer(command: Command, run: (context: FleetContext) => Promise<number>): Promise<void> {
  return guarded(async () => {
    const flags = command.optsWithGlobals<FleetFlags>();
    const voice = flags.json === true ? new JsonVoice() : VOICE;
    try {
      const transport = await openFleet(flags, VOICE.err);
      try {
        const exit = await run({ client: new FleetClient(transport), voice, flags });
        voice.end(exit);
        return exit;
      } finally {
        transport.close();
      }
    } catch (error) {
      if (error instanceof FleetApiError) voice.err(`Error: ${error.message}`);
      else if (error instanceof Unreachable) voice.err(unreachableText(error, flags));
      else throw error;
      voice.end(1);
      return 1;
    }
  });
}

function unreachableText(error: Unreachable, flags: FleetFlags): string {
  const { message } = error;
  if (flags.scenario !== undefined) return message;
  if (error instanceof TunnelFailed) return `Unable to initialize client: ${message}`;
  return `${message}\nIs a fleetd there? Give its API with --endpoint, as orrery serve prints it, or its etcd with --etcd.`;
}
