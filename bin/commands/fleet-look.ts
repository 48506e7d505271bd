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
import { unitName } from "./fleet-names.js";

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
