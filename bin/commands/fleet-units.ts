import type { FleetClient } from "../../adapters/fleet/index.js";
import { type ApiUnit, explainUnit, type JobState, type Reason } from "../../core/fleet/index.js";
import { CommandFailure, type CreatingCommand, createUnits } from "./fleet-create.js";
import { explanationText, pictureThroughApi } from "./fleet-explain.js";
import { isGlobalFile, unitName } from "./fleet-names.js";
import { type Patience, type Voice, waitFor, waitForState } from "./fleet-wait.js";

/** What the commands that act on units need; `compat`: with fleetctl's own faults. */
export interface UnitCommand {
  readonly client: FleetClient;
  readonly voice: Voice;
  readonly units: readonly string[];
  readonly patient: Patience;
  readonly replace: boolean;
  readonly compat: boolean;
  /** Restarts a global unit, which is the affair of each machine's systemd; returns the exit code. */
  readonly restartGlobal: (unit: ApiUnit) => Promise<number>;
}

/** `fleetctl submit`. Each of these returns the exit code. */
export async function submit(command: UnitCommand): Promise<number> {
  if (!given(command)) return 0;
  return (await create(command, "submit")) ? 0 : 1;
}

/** `fleetctl load`. */
export async function load(command: UnitCommand): Promise<number> {
  if (!given(command)) return 0;
  if (!(await create(command, "load"))) return 1;
  const loading = await trigger(command, "loaded", "load");
  if (loading === null) return 1;
  return (await settled(command, loading, "loaded", "load")) ? 0 : 1;
}

/** `fleetctl start`: launched, and then active in systemd. */
export async function start(command: UnitCommand): Promise<number> {
  if (!given(command)) return 0;
  if (!(await create(command, "start"))) return 1;
  const starting = await trigger(command, "launched", "start");
  if (starting === null) return 1;
  if (!(await settled(command, starting, "launched", "start"))) return 1;
  return (await active(command, starting)) ? 0 : 1;
}

/** `fleetctl stop`: loaded, but not running. */
export async function stop(command: UnitCommand): Promise<number> {
  const units = await present(command);
  if (units === null) return 0;
  if (units.length === 0) return unknown(command);
  const { client, voice } = command;
  const stopping: string[] = [];
  for (const { name, file, currentState } of units) {
    const global = isGlobalFile(file);
    if (!global && currentState === "inactive") {
      voice.err(`Unable to stop unit ${name} in state inactive`);
      return 1;
    }
    if (!global && currentState === "loaded") continue;
    await client.setTargetState(name, "loaded");
    if (global) voice.out(`Triggered global unit ${name} stop`);
    else stopping.push(name);
  }
  if (!(await settled(command, stopping, "loaded", "stop"))) return 1;
  voice.err(`Successfully stopped units [${stopping.join(" ")}].`);
  return 0;
}

/** `fleetctl unload`: in the registry, on no machine. */
export async function unload(command: UnitCommand): Promise<number> {
  const units = await present(command);
  if (units === null) return 0;
  if (units.length === 0) return unknown(command);
  const { client, voice } = command;
  const unloading: string[] = [];
  for (const { name, file, currentState } of units) {
    const global = isGlobalFile(file);
    if (!global && currentState === "inactive") continue;
    await client.setTargetState(name, "inactive");
    if (global) voice.out(`Triggered global unit ${name} unload`);
    else unloading.push(name);
  }
  if (!(await settled(command, unloading, "inactive", "unload"))) return 1;
  voice.err(`Successfully unloaded units [${unloading.join(" ")}].`);
  return 0;
}

/** `fleetctl destroy`. fleetctl waits for the end of a unit only when it is told not to. */
export async function destroy(command: UnitCommand): Promise<number> {
  const units = await present(command);
  if (units === null) return 0;
  if (units.length === 0) return unknown(command);
  const { client, voice, patient, compat } = command;
  const waits = compat ? patient === "none" : patient !== "none";
  let exit = 0;
  for (const { name } of units) {
    const there = await client.destroyUnit(name).catch((error: Error) => {
      voice.err(`Error destroying units: ${error.message}`);
      exit = 1;
      return false;
    });
    if (!there) continue;
    const gone = async (unit: string) => (await client.unit(unit)) === null;
    if (waits && !(await gone(name))) {
      await waitFor(client, [name], patient === "none" ? "forever" : patient, gone);
    }
    voice.out(`Destroyed ${name}`);
  }
  return exit;
}

/** `fleetctl restart`: loaded, then launched; units that are only loaded are started. */
export async function restart(command: UnitCommand): Promise<number> {
  const units = await present(command);
  if (units === null) return 0;
  if (!(await create(command, "restart"))) return 1;
  const { client, voice, compat } = command;
  let exit = 0;
  for (const unit of units) {
    const { name, file, currentState } = unit;
    if (isGlobalFile(file)) {
      // fleetctl looks for the machine that a global unit is on, and finds none.
      if (!compat) exit = (await command.restartGlobal(unit)) || exit;
      continue;
    }
    if (currentState === "inactive") {
      voice.err(`Unable to restart unit ${name} in state inactive`);
      continue;
    }
    if (currentState !== "loaded") {
      await client.setTargetState(name, "loaded");
      // fleetctl waits for the state it is about to leave.
      const awaited = compat ? "launched" : "loaded";
      if (!(await settled(command, [name], awaited, "restart"))) return 1;
    }
    await client.setTargetState(name, "launched");
    if (!(await settled(command, [name], "launched", "restart"))) return 1;
  }
  return exit;
}

