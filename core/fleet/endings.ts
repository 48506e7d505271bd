import type { EtcdReply, Revision } from "../etcd/client.js";
import type { UnitStatus } from "../systemd/client.js";
import { baseName, writeEnding } from "./registry.js";
import { callEtcd, fixesOf, type Step } from "./step.js";

/**
 * Profile `fixed`: a unit runs once for each time it was asked for. To ask is to write its target
 * state, so the index of that write names the order. When a unit that was started has ended of its
 * own accord, its agent writes the order that is done beside the unit, for good; no agent starts it
 * for this order again. A fleet 1.0 passes over the key.
 */

/** What the registry says of one unit's orders. */
export interface Order {
  /** Index of the write of the target state; 0 without one. */
  index: Revision;
  /** The order that is done, "" if none. */
  ended: string;
}

/** Takes the orders out of an answer to reading `/job`, and writes endings again that are not in it yet. */
export function takeOrders(step: Step, reply: EtcdReply): void {
  const { agent } = step.state;
  if (!fixesOf(step).endsOnce || !reply.ok) return;
  agent.orders.clear();
  for (const directory of reply.node.nodes ?? []) {
    const order: Order = { index: 0, ended: "" };
    for (const { key, value, modifiedIndex } of directory.nodes ?? []) {
      if (key.endsWith("/target-state")) order.index = modifiedIndex;
      else if (key.endsWith("/ended")) order.ended = value ?? "";
    }
    agent.orders.set(baseName(directory.key), order);
  }
  for (const [unit, index] of agent.endings) {
    const order = agent.orders.get(unit);
    if (order === undefined || order.ended === String(index)) agent.endings.delete(unit);
    else tell(step, unit, index);
  }
}

/** Whether the unit has already run and ended for the order that stands. */
export function hasEnded(step: Step, unit: string): boolean {
  const order = step.state.agent.orders.get(unit);
  if (order === undefined) return false;
  return order.ended === String(order.index) || step.state.agent.endings.get(unit) === order.index;
}

/** The agent starts the unit, for the order as it last read it. */
export function noteStart(step: Step, unit: string): void {
  const { agent } = step.state;
  agent.running.delete(unit);
  const order = agent.orders.get(unit);
  if (order !== undefined) agent.startedFor.set(unit, order.index);
}

/**
 * systemd announced a change. Whoever is stopped goes through `deactivating`; a unit that has run and
 * is down without that has ended by itself.
 */
export function noteStatus(step: Step, { name: unit, activeState }: UnitStatus): void {
  const { agent, phase } = step.state;
  if (!fixesOf(step).endsOnce || phase !== "running" || agent.cache.get(unit) !== "launched") {
    return;
  }
  switch (activeState) {
    case "active":
    case "activating":
    case "reloading":
      agent.running.add(unit);
      return;
    case "deactivating":
      agent.running.delete(unit);
      return;
    case "inactive":
    case "failed": {
      const index = agent.startedFor.get(unit);
      if (!agent.running.delete(unit) || index === undefined) return;
      agent.endings.set(unit, index);
      agent.upToDate = false;
      tell(step, unit, index);
    }
  }
}

function tell(step: Step, unit: string, index: Revision): void {
  callEtcd(step, null, writeEnding(step.state.config.keyPrefix, unit, index));
}
