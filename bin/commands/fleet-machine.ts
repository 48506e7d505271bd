import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { FleetClient } from "../../adapters/fleet/index.js";
import { SshError, type SshTerminal } from "../../adapters/ssh/index.js";
import type { ApiMachine, ApiUnit } from "../../core/fleet/index.js";
import type { FleetContext } from "./fleet-flags.js";
import { isGlobalFile } from "./fleet-names.js";
import { inTerminal, isThisMachine, runHere, runOnMachine } from "./fleet-ssh.js";
import { machinesById } from "./fleet-wait.js";

/** The machines that a unit is on: its own, or all that have reported a global one. */
export async function machinesOf(client: FleetClient, unit: ApiUnit): Promise<ApiMachine[]> {
  const present = await machinesById(client);
  const ids = isGlobalFile(unit.file)
    ? (await client.unitStates()).filter((one) => one.unit === unit.name).map((one) => one.machine)
    : [unit.machine];
  return ids.flatMap(
    (id) => present.get(id) ?? (id === "" ? [] : [{ id, publicIp: "", metadata: {} }]),
  );
}

/** Flags of the commands that log in to machines. */
export interface SshPortFlag {
  readonly sshPort: number;
}

/** Runs a command where it belongs, with fleetctl's words for what goes wrong on the way, and its exit code. */
export async function runCommand(
  context: FleetContext,
  machine: ApiMachine,
  words: readonly string[],
  port: number,
): Promise<number> {
  return inTerminal((terminal) => runWith(context, machine, words, port, terminal));
}

async function runWith(
  { flags, voice }: FleetContext,
  machine: ApiMachine,
  words: readonly string[],
  port: number,
  terminal: SshTerminal,
): Promise<number> {
  const here = isThisMachine(machine.id);
  try {
    if (here) return await runHere(words, terminal);
    const [program = "", ...args] = words;
    const command = [program, ...args.map((word) => JSON.stringify(word))].join(" ");
    return await runOnMachine(flags, machine, command, { port, terminal });
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    const where = here ? "Error running local command" : "Unable to SSH to remote host";
    voice.err(`${where}: ${error.message}`);
    return 255;
  }
}

/** What a command wrote, and its exit status. */
export interface Captured {
  readonly exit: number;
  readonly output: string;
  readonly errors: string;
}

/** As `runCommand`, with nothing to read and what it writes kept; errors are told. */
export async function captured(
  context: FleetContext,
  machine: ApiMachine,
  words: readonly string[],
  port: number,
): Promise<Captured> {
  const taken = await capture((terminal) => runWith(context, machine, words, port, terminal));
  if (taken.errors !== "") context.voice.err(taken.errors.trimEnd());
  return taken;
}

/** Runs something with nothing to read, and keeps what it writes. */
export async function capture(run: (terminal: SshTerminal) => Promise<number>): Promise<Captured> {
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end();
  const texts = { output: "", errors: "" };
  output.on("data", (chunk: Buffer) => {
    texts.output += chunk.toString("utf8");
  });
  errors.on("data", (chunk: Buffer) => {
    texts.errors += chunk.toString("utf8");
  });
  const exit = await run({ input, output, errors, size: null });
  // What was written last is told in the next turn.
  await sleep(0);
  return { exit, ...texts };
}