function given({ units, voice }: UnitCommand): boolean {
  if (units.length === 0) voice.err("No units given");
  return units.length > 0;
}

/** None of the units named is there. fleetctl takes that for success. */
function unknown({ voice, compat }: UnitCommand): number {
  voice.err("Units not found in registry");
  return compat ? 0 : 1;
}

/** The units named that there are; null when none is named. */
async function present(command: UnitCommand): Promise<ApiUnit[] | null> {
  if (!given(command)) return null;
  const all = await command.client.units();
  const found = command.units.flatMap((unit) => all.filter(({ name }) => name === unitName(unit)));
  return found;
}

async function create(command: UnitCommand, what: CreatingCommand): Promise<boolean> {
  const { client, voice, units, replace } = command;
  try {
    await createUnits(client, voice, what, units, replace);
    return true;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    voice.err(`Error creating units: ${error.message}`);
    return false;
  }
}

/** Sets the state of the units that have another; the names of those to wait for, null after an error. */
async function trigger(
  { client, voice, units }: UnitCommand,
  state: JobState,
  verb: "load" | "start",
): Promise<string[] | null> {
  const triggered: string[] = [];
  for (const name of units.map(unitName)) {
    const unit = await client.unit(name);
    if (unit === null) {
      voice.err(`Error ${verb}ing units: unable to find unit ${name}`);
      return null;
    }
    if (unit.desiredState === state) continue;
    const failure = await client.setTargetState(name, state).then(
      () => null,
      (error: Error) => error.message,
    );
    if (failure !== null) {
      voice.err(`Error ${verb}ing units: ${failure}`);
      return null;
    }
    if (isGlobalFile(unit.file)) voice.out(`Triggered global unit ${name} ${verb}`);
    else triggered.push(name);
  }
  return triggered;
}

/** Attempts after which a command that waits for as long as it takes asks whether it is of any use. */
const ASKS_AFTER = 5;

/**
 * Waits for a state; the units that never had it are returned. fleetctl waits for ever for a unit that
 * no machine can run. Without its faults the command says why, and gives up.
 */
async function awaitState(
  { client, voice, patient, compat }: UnitCommand,
  units: readonly string[],
  state: JobState,
): Promise<string[]> {
  if (compat || patient !== "forever" || state === "inactive") {
    return waitForState(client, voice, units, state, patient);
  }
  let left: string[] = [...units];
  let hopeless = false;
  while (left.length > 0 && !hopeless) {
    left = await waitForState(client, voice, left, state, ASKS_AFTER);
    for (const unit of left) {
      const picture = await pictureThroughApi(client, unit).catch(() => null);
      if (picture === null) continue;
      const explanation = explainUnit(picture, unit);
      const nowhere = ({ code }: Reason) => code === "unable" || code === "no-machines";
      if (explanation.machine !== "" || !explanation.reasons.some(nowhere)) continue;
      voice.err(explanationText(explanation).trimEnd());
      hopeless = true;
    }
  }
  return left;
}

async function settled(
  command: UnitCommand,
  units: readonly string[],
  state: JobState,
  verb: string,
): Promise<boolean> {
  const { voice, patient } = command;
  if (patient === "none") for (const unit of units) voice.out(`Triggered unit ${unit} ${verb}`);
  const left = await awaitState(command, units, state);
  const [first] = left;
  if (first === undefined) return true;
  const why = `timed out waiting for unit ${first} to report state ${state}`;
  voice.err(`Error waiting for units: ${why}; orrery fleet explain ${first} says why`);
  voice.err(
    verb === "stop" || verb === "unload"
      ? `Failed to ${verb} units [${units.join(" ")}]. err: ${why}`
      : `Error waiting for unit states, exit status: ${why}`,
  );
  return false;
}

/** Waits until systemd has the units active. fleetctl gives up after two seconds, whatever it was told. */
async function active(command: UnitCommand, units: readonly string[]): Promise<boolean> {
  const { client, voice, patient, compat } = command;
  if (patient === "none") {
    // fleetctl says so once for each of the two things it would wait for.
    if (compat) for (const unit of units) voice.out(`Triggered unit ${unit} start`);
    return true;
  }
  const left = await waitFor(client, units, compat ? 1 : patient, async (name) => {
    const states = await client.unitStates().catch(() => []);
    return states.some(
      ({ unit, active: is, load: loaded }) =>
        unit === name && is === "active" && loaded === "loaded",
    );
  });
  for (const unit of left) {
    voice.err(`Error waiting for units: Failed to find an active unit ${unit}`);
  }
  return left.length === 0;
}
