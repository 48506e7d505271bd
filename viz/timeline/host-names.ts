import type { LogHeader } from "../../core/kernel/index.js";
import { type Fields, fieldsOf, isFields, listOf, textOf } from "./fields.js";

const MACHINE_ID = /\b[0-9a-f]{32}\b/g;

/**
 * What hosts are called. Facts of fleet, locksmith and the update service name a machine by its
 * ID, and a scenario's faults name it by its index; people know neither.
 */
export class HostNames {
  readonly #machines = new Map<string, string>();
  readonly #nodes: string[] = [];

  /** The names a header gives. */
  static of(header: LogHeader): HostNames {
    const names = new HostNames();
    for (const host of headerHosts(header)) {
      const name = textOf(host, "name");
      names.#nodes.push(name);
      names.learn(textOf(host, "machineId"), name);
    }
    for (const client of listOf(fieldsOf(fieldsOf(header.origin).scenario), "clients")) {
      if (!isFields(client) || typeof client.node !== "number") continue;
      names.#nodes[client.node] = textOf(client, "name");
    }
    return names;
  }

  /** Takes in that the machine of this ID is the host of this name. */
  learn(machine: string, host: string): void {
    if (machine !== "" && host !== "") this.#machines.set(machine, host);
  }

  /** The host of a machine ID; the ID itself if nobody knows it. */
  ofMachine(machine: string): string {
    return this.#machines.get(machine) ?? machine;
  }

  /** The host or client of an index in the scenario; `node 7` for others, such as services. */
  ofNode(index: number): string {
    return this.#nodes[index] ?? `node ${index}`;
  }

  /** A text with every known machine ID in it replaced by its host's name. */
  inText(text: string): string {
    if (this.#machines.size === 0 || text.length < 32) return text;
    return text.replace(MACHINE_ID, (machine) => this.ofMachine(machine));
  }
}

/** The hosts of a header: those of its scenario, or those listed beside it. */
export function headerHosts(header: LogHeader): Fields[] {
  const origin = fieldsOf(header.origin);
  const scenario = fieldsOf(origin.scenario);
  const named = listOf(scenario, "hosts");
  const hosts = named.length > 0 ? named : listOf(origin, "hosts");
  return hosts
    .map((host) => (typeof host === "string" ? { name: host } : host))
    .filter(isFields)
    .filter((host) => textOf(host, "name") !== "");
}

/** Names of the scenario's zones, to which its hosts refer by index. */
export function headerZones(header: LogHeader): readonly unknown[] {
  return listOf(fieldsOf(fieldsOf(header.origin).scenario), "zones");
}
