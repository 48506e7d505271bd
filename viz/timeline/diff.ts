import type { ClusterView, HostView } from "./view.js";
import { roleLabel, stagedSlot } from "./view.js";

/** One thing that is different between two views. */
export interface Change {
  /** A host, a unit, or "" for the cluster. */
  readonly subject: string;
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** What is different between two views of one log, by host, then by unit, then of the cluster. */
export function diffViews(before: ClusterView, after: ClusterView): Change[] {
  const changes: Change[] = [];
  const add = (subject: string, field: string, from: string, to: string): void => {
    if (from !== to) changes.push({ subject, field, from, to });
  };
  for (const [index, host] of after.hosts.entries()) {
    const old = before.hosts[index];
    if (old === undefined) add(host.name, "host", "", "appeared");
    else if (old !== host) diffHosts(old, host, add);
  }
  if (before.units !== after.units) {
    for (const [name, unit] of after.units) {
      const old = before.units.get(name);
      if (old === unit) continue;
      add(name, "machine", old?.machine || "–", unit.machine || "–");
      add(name, "active on", old?.activeOn.join(" ") || "–", unit.activeOn.join(" ") || "–");
    }
  }
  add("", "leader", leaderText(before), leaderText(after));
  add("", "engine", before.engine?.machine ?? "–", after.engine?.machine ?? "–");
  add("", "lock", before.lock.holders.join(" ") || "–", after.lock.holders.join(" ") || "–");
  add("", "faults", faultsText(before), faultsText(after));
  add("", "violations", String(before.violations), String(after.violations));
  return changes;
}

type Add = (subject: string, field: string, from: string, to: string) => void;

function diffHosts(old: HostView, host: HostView, add: Add): void {
  const { name } = host;
  add(name, "power", old.power, host.power);
  add(name, "OS", old.version || "–", host.version || "–");
  add(name, "slot", old.slot || "–", host.slot || "–");
  add(name, "staged", stagedSlot(old)?.version ?? "–", stagedSlot(host)?.version ?? "–");
  add(name, "etcd", roleLabel(old), roleLabel(host));
  add(name, "term", String(old.etcd?.term ?? 0), String(host.etcd?.term ?? 0));
  add(name, "commit", String(old.etcd?.commit ?? 0), String(host.etcd?.commit ?? 0));
  add(name, "update", old.updateStatus || "–", host.updateStatus || "–");
  add(name, "locksmith", old.locksmith || "–", host.locksmith || "–");
  if (old.units === host.units) return;
  for (const unit of new Set([...old.units.keys(), ...host.units.keys()])) {
    const was = old.units.get(unit);
    const is = host.units.get(unit);
    add(`${name} ${unit}`, "unit", stateText(was), stateText(is));
  }
}

function stateText(unit: { readonly active: string; readonly sub: string } | undefined): string {
  return unit === undefined ? "–" : `${unit.active}/${unit.sub}`;
}

function leaderText(view: ClusterView): string {
  return view.leader === null ? "–" : `${view.leader.host} (term ${view.leader.term})`;
}

function faultsText(view: ClusterView): string {
  return view.faults.map((fault) => `#${fault.id} ${fault.kind}`).join(" ") || "–";
}
