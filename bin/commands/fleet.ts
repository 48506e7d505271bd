import { Command, Option } from "commander";
import { FleetApiError, FleetClient, Unreachable } from "../../adapters/fleet/index.js";
import { type FleetContext, type FleetFlags, openFleet, withFleetFlags } from "./fleet-flags.js";
import {
  type ListFlags,
  listMachines,
  listUnitFiles,
  listUnits,
  MACHINE_FIELDS,
  UNIT_FIELDS,
  UNIT_FILE_FIELDS,
} from "./fleet-list.js";
import { cat, elsewhere, explain, status } from "./fleet-look.js";
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
const VERSION = "1.0.0";

/** `orrery fleet`: fleetctl's commands, for fleets that are simulated, served or real. */
export function fleetCommand(): Command {
  const fleet = withFleetFlags(new Command("fleet"))
    .description("fleetctl's commands, on a simulated fleet, a served one or a real one")
    .addHelpText(
      "after",
      `
Exit codes are fleetctl's: 0 done, 1 not done; 2 for flags that make no sense.
FLEETCTL_ENDPOINT and the like stand for flags that are not given.

Examples:
  orrery fleet --endpoint http://127.0.0.1:49153 list-machines
  orrery fleet --endpoint http://127.0.0.1:49153 start web.service
  orrery fleet --etcd http://127.0.0.1:2379 explain web.service
  orrery fleet --scenario scenarios/first-light.yaml --at 5m list-units`,
    );
  const command = (name: string, description: string): Command =>
    withFleetFlags(fleet.command(name).description(description));

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
          run({ client, voice: to, units, patient: patience(all), replace, compat });
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
    .argument("<units...>")
    .action((units: string[], _: object, self: Command) =>
      answer(self, (context) => status(context, units)),
    );
  command("explain", "why a unit is where it is, or nowhere")
    .argument("<units...>")
    .action((units: string[], _: object, self: Command) =>
      answer(self, (context) => explain(context, units)),
    );
  command("journal", "a unit's journal: only on a real fleet, by SSH")
    .argument("<unit>")
    .option("--lines <n>", "lines to show", "10")
    .option("-f, --follow", "go on")
    .action((unit: string, { lines, follow }: JournalFlags, self: Command) =>
      answer(self, (context) =>
        elsewhere(context, unit, [
          ...["journalctl", "--unit", unit, "--no-pager", "-n", lines],
          ...(follow === true ? ["-f"] : []),
        ]),
      ),
    );
  command("ssh", "a shell on a machine: only on a real fleet")
    .argument("<target>", "a unit, or a machine ID")
    .argument("[words...]")
    .action((target: string, words: string[], _: object, self: Command) =>
      answer(self, (context) => elsewhere(context, target, words)),
    );
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
    .action(() => console.log(`fleetctl version ${VERSION}`));
  return fleet;
}

const COUNT = wholeNumber(0, 1_000_000);

const VOICE: Voice = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
};

interface UnitFlags extends FleetFlags {
  readonly block?: boolean;
  readonly blockAttempts?: number;
  readonly replace?: true;
  readonly sign?: true;
}

interface JournalFlags {
  readonly lines: string;
  readonly follow?: true;
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
  voice.out(JSON.stringify({ ok: exit === 0, messages, warnings }, null, 2));
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
    try {
      const transport = await openFleet(flags);
      try {
        return await run({ client: new FleetClient(transport), voice: VOICE, flags });
      } finally {
        transport.close();
      }
    } catch (error) {
      if (error instanceof FleetApiError) console.error(`Error: ${error.message}`);
      else if (error instanceof Unreachable) console.error(unreachableText(error, flags));
      else throw error;
      return 1;
    }
  });
}

function unreachableText({ message }: Unreachable, flags: FleetFlags): string {
  if (flags.scenario !== undefined) return message;
  return `${message}\nIs a fleetd there? Give its API with --endpoint, as orrery serve prints it, or its etcd with --etcd.`;
}
