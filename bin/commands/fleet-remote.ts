import type { FleetClient, HostUnitStatus } from "../../adapters/fleet/index.js";
import { SshError, type SshTerminal } from "../../adapters/ssh/index.js";
import type { ApiMachine, ApiUnit } from "../../core/fleet/index.js";
import type { FleetContext } from "./fleet-flags.js";
import { capture, captured, machinesOf, runCommand, type SshPortFlag } from "./fleet-machine.js";
import { isGlobalFile, unitName } from "./fleet-names.js";
import { inTerminal, runOnMachine } from "./fleet-ssh.js";

/** Flags of `ssh`, as fleetctl's. */
export interface SshFlags extends SshPortFlag {
  readonly machine?: string;
  readonly unit?: string;
  readonly forwardAgent?: true;
}

/** `fleetctl status`: systemctl on the machines that have the units, or the systemd of simulated ones. */
export async function status(
  context: FleetContext,
  units: readonly string[],
  { sshPort }: SshPortFlag,
): Promise<number> {
  const { client, voice, flags } = context;
  const simulated = await client.isSimulated();
  const seen: unknown[] = [];
  let exit = 0;
  for (const [index, argument] of units.entries()) {
    const name = unitName(argument);
    const unit = await client.unit(name);
    if (unit === null) {
      voice.err(`Unit ${name} does not exist.`);
      return 1;
    }
    const global = isGlobalFile(unit.file);
    // fleetctl looks for the machine that a global unit is on, and finds none.
    if (global && flags.compat === true) continue;
    if (!global && unit.currentState === "inactive") {
      voice.err(`Unit ${name} does not appear to be loaded.`);
      return 1;
    }
    for (const [nth, machine] of (await machinesOf(client, unit)).entries()) {
      if (flags.json !== true && (index > 0 || nth > 0)) voice.out("");
      const { code, shown } = await (simulated
        ? simulatedStatus(context, machine, name)
        : realStatus(context, machine, name, sshPort));
      if (shown !== null) seen.push({ machine: machine.id, ...shown });
      if (code !== 0) exit = code;
    }
    // Like fleetctl: what comes after a unit that is not well is not shown.
    if (exit !== 0) break;
  }
  if (flags.json === true) voice.out(JSON.stringify(seen, null, 2));
  return exit;
}

/** The exit code of systemctl, and what a machine's systemd has, where that is not printed already. */
interface Status {
  readonly code: number;
  readonly shown: HostUnitStatus | null;
}

async function simulatedStatus(
  { client, voice, flags }: FleetContext,
  { id }: ApiMachine,
  name: string,
): Promise<Status> {
  const shown = await client.hostStatus(id, name);
  if (shown === null) voice.err(`${id} is down, or does not know ${name}.`);
  else if (flags.json !== true) voice.out(statusText(id, shown));
  return { code: exitOf(shown), shown };
}

async function realStatus(
  context: FleetContext,
  machine: ApiMachine,
  name: string,
  sshPort: number,
): Promise<Status> {
  if (context.flags.json !== true) {
    const words = ["systemctl", "status", "-l", name];
    return { code: await runCommand(context, machine, words, sshPort), shown: null };
  }
  const { exit, output } = await captured(context, machine, [...SHOW, name], sshPort);
  if (exit !== 0) return { code: exit, shown: null };
  const shown = propertiesOf(output);
  return { code: exitOf(shown), shown };
}

function statusText(machine: string, shown: HostUnitStatus): string {
  const { unit, description, loadState, activeState, subState, fragment } = shown;
  return [
    `● ${unit} - ${description || unit}`,
    `   Loaded: ${loadState}${fragment === "" ? "" : ` (${fragment})`}`,
    `   Active: ${activeState} (${subState})`,
    `  Machine: ${machine}`,
  ].join("\n");
}

/** The exit code of `systemctl status` for a unit in such a state. */
function exitOf(shown: HostUnitStatus | null): number {
  if (shown === null) return 4;
  return shown.activeState === "active" || shown.activeState === "reloading" ? 0 : 3;
}

const SHOW = [
  "systemctl",
  "show",
  "--property=Id,Description,LoadState,ActiveState,SubState,FragmentPath",
] as const;

