import { type FleetTransport, Unreachable } from "../../adapters/fleet/index.js";
import {
  BROKEN,
  explainUnit,
  type FleetPicture,
  readPicture,
  unitText,
} from "../../core/fleet/index.js";
import { explanationText, pictureThroughApi } from "./fleet-explain.js";
import { type FleetContext, keyPrefix } from "./fleet-flags.js";
import { isGlobalFile, unitName } from "./fleet-names.js";

/** `fleetctl cat`: the unit file, byte for byte. */
export async function cat(
  { client, voice, flags }: FleetContext,
  units: readonly string[],
): Promise<number> {
  const [argument] = units;
  if (argument === undefined || units.length > 1) {
    voice.err("One unit file must be provided");
    return 1;
  }
  const name = unitName(argument);
  const unit = await client.unit(name);
  if (unit === null) {
    voice.err(`Unit ${name} not found`);
    return 1;
  }
  const { file } = unit;
  if (flags.json === true) {
    voice.out(JSON.stringify({ unit: name, hash: file.hash, text: unitText(file) }, null, 2));
  } else process.stdout.write(Buffer.from(file.serialized, "latin1"));
  return 0;
}

/** `fleetctl status`, from the systemd of simulated machines. */
export async function status(context: FleetContext, units: readonly string[]): Promise<number> {
  const { client, voice, flags } = context;
  const seen: unknown[] = [];
  for (const [index, argument] of units.entries()) {
    const name = unitName(argument);
    const unit = await client.unit(name);
    if (unit === null) {
      voice.err(`Unit ${name} does not exist.`);
      return 1;
    }
    const global = isGlobalFile(unit.file);
    if (!global && unit.currentState === "inactive") {
      voice.err(`Unit ${name} does not appear to be loaded.`);
      return 1;
    }
    const states = global ? await client.unitStates() : [];
    const machines = global
      ? states.filter((state) => state.unit === name).map(({ machine }) => machine)
      : [unit.machine];
    for (const machine of machines) {
      const found = await client.hostStatus(machine, name);
      if (found === null) return elsewhere(context, machine, ["systemctl", "status", "-l", name]);
      seen.push({ machine, ...found });
      if (flags.json === true) continue;
      if (index > 0 || seen.length > 1) voice.out("");
      voice.out(`● ${name} - ${found.description || name}`);
      const where = found.fragment === "" ? "" : ` (${found.fragment})`;
      voice.out(`   Loaded: ${found.loadState}${where}`);
      voice.out(`   Active: ${found.activeState} (${found.subState})`);
      voice.out(`  Machine: ${machine}`);
    }
  }
  if (flags.json === true) voice.out(JSON.stringify(seen, null, 2));
  return 0;
}

/**
 * What fleetctl does by SSH on a machine, and what cannot be done here: says so, and how to do it on a
 * real fleet.
 *
 * @param target - a unit, or the ID of a machine
 */
export async function elsewhere(
  { client, voice }: FleetContext,
  target: string,
  words: readonly string[],
): Promise<number> {
  const machines = await client.machines();
  const byId = machines.filter(({ id }) => id.startsWith(target));
  const unit = byId.length === 0 ? await client.unit(unitName(target)) : null;
  const found = byId.length === 1 ? byId : machines.filter(({ id }) => id === unit?.machine);
  const [machine] = found;
  if (machine === undefined) {
    voice.err(`${target} is no machine that is present, and no unit that is on one`);
    return 1;
  }
  voice.err(
    "Simulated machines have no shell and no journal. On a real fleet, this asks the same by SSH:",
  );
  voice.err(`  ssh core@${[machine.publicIp || machine.id, ...words].join(" ")}`);
  return 1;
}

/** `orrery fleet explain`. */
export async function explain(
  { client, voice, flags }: FleetContext,
  units: readonly string[],
): Promise<number> {
  const names = units.map(unitName);
  const { transport } = client;
  const registry = await registryPicture(transport, keyPrefix(flags));
  const explanations = [];
  for (const name of names) {
    explanations.push(explainUnit(registry ?? (await pictureThroughApi(client, name)), name));
  }
  if (flags.json === true) voice.out(JSON.stringify(explanations, null, 2));
  else voice.out(explanations.map(explanationText).join("\n").trimEnd());
  const unknown = explanations.some(({ reasons }) => reasons[0]?.code === "unknown");
  return unknown ? 1 : 0;
}

/** A picture out of etcd itself, where there is a way to it. */
async function registryPicture(
  { etcd, name }: FleetTransport,
  prefix: string,
): Promise<FleetPicture | null> {
  if (etcd === null) return null;
  const session = readPicture(prefix);
  let step = session.next();
  while (step.done !== true) step = session.next(await etcd(step.value));
  if (step.value === BROKEN) throw new Unreachable(`${name}: etcd did not answer every read`);
  return step.value;
}
