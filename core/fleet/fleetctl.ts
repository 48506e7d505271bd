import type { EtcdReply, V2Request } from "../etcd/client.js";
import { FLEET_FIXES, type FleetProfile } from "./config.js";
import {
  createUnitFile,
  deleteJob,
  isExisting,
  isNotFound,
  writeJob,
  writeTargetState,
} from "./registry.js";
import { requirements, validateOptions } from "./requirements.js";
import { parseUnit, type UnitFile, unitText } from "./unit-file.js";
import { validateUnitName } from "./unit-name.js";

/** What an operator does to one unit. */
export type FleetctlCommand = "submit" | "load" | "start" | "stop" | "unload" | "destroy";

/** Yields requests to etcd, is sent the replies, and returns the line to print. */
export type FleetctlSession = Generator<V2Request, string, EtcdReply>;

/**
 * fleetctl on one unit, without waiting for its effect (`--no-block`), written against the registry
 * as fleet's API server writes it: creating a unit takes three separate writes.
 *
 * @param unit - full name; an instance of a template is expanded by the caller
 * @param text - the unit file, null if the operator has none at hand
 */
export function fleetctl(
  prefix: string,
  command: FleetctlCommand,
  unit: string,
  text: string | null,
  profile: FleetProfile = "faithful",
): FleetctlSession {
  switch (command) {
    case "submit":
      return submit(prefix, unit, text, null, profile);
    case "load":
      return submit(prefix, unit, text, "loaded", profile);
    case "start":
      return submit(prefix, unit, text, "launched", profile);
    case "stop":
      return settle(prefix, unit, "loaded", "stop");
    case "unload":
      return settle(prefix, unit, "inactive", "unload");
    case "destroy":
      return destroy(prefix, unit);
  }
}

/** Creates the unit, inactive, unless it is there; then asks for a state if one is given. */
function* submit(
  prefix: string,
  unit: string,
  text: string | null,
  state: "loaded" | "launched" | null,
  profile: FleetProfile,
): FleetctlSession {
  const found = yield readObject(prefix, unit);
  let global = false;
  if (!found.ok) {
    if (!isNotFound(found)) return failed("retrieving", unit, found);
    const file = newUnit(unit, text);
    if (typeof file === "string") return `Error creating units: ${file}`;
    global = requirements(unit, file).global;
    for (const request of createUnit(prefix, unit, file, "inactive", profile)) {
      const reply = yield request;
      // The file of another unit may be the same.
      if (!reply.ok && !(isExisting(reply) && request.key.startsWith(`${prefix}/unit/`))) {
        return failed("creating", unit, reply);
      }
    }
  }
  if (state === null) return `Unit ${unit} inactive`;
  const reply = yield writeTargetState(prefix, unit, state);
  if (!reply.ok) return failed("updating", unit, reply);
  return `Triggered ${global ? "global " : ""}unit ${unit} ${state === "loaded" ? "load" : "start"}`;
}

/** The unit file of a new unit, or what the API has against it. */
function newUnit(unit: string, text: string | null): UnitFile | string {
  if (text === null) return `unable to find Unit(${unit})`;
  const invalid = validateUnitName(unit);
  if (invalid !== null) return invalid;
  const parsed = parseUnit(text);
  if (!parsed.ok) return parsed.error;
  return validateOptions(parsed.unit)[0] ?? parsed.unit;
}

/**
 * The three writes of CreateUnit. Between them others see a unit without a target state. Where unit
 * files are collected, one that is there already is written again, so that its collector sees that
 * it is in use.
 */
export function createUnit(
  prefix: string,
  unit: string,
  file: UnitFile,
  state = "inactive",
  profile: FleetProfile = "faithful",
): V2Request[] {
  const created = createUnitFile(prefix, file.hash, unitText(file));
  const { key, value } = created;
  const again = FLEET_FIXES[profile].collectsGarbage;
  return [
    again ? { op: "put", key, value } : created,
    writeJob(prefix, unit, file.hash),
    writeTargetState(prefix, unit, state),
  ];
}

function* settle(
  prefix: string,
  unit: string,
  state: "loaded" | "inactive",
  verb: string,
): FleetctlSession {
  const found = yield readObject(prefix, unit);
  if (!found.ok)
    return isNotFound(found) ? `Unit ${unit} does not exist` : failed("retrieving", unit, found);
  const reply = yield writeTargetState(prefix, unit, state);
  return reply.ok ? `Triggered unit ${unit} ${verb}` : failed("updating", unit, reply);
}

function* destroy(prefix: string, unit: string): FleetctlSession {
  const reply = yield deleteJob(prefix, unit);
  if (reply.ok) return `Destroyed ${unit}`;
  return isNotFound(reply) ? `Unit ${unit} does not exist` : failed("destroying", unit, reply);
}

function readObject(prefix: string, unit: string): V2Request {
  return { op: "get", key: `${prefix}/job/${unit}/object` };
}

function failed(what: string, unit: string, reply: EtcdReply & { ok: false }): string {
  const why = "unreachable" in reply ? reply.unreachable : `${reply.errorCode}: ${reply.message}`;
  return `Error ${what} unit ${unit}: ${why}`;
}
