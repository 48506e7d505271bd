import { existsSync } from "node:fs";
import { basename } from "node:path";
import { Command } from "commander";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import { FLEET_DEFAULTS, type FleetctlCommand, fleetctl } from "../../core/fleet/index.js";
import { SECOND } from "../../core/kernel/index.js";
import { probeV2 } from "./drive-probe.js";
import {
  guarded,
  readEndpoints,
  readFileFlag,
  readTls,
  refuse,
  type TlsFlags,
} from "./live-flags.js";

const COMMANDS: readonly FleetctlCommand[] = [
  "submit",
  "load",
  "start",
  "stop",
  "unload",
  "destroy",
];

/** `orrery drive unit`: what fleetctl would tell the cluster, through etcd alone. */
export function driveUnitCommand(): Command {
  return (
    new Command("unit")
      .description("submit, load, start, stop, unload or destroy a unit, as fleetctl does")
      .argument("<what>", COMMANDS.join(", "))
      .argument("<unit>", "a unit file, or the name of a unit that was submitted")
      .option("--etcd <urls>", "client URLs of members, separated by commas")
      .option("--cacert <file>", "authority that signed etcd's certificate (PEM)")
      .option("--cert <file>", "client certificate (PEM)")
      .option("--key <file>", "key of the client certificate (PEM)")
      .addHelpText(
        "after",
        `
Examples:
  orrery drive unit start ./web.service --etcd http://127.0.0.1:2379
  orrery drive unit stop web.service --etcd http://127.0.0.1:2379`,
      )
      // Depending on how the program is set up, flags that `drive` has too are taken by `drive`.
      .action((what: string, unit: string, _flags: UnitFlags, command: Command) =>
        guarded(() => tellUnit(what, unit, command.optsWithGlobals<UnitFlags>())),
      )
  );
}

interface UnitFlags extends TlsFlags {
  readonly etcd?: string;
}

async function tellUnit(what: string, unit: string, flags: UnitFlags): Promise<number> {
  const command = COMMANDS.find((known) => known === what);
  if (command === undefined) {
    refuse("E_FLAG", "unit", JSON.stringify(what), COMMANDS.join(", "), "Use one of these");
  }
  const { etcd } = flags;
  if (etcd === undefined) {
    refuse("E_FLAG", "--etcd", "nothing", "client URLs of etcd", "Add --etcd http://HOST:2379");
  }
  const client = new EtcdV2Client({ endpoints: readEndpoints(etcd), tls: readTls(flags) });
  try {
    await probeV2(client, etcd, FLEET_DEFAULTS.keyPrefix);
    return await carryOut(client, command, unit);
  } finally {
    client.close();
  }
}

async function carryOut(
  client: EtcdV2Client,
  command: FleetctlCommand,
  unit: string,
): Promise<number> {
  const name = basename(unit);
  const needsText = command === "submit" || command === "load" || command === "start";
  const isFile = unit.includes("/") || existsSync(unit);
  const text = needsText && isFile ? readFileFlag("unit", unit).toString("utf8") : null;
  const session = fleetctl(FLEET_DEFAULTS.keyPrefix, command, name, text);
  let step = session.next();
  while (step.done !== true) step = session.next(await client.ask(step.value, 5 * SECOND));
  const line = step.value;
  const failed = line.startsWith("Error") || line.endsWith("does not exist");
  if (failed) console.error(line);
  else console.log(line);
  return failed ? 1 : 0;
}
