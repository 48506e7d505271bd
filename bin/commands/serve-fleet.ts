import { STATUS_PATH } from "../../adapters/fleet/index.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import type { HostState } from "../../core/host/index.js";
import { viewUnit } from "../../core/systemd/index.js";

const STATUS = new RegExp(`^${STATUS_PATH}/([0-9a-f]+)/units/([^/?]+)$`);

/**
 * What a simulated fleet tells beside fleet's API: a unit as systemd on some machine has it. Null for
 * every other request; 404 for a machine or a unit that is not there.
 */
export function statusAnswer(
  hosts: readonly HostState[],
  { method, target }: Pick<FleetHttpRequest, "method" | "target">,
): FleetHttpResponse | null {
  const [, machine, unit = ""] = STATUS.exec(target) ?? [];
  if (method !== "GET" || machine === undefined) return null;
  const host = hosts.find(({ config }) => config.machineId === machine);
  const view = host?.power === "up" ? viewUnit(host.systemd, decodeURIComponent(unit)) : null;
  const headers = { "Content-Type": "application/json" };
  if (view === null) return { kind: "answer", status: 404, headers, body: "{}" };
  const { name, ...rest } = view;
  return { kind: "answer", status: 200, headers, body: JSON.stringify({ unit: name, ...rest }) };
}