/** The lines of `systemctl show` as the same object that a simulated machine gives. */
function propertiesOf(output: string): HostUnitStatus {
  const properties = new Map(
    output.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const property = (name: string): string => properties.get(name) ?? "";
  return {
    unit: property("Id"),
    description: property("Description"),
    loadState: property("LoadState"),
    activeState: property("ActiveState"),
    subState: property("SubState"),
    fragment: property("FragmentPath"),
  };
}

/** Restarts a global unit by the systemd of every machine that has reported it. */
export async function restartGlobal(context: FleetContext, unit: ApiUnit): Promise<number> {
  const { client, voice } = context;
  const { name } = unit;
  if (await client.isSimulated()) {
    voice.err(`Unit ${name} is global: it is restarted by systemctl over SSH. ${NO_SHELL}`);
    return 1;
  }
  for (const machine of await machinesOf(client, unit)) {
    if ((await runCommand(context, machine, ["systemctl", "restart", name], 22)) === 0) continue;
    const why = `Error running systemctl restart. machine id=${machine.id}, unit name=${name}`;
    voice.err(`Error restarting global units [${name}] err:${why}`);
    return 1;
  }
  return 0;
}

/** `fleetctl ssh`: a shell, or a command, on a machine or where a unit is. */
export async function ssh(
  context: FleetContext,
  words: readonly string[],
  { machine: machineFlag, unit: unitFlag, forwardAgent, sshPort }: SshFlags,
): Promise<number> {
  const { client, voice, flags } = context;
  if (machineFlag !== undefined && unitFlag !== undefined) {
    voice.err("Both machine and unit flags provided, please specify only one.");
    return 1;
  }
  const isNamed = machineFlag !== undefined || unitFlag !== undefined;
  const found =
    machineFlag !== undefined
      ? await machineById(client, machineFlag)
      : unitFlag !== undefined
        ? await machineOfUnit(client, unitFlag)
        : await machineOrUnit(client, words[0]);
  if (typeof found === "string") {
    voice.err(`Unable to proceed: ${found}`);
    return 1;
  }
  if (await client.isSimulated()) {
    voice.err(`${found.id.slice(0, 8)}... is simulated. ${NO_SHELL}`);
    voice.err("Its systemd is asked with orrery fleet status and journal; orrery ctl acts on it.");
    return 1;
  }
  if (found.publicIp === "") {
    voice.err("Could not determine address of machine.");
    return 1;
  }
  const command = (isNamed ? words : words.slice(1)).join(" ");
  if (command === "" && flags.json === true) {
    voice.err("--json has no meaning for a shell: give a command behind the machine.");
    return 1;
  }
  const run = (terminal: SshTerminal): Promise<number> =>
    runOnMachine(flags, found, command === "" ? null : command, {
      port: sshPort,
      forwardAgent: forwardAgent === true,
      terminal,
    });
  try {
    if (flags.json !== true) return await inTerminal(run);
    const { exit, output, errors } = await capture(run);
    voice.out(JSON.stringify({ machine: found.id, exit, output, errors }, null, 2));
    return exit;
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    voice.err(`Failed building SSH client: ${error.message}`);
    return 1;
  }
}

const NO_SHELL = "Simulated machines have no shell to log in to.";

async function machineById(client: FleetClient, prefix: string): Promise<ApiMachine | string> {
  const found = (await client.machines()).filter(({ id }) => id.startsWith(prefix));
  const [machine] = found;
  if (machine === undefined) return "machine does not exist";
  return found.length > 1 ? "found more than one machine" : machine;
}

async function machineOfUnit(client: FleetClient, argument: string): Promise<ApiMachine | string> {
  const unit = await client.unit(unitName(argument));
  if (unit === null) return "unit does not exist";
  if (isGlobalFile(unit.file)) return "global units unsupported";
  const [machine] = await machinesOf(client, unit);
  return machine ?? "the unit is on no machine";
}

async function machineOrUnit(client: FleetClient, word = ""): Promise<ApiMachine | string> {
  if (word === "") return "one machine or unit must be provided";
  const [byId, byUnit] = [await machineById(client, word), await machineOfUnit(client, word)];
  if (typeof byId !== "string" && typeof byUnit !== "string") {
    return `ambiguous argument, both machine and unit found for \`${word}\`.\nPlease use flag \`--machine\` or \`--unit\` to refine the search`;
  }
  if (typeof byId !== "string") return byId;
  return typeof byUnit !== "string" ? byUnit : "could not find matching unit or machine";
}
