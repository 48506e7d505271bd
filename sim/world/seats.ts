import type { NodeIndex } from "../../core/kernel/index.js";
import { nodeName, type Scenario, serviceNodes } from "../scenario/scenario.js";

/** Who sits on which node: hosts, services and clients as the scenario numbers them, then the rest of the world. */
export interface Seats {
  /** Of every node, as logs have it. */
  readonly names: readonly string[];
  readonly operator: NodeIndex;
  /** Nobody sits there when the scenario has none. */
  readonly probe: NodeIndex;
  readonly users: NodeIndex;
}

/** The nodes of a scenario's world. */
export function seatNodes(scenario: Scenario): Seats {
  const { hosts, clients, probe, users } = scenario;
  const operator = hosts.length + serviceNodes(scenario).length + clients.length;
  const inside = Array.from({ length: operator }, (_, node) => nodeName(scenario, node));
  const outside = [
    "operator",
    ...(probe === null ? [] : ["probe"]),
    ...(users === undefined ? [] : ["users"]),
  ];
  const seatOf = (name: string) => {
    const at = outside.indexOf(name);
    return at < 0 ? -1 : operator + at;
  };
  const names = [...inside, ...outside];
  return { names, operator, probe: seatOf("probe"), users: seatOf("users") };
}
