import { posix } from "node:path";
import {
  recognizedUnitType,
  requirements,
  type UnitFile,
  withServiceSuffix,
} from "../../core/fleet/index.js";

/** A unit's name from what a user wrote: without folders, and a service unless it says otherwise. */
export function unitName(argument: string): string {
  return withType(posix.basename(argument));
}

/** The argument with `.service` behind it if it names no type. */
export function withType(argument: string): string {
  return recognizedUnitType(argument) ? argument : withServiceSuffix(argument);
}

/** Whether a unit is global, as fleetctl sees it: without its name, hence without specifiers. */
export function isGlobalFile(file: UnitFile): boolean {
  return requirements("", file).global;
}
