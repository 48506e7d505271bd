import type { Micros } from "../../core/kernel/index.js";
import { type Draft, isActive, newUnit } from "./draft.js";
import { type Fields, textOf, textsOf } from "./fields.js";
import type { UnitInstance, UnitView } from "./view.js";

/** One unit on one host came to be in a state. */
export function setInstance(
  draft: Draft,
  hostIndex: number,
  name: string,
  instance: UnitInstance,
): void {
  const before = draft.host(hostIndex).units.get(name);
  const wasActive = before !== undefined && isActive(before.active);
  const nowActive = isActive(instance.active);
  const units = draft.editInstances(hostIndex);
  if (isGone(instance)) units.delete(name);
  else units.set(name, instance);
  const host = draft.edit(hostIndex);
  host.unitsActive += (nowActive ? 1 : 0) - (wasActive ? 1 : 0);
  host.unitsFailed +=
    (instance.active === "failed" ? 1 : 0) - (before?.active === "failed" ? 1 : 0);
  if (wasActive !== nowActive) setActivity(draft, name, host.name, nowActive, instance.since);
}

function isGone(instance: UnitInstance): boolean {
  return instance.active === "" || (instance.active === "inactive" && instance.sub === "not-found");
}

/** Everything on a host stopped at once: it lost power or reboots. */
export function clearInstances(draft: Draft, hostIndex: number, at: Micros): void {
  const host = draft.edit(hostIndex);
  if (host.units.size === 0) return;
  const names = [...host.units].filter(([, unit]) => isActive(unit.active)).map(([name]) => name);
  draft.editInstances(hostIndex).clear();
  host.unitsActive = 0;
  host.unitsFailed = 0;
  for (const name of names) setActivity(draft, name, host.name, false, at);
}

function setActivity(draft: Draft, name: string, host: string, active: boolean, at: Micros): void {
  const unit = draft.unit(name);
  if (unit === undefined) return;
  const others = unit.activeOn.filter((other) => other !== host);
  const activeOn = active ? [...others, host].sort() : others;
  draft.setUnit(withActivity(unit, activeOn, at));
}

/** The unit once it is active on exactly these hosts, with its outages kept account of. */
function withActivity(unit: UnitView, activeOn: readonly string[], at: Micros): UnitView {
  const was = unit.activeOn.length > 0;
  const is = activeOn.length > 0;
  if (was === is) return { ...unit, activeOn };
  if (is) {
    const downtime = unit.downtime + (unit.downSince === null ? 0 : at - unit.downSince);
    const firstActive = unit.firstActive ?? at;
    return { ...unit, activeOn, since: at, firstActive, downSince: null, downtime };
  }
  if (!unit.wanted) return { ...unit, activeOn, since: at };
  return { ...unit, activeOn, since: at, downSince: at, outages: unit.outages + 1 };
}

function clusterUnit(draft: Draft, name: string, at: Micros): UnitView {
  return draft.unit(name) ?? newUnit(draft, name, at);
}

/** `fleet.scheduled`: the engine chose a machine. */
export function unitScheduled(draft: Draft, fields: Fields, at: Micros): void {
  const name = textOf(fields, "unit");
  if (name === "") return;
  const unit = clusterUnit(draft, name, at);
  const machine = draft.names.ofMachine(textOf(fields, "machine"));
  const moved = unit.machine !== machine && (unit.machine !== "" || unit.firstActive !== null);
  draft.setUnit({
    ...unit,
    machine,
    reason: draft.names.inText(textOf(fields, "reason")),
    moves: unit.moves + (moved ? 1 : 0),
    wanted: true,
  });
}

/** `fleet.unscheduled`: the engine took the unit from its machine. */
export function unitUnscheduled(draft: Draft, fields: Fields, at: Micros): void {
  const name = textOf(fields, "unit");
  const unit = draft.unit(name);
  if (unit === undefined) return;
  const reason = textOf(fields, "reason");
  const next = { ...unit, machine: "", reason };
  draft.setUnit(isDeliberate(reason) ? withoutOutage(next, at) : next);
}

function isDeliberate(reason: string): boolean {
  return /target.?state|destroy|inactive|operator/i.test(reason);
}

/** An operator wants it to rest: the outage that lasts, if any, ends here. */
function withoutOutage(unit: UnitView, at: Micros): UnitView {
  const downtime = unit.downtime + (unit.downSince === null ? 0 : at - unit.downSince);
  return { ...unit, wanted: false, downSince: null, downtime };
}

/** `operator.action` on a unit. */
export function unitOperated(draft: Draft, fields: Fields, at: Micros): void {
  const action = textOf(fields, "do");
  const names = [textOf(fields, "unit"), ...textsOf(fields, "units")].filter((name) => name !== "");
  for (const name of names) operate(draft, name, action, at);
}

function operate(draft: Draft, name: string, action: string, at: Micros): void {
  const unit = draft.unit(name);
  if (unit === undefined) return;
  if (/destroy|unload|stop/.test(action)) draft.setUnit(withoutOutage(unit, at));
  else if (/start|submit|load/.test(action) && !unit.wanted)
    draft.setUnit({ ...unit, wanted: true });
}

/** `fleet.unit-state`: what an agent published; counts where systemd itself is not in the log. */
export function unitPublished(draft: Draft, host: number, fields: Fields, at: Micros): void {
  const name = textOf(fields, "unit");
  if (name === "") return;
  if (draft.unit(name) === undefined) draft.setUnit(newUnit(draft, name, at));
  if (host < 0 || draft.host(host).units.has(name)) return;
  const active = textOf(fields, "active");
  setInstance(draft, host, name, { active, sub: textOf(fields, "sub"), result: "", since: at });
}

/** Downtime of a unit up to a time, the outage that lasts included. */
export function downtimeAt(unit: UnitView, at: Micros): Micros {
  return unit.downtime + (unit.downSince === null ? 0 : Math.max(0, at - unit.downSince));
}
