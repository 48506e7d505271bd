import { fromBytes, toBytes } from "../go/index.js";
import type { FleetHttpRequest, FleetHttpResponse } from "./api-http.js";
import type { FleetctlCommand } from "./fleetctl.js";
import { parseUnit, type UnitFile } from "./unit-file.js";

/** Yields requests to fleet's API, is sent the answers, and returns the line to print. */
export type FleetctlApiSession = Generator<FleetHttpRequest, string, FleetHttpResponse>;

/**
 * fleetctl on one unit through the API of a fleetd, without waiting for its effect (`--no-block`):
 * what `fleetctl` does in etcd itself.
 *
 * @param unit - full name; an instance of a template is expanded by the caller
 * @param text - the unit file, null if the operator has none at hand
 */
export function* fleetctlApi(
  command: FleetctlCommand,
  unit: string,
  text: string | null,
): FleetctlApiSession {
  switch (command) {
    case "submit":
      return (yield* submit(unit, text)) ?? `Unit ${unit} inactive`;
    case "load":
      return (yield* submit(unit, text)) ?? (yield* settle(unit, "loaded", "load"));
    case "start":
      return (yield* submit(unit, text)) ?? (yield* settle(unit, "launched", "start"));
    case "stop":
      return yield* settle(unit, "loaded", "stop");
    case "unload":
      return yield* settle(unit, "inactive", "unload");
    case "destroy": {
      const failure = failureOf(yield ask("DELETE", unit));
      if (failure === null) return `Destroyed ${unit}`;
      return `Error destroying unit ${unit}: ${failure}`;
    }
  }
}

/** Creates the unit, inactive, unless it is there; what went wrong, or null. */
function* submit(
  unit: string,
  text: string | null,
): Generator<FleetHttpRequest, string | null, FleetHttpResponse> {
  const found = yield ask("GET", unit);
  if (statusOf(found) === 200) return null;
  if (statusOf(found) !== 404) return `Error retrieving unit ${unit}: ${failureOf(found)}`;
  const parsed = text === null ? null : parseUnit(text);
  if (parsed === null) return `Error creating units: unable to find Unit(${unit})`;
  if (!parsed.ok) return `Error creating units: ${parsed.error}`;
  const body = { name: unit, desiredState: "inactive", options: optionsOf(parsed.unit) };
  const failure = failureOf(yield ask("PUT", unit, body));
  return failure === null ? null : `Error creating unit ${unit}: ${failure}`;
}

function optionsOf({ options }: UnitFile): unknown {
  return options.map(({ section, name, value }) => ({
    section: fromBytes(section),
    name: fromBytes(name),
    value: fromBytes(value),
  }));
}

function* settle(unit: string, desiredState: string, verb: string): FleetctlApiSession {
  const failure = failureOf(yield ask("PUT", unit, { name: unit, desiredState }));
  if (failure === null) return `Triggered unit ${unit} ${verb}`;
  return `Error updating unit ${unit}: ${failure}`;
}

function ask(method: string, unit: string, body?: unknown): FleetHttpRequest {
  const bytes = body === undefined ? "" : toBytes(JSON.stringify(body));
  const contentTypes = body === undefined ? [] : ["application/json"];
  return { method, target: `/fleet/v1/units/${unit}`, contentTypes, body: bytes };
}

function statusOf(response: FleetHttpResponse): number {
  return response.kind === "answer" ? response.status : 0;
}

/** What an answer has against a request; null if nothing. */
function failureOf(response: FleetHttpResponse): string | null {
  if (response.kind !== "answer") return response.kind;
  return response.status < 300 ? null : `status ${response.status} ${response.body}`;
}
