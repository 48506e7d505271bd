import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { Unreachable } from "../../adapters/fleet/index.js";
import {
  SshConnection,
  SshError,
  type SshOptions,
  type SshTarget,
  type SshTerminal,
} from "../../adapters/ssh/index.js";
import type { ApiMachine } from "../../core/fleet/index.js";
import { readSsh } from "./drive-flags.js";
import { type FleetFlags, given, readSeconds, readStrict } from "./fleet-flags.js";
import { refuse } from "./live-flags.js";

/** There is no way to the fleet since there is none to the tunnel's host. */
export class TunnelFailed extends Unreachable {}

/** The connection that `--tunnel` asks for; null without it. @throws FlagError, TunnelFailed */
export async function openTunnel(flags: FleetFlags): Promise<SshConnection | null> {
  const address = given(flags, "tunnel");
  if (address === undefined) return null;
  const target = targetOf(flags, address, 22);
  if (target === null) {
    refuse(
      "E_FLAG",
      "--tunnel",
      JSON.stringify(address),
      "HOST or HOST:PORT",
      "Write --tunnel 10.0.0.1",
    );
  }
  try {
    return await SshConnection.open(target, sshOptions(flags, true));
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    throw new TunnelFailed(`failed initializing SSH client: ${address}: ${error.message}`);
  }
}

/** How a command on a machine is run. */
export interface MachineRun {
  readonly port: number;
  readonly forwardAgent?: boolean;
  readonly terminal: SshTerminal;
}

/**
 * Runs a command on a machine, or a shell, by SSH and through the tunnel if there is one, and returns
 * its exit status. @throws SshError
 */
export async function runOnMachine(
  flags: FleetFlags,
  { publicIp }: ApiMachine,
  command: string | null,
  { port, forwardAgent = false, terminal }: MachineRun,
): Promise<number> {
  const target = targetOf(flags, publicIp, port);
  if (target === null) throw new SshError("the machine tells no address of itself");
  const options = sshOptions(flags, forwardAgent);
  const tunnel = await openTunnel(flags);
  try {
    const through = await tunnel?.openPort(target.host, target.port);
    const connection = await SshConnection.open(target, options, undefined, through);
    try {
      return await connection.run(command, terminal);
    } finally {
      connection.close();
    }
  } finally {
    tunnel?.close();
  }
}

/** Runs a program of this machine, as fleetctl does where the machine asked for is this one. */
export function runHere(words: readonly string[], terminal: SshTerminal): Promise<number> {
  const [program = "", ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(terminal.output, { end: false });
    child.stderr.pipe(terminal.errors, { end: false });
    child.on("error", (error) => reject(new SshError(error.message)));
    child.on("close", (code) => resolve(code ?? 255));
  });
}

/** Whether a machine's ID is that of the machine this runs on. */
export function isThisMachine(id: string): boolean {
  const path = "/etc/machine-id";
  return existsSync(path) && readFileSync(path, "utf8").trim() === id;
}

/** The terminal that this program runs in; raw while `run` lasts, if it is one. */
export async function inTerminal(run: (terminal: SshTerminal) => Promise<number>): Promise<number> {
  const { stdin: input, stdout: output, stderr: errors } = process;
  const isTerminal = input.isTTY === true && output.isTTY === true;
  const size = isTerminal ? { columns: output.columns, rows: output.rows } : null;
  if (isTerminal) input.setRawMode(true);
  try {
    return await run({ input, output, errors, size });
  } finally {
    if (isTerminal) input.setRawMode(false);
    input.pause();
  }
}

function targetOf(flags: FleetFlags, address: string, port: number): SshTarget | null {
  const user = given(flags, "sshUsername") ?? "core";
  const [, bracketed, plain, own] =
    /^(?:\[(.+)\]|([^:@/\s]+))(?::([0-9]{1,5}))?$/.exec(address) ?? [];
  const host = bracketed ?? plain ?? (/^[0-9a-f:]+$/i.test(address) ? address : undefined);
  return host === undefined ? null : { user, host, port: own === undefined ? port : Number(own) };
}

function sshOptions(flags: FleetFlags, forwardAgent: boolean): SshOptions {
  const standard = readSsh({});
  const named = given(flags, "knownHostsFile");
  const file = named?.replace(/^~(?=\/)/, homedir()) ?? join(homedir(), ".fleetctl", "known_hosts");
  const own = existsSync(file) ? [readFileSync(file, "utf8")] : [];
  return {
    ...standard,
    knownHosts: named === undefined ? [...own, ...standard.knownHosts] : own,
    connectMs: readSeconds(flags, "sshTimeout", 10),
    checkHosts: readStrict(flags),
    forwardAgent: forwardAgent && standard.agent !== undefined,
    ...(process.stdin.isTTY ? { unknownHost: askToTrust.bind(null, file) } : {}),
  };
}

/** Asks whoever sits there, in fleetctl's words, and keeps a key that is trusted. */
async function askToTrust(file: string, host: string, key: Buffer): Promise<boolean> {
  const type = key.subarray(4, 4 + key.readUInt32BE(0)).toString("latin1");
  const hash = createHash("sha256").update(key).digest("base64").replace(/=+$/, "");
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const question = `The authenticity of host '${host}' can't be established.
${type} key fingerprint is SHA256:${hash}.
Are you sure you want to continue connecting (yes/no)? `;
  const answer = (await asking.question(question)).toLowerCase();
  asking.close();
  if (answer !== "yes" && answer !== "y") return false;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, `${host} ${type} ${key.toString("base64")}\n`, { mode: 0o600 });
  return true;
}
