import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import type { FleetClient } from "../../adapters/fleet/index.js";
import {
  type ApiUnit,
  parseUnitBytes,
  type UnitFile,
  unitNameInfo,
  unknownRequirements,
  validateOptions,
  validateUnitName,
} from "../../core/fleet/index.js";
import { unitName, withType } from "./fleet-names.js";
import { type Voice, waitForState } from "./fleet-wait.js";

/** A command cannot go on; the message is fleetctl's. */
export class CommandFailure extends Error {}

/** The commands that create units, and the states of units that each may replace. */
const REPLACEABLE = {
  submit: ["inactive"],
  load: ["inactive", "loaded"],
  start: ["inactive", "loaded", "launched"],
  restart: [],
} as const;

export type CreatingCommand = keyof typeof REPLACEABLE;

/**
 * Creates the units that are not in the registry yet, or that are to be replaced, and waits until
 * they are there.
 *
 * @throws CommandFailure
 */
export async function createUnits(
  client: FleetClient,
  voice: Voice,
  command: CreatingCommand,
  units: readonly string[],
  replace: boolean,
): Promise<void> {
  const created: string[] = [];
  for (const argument of units.map(withType)) {
    const name = unitName(argument);
    const found = await client.unit(name).catch((error: Error) => {
      throw new CommandFailure(`error retrieving Unit(${name}) from Registry: ${error.message}`);
    });
    if (found !== null && !mayReplace(voice, command, argument, found, replace)) continue;
    const file = await unitFile(client, voice, argument, replace);
    await createUnit(client, voice, name, file);
    created.push(name);
  }
  // Replaced units keep their place, so only those are waited for that begin inactive.
  if (!replace) await waitForState(client, voice, created, "inactive", "forever");
}

async function createUnit(
  client: FleetClient,
  voice: Voice,
  name: string,
  file: UnitFile,
): Promise<void> {
  const [invalid = null] = [validateUnitName(name), ...validateOptions(file)].filter(
    (problem) => problem !== null,
  );
  if (invalid !== null) throw new CommandFailure(invalid);
  for (const warning of unknownRequirements(file)) voice.err(`Unit ${name}: ${warning}`);
  await client.createUnit(name, file).catch((error: Error) => {
    throw new CommandFailure(`failed creating unit ${name}: ${error.message}`);
  });
}

/** Whether a unit in the registry gives way to the file at hand. */
function mayReplace(
  voice: Voice,
  command: CreatingCommand,
  argument: string,
  found: ApiUnit,
  replace: boolean,
): boolean {
  const { name, desiredState } = found;
  const local = localFile(argument) ?? localTemplate(argument);
  if (local === null) {
    if (!replace) return false;
    throw new CommandFailure(`no unit file or template for ${argument} to replace Unit(${name})`);
  }
  if (local.file.hash === found.file.hash) {
    if (replace) voice.out(`Found same Unit(${name}) in Registry, nothing to do`);
    return false;
  }
  if (!replace) {
    voice.err(
      `WARNING: Unit ${name} in registry differs from local ${local.what} ${local.path}. Add --replace to override.`,
    );
    return false;
  }
  const states: readonly string[] = REPLACEABLE[command];
  if (states.includes(desiredState)) return true;
  voice.err(
    `Warning: can not replace Unit(${name}) in state '${desiredState}', use the appropriate command`,
  );
  return false;
}

/** The unit file: one on disk, else the template in the registry, else the template on disk. */
async function unitFile(
  client: FleetClient,
  voice: Voice,
  argument: string,
  replace: boolean,
): Promise<UnitFile> {
  const local = localFile(argument);
  if (local !== null) return local.file;
  const name = unitName(argument);
  const info = unitNameInfo(name);
  if (info === null || !info.isInstance) {
    throw new CommandFailure(`unable to find Unit(${name}) in Registry or on filesystem`);
  }
  const template = await client.unit(info.template);
  const beside = localTemplate(argument);
  if (template !== null) {
    if (beside !== null && !replace && beside.file.hash !== template.file.hash) {
      voice.err(
        `WARNING: Unit ${info.template} in registry differs from local template unit file ${beside.path}. Add --replace to override.`,
      );
    }
    return template.file;
  }
  if (beside !== null) return beside.file;
  throw new CommandFailure(
    `failed getting Unit(${argument}) from template: unable to find template Unit(${info.template}) in Registry or on filesystem`,
  );
}

interface LocalFile {
  readonly path: string;
  readonly what: "unit file" | "template unit file";
  readonly file: UnitFile;
}

function localFile(path: string): LocalFile | null {
  return existsSync(path) ? { path, what: "unit file", file: readUnit(path) } : null;
}

function localTemplate(argument: string): LocalFile | null {
  const info = unitNameInfo(posix.basename(argument));
  if (info === null || !info.isInstance) return null;
  const path = posix.join(posix.dirname(argument), info.template);
  return existsSync(path) ? { path, what: "template unit file", file: readUnit(path) } : null;
}

function readUnit(path: string): UnitFile {
  try {
    const parsed = parseUnitBytes(readFileSync(path, "latin1"));
    if (parsed.ok) return parsed.unit;
    throw new CommandFailure(parsed.error);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`failed getting Unit(${path}) from file: ${why}`);
  }
}
