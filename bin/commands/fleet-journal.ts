import { type UnitMessage, Unreachable } from "../../adapters/fleet/index.js";
import type { ApiUnit } from "../../core/fleet/index.js";
import type { FleetContext } from "./fleet-flags.js";
import { captured, machinesOf, runCommand, type SshPortFlag } from "./fleet-machine.js";
import { isGlobalFile, unitName } from "./fleet-names.js";

/** Flags of `journal`, as fleetctl's. */
export interface JournalFlags extends SshPortFlag {
  readonly lines: number;
  readonly follow?: true;
  readonly sudo?: true;
  readonly output: string;
}

/** `fleetctl journal`: journalctl on the machine, or what systemd of a simulated one has said. */
export async function journal(
  context: FleetContext,
  argument: string,
  journalFlags: JournalFlags,
): Promise<number> {
  const { client, voice, flags } = context;
  const { lines, follow, sudo, output, sshPort } = journalFlags;
  const name = unitName(argument);
  const unit = await client.unit(name);
  const problem =
    unit === null
      ? `Unit ${name} does not exist.`
      : isGlobalFile(unit.file)
        ? `Unable to retrieve journal of global unit ${name}.`
        : unit.currentState === "inactive"
          ? `Unit ${name} does not appear to be running.`
          : null;
  if (unit === null || problem !== null) {
    voice.err(problem ?? "");
    return 1;
  }
  if (await client.isSimulated()) return simulatedJournal(context, unit, journalFlags);
  const [machine] = await machinesOf(client, unit);
  if (machine === undefined) {
    voice.err(`Error getting machine IP: ${unit.machine} is not present`);
    return 1;
  }
  const words = [
    ...(sudo === true ? ["sudo"] : []),
    ...["journalctl", "--unit", name, "--no-pager", "-n", String(lines)],
    ...["--output", flags.json === true ? "json" : output],
    ...(follow === true ? ["-f"] : []),
  ];
  if (flags.json !== true || follow === true) return runCommand(context, machine, words, sshPort);
  const taken = await captured(context, machine, words, sshPort);
  // journalctl says in plain words that there is nothing.
  const records = taken.output.split("\n").filter((line) => line.startsWith("{"));
  const entries = records.map((line): unknown => JSON.parse(line));
  voice.out(JSON.stringify(entries, null, 2));
  return taken.exit;
}

/** How a simulated journal is written down, by the names of journalctl's modes. */
const FORMATS: Readonly<Record<string, (entry: UnitMessage) => string>> = {
  short: ({ at, host, message }) => `${clockText(at)} ${host} systemd[1]: ${message}`,
  cat: ({ message }) => message,
  json: (entry) => JSON.stringify(entry),
};

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `Mar 01 00:01:02`, UTC. */
function clockText(at: number): string {
  const date = new Date(at / 1_000);
  const two = (part: number): string => String(part).padStart(2, "0");
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(":");
  return `${MONTHS[date.getUTCMonth()] ?? ""} ${two(date.getUTCDate())} ${time}`;
}

/** How often a journal that is followed is looked at, ms of its fleet's time. */
const FOLLOW_MS = 500;

async function simulatedJournal(
  { client, voice, flags }: FleetContext,
  unit: ApiUnit,
  { lines, follow, output }: JournalFlags,
): Promise<number> {
  const format = FORMATS[output];
  if (format === undefined) {
    const known = Object.keys(FORMATS).join(", ");
    voice.err(`Journals of simulated machines are printed as ${known}, not as ${output}.`);
    return 1;
  }
  let entries = await client.messages(unit.machine, unit.name, lines);
  if (flags.json === true && follow !== true) {
    voice.out(JSON.stringify(entries, null, 2));
    return 0;
  }
  const json = FORMATS.json ?? format;
  let [cursor, boot] = [0, 0];
  for (;;) {
    for (const entry of entries.filter((one) => one.cursor > cursor)) {
      if (boot !== 0 && entry.boot !== boot && output === "short") voice.out("-- Reboot --");
      ({ cursor, boot } = entry);
      voice.out((flags.json === true ? json : format)(entry));
    }
    if (follow !== true) break;
    try {
      await client.transport.sleep(FOLLOW_MS);
    } catch (error) {
      // The run in memory is over: nothing will be said any more.
      if (error instanceof Unreachable) break;
      throw error;
    }
    entries = await client.messages(unit.machine, unit.name, 1_000);
  }
  if (cursor === 0) voice.err("-- No entries --");
  return 0;
}
