import { MACHINES_PATH } from "../../adapters/fleet/index.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import type { HostState } from "../../core/host/index.js";
import { viewUnit } from "../../core/systemd/index.js";
import type { UnitJournal } from "./unit-journal.js";

const PATH = new RegExp(
  `^${MACHINES_PATH}(?:/([0-9a-f]+)/units/([^/?]+)(/journal)?(?:\\?lines=([0-9]{1,6}))?)?$`,
);

/**
 * What a simulated fleet tells beside fleet's API: that it is one, a unit as systemd on some machine has
 * it, and what that has said of the unit. Null for every other request; 404 for a machine or a unit
 * that is not there.
 */
export function besideTheApi(
  hosts: readonly HostState[],
  journal: UnitJournal,
  { method, target }: Pick<FleetHttpRequest, "method" | "target">,
): FleetHttpResponse | null {
  const match = PATH.exec(target);
  if (method !== "GET" || match === null) return null;
  const [, machine, name = "", wantsJournal, lines] = match;
  if (machine === undefined)
    return answer(
      200,
      hosts.map(({ config }) => config.machineId),
    );
  const unit = decodeURIComponent(name);
  const host = hosts.find(({ config }) => config.machineId === machine);
  if (host === undefined) return answer(404, {});
  if (wantsJournal !== undefined) {
    const entries = journal.of(host.config.name, unit);
    const from = lines === undefined ? 0 : Math.max(0, entries.length - Number(lines));
    return answer(200, entries.slice(from));
  }
  const view = host.power === "up" ? viewUnit(host.systemd, unit) : null;
  if (view === null) return answer(404, {});
  const { name: id, ...rest } = view;
  return answer(200, { unit: id, ...rest });
}

function answer(status: number, json: unknown): FleetHttpResponse {
  const headers = { "Content-Type": "application/json" };
  return { kind: "answer", status, headers, body: JSON.stringify(json) };
}
