import type { Micros } from "../../core/kernel/index.js";
import type { Draft } from "./draft.js";
import { type Fields, fieldsOf, flagOf, isFields, listOf, numberOf, textOf } from "./fields.js";
import { clearInstances, setInstance } from "./fold-units.js";
import type { EtcdRole, EtcdView, HostView, SlotView } from "./view.js";

const ROLES: readonly string[] = ["follower", "pre-candidate", "candidate", "leader", "learner"];

/** `host.up`: it booted. */
export function hostUp(draft: Draft, index: number, fields: Fields, at: Micros): void {
  const host = draft.edit(index);
  host.power = "up";
  host.since = at;
  host.reason = "";
  host.boots = numberOf(fields, "boot", host.boots + 1);
  host.version = textOf(fields, "version") || host.version;
  host.slot = textOf(fields, "slot") || host.slot;
  // The update engine begins anew with the host.
  host.updateStatus = "";
  host.updateVersion = "";
  host.updateSince = at;
  host.updateError = "";
}

/** `host.down`, and what comes before it in order: nothing runs on it any more. Only a crash comes as a surprise. */
export function hostDown(
  draft: Draft,
  index: number,
  fields: Fields,
  at: Micros,
  kind: "host.down" | "host.rebooting" | "host.powering-off",
): void {
  const reason = textOf(fields, "reason");
  const before = draft.host(index).power;
  const planned = kind === "host.rebooting" || before === "rebooting" || /reboot/.test(reason);
  const host = draft.edit(index);
  if (before === "up") {
    if (planned) draft.cluster.reboots++;
    else if (kind === "host.down") draft.cluster.crashes++;
    host.since = at;
  }
  host.power = planned ? "rebooting" : "down";
  host.reason = reason || host.reason;
  host.locksmith = "";
  if (host.etcd !== null) host.etcd = { ...host.etcd, running: false, role: "" };
  clearInstances(draft, index, at);
  relead(draft, at);
}

const NO_ETCD: EtcdView = {
  running: false,
  role: "",
  term: 0,
  lead: "",
  commit: 0,
  applied: 0,
  since: 0,
};

/** A fact of the host's etcd member. Returns false for a kind it does not know. */
export function etcdFact(
  draft: Draft,
  index: number,
  kind: string,
  fields: Fields,
  at: Micros,
): boolean {
  switch (kind) {
    case "etcd.started": {
      const host = draft.edit(index);
      host.etcd = { ...(host.etcd ?? NO_ETCD), running: true, role: "follower", since: at };
      return true;
    }
    case "etcd.stopped": {
      const host = draft.edit(index);
      host.etcd = { ...(host.etcd ?? NO_ETCD), running: false, role: "", since: at };
      relead(draft, at);
      return true;
    }
    case "etcd.role": {
      const host = draft.edit(index);
      const role = roleOf(fields);
      const before = host.etcd ?? NO_ETCD;
      const since = before.role === role && before.running ? before.since : at;
      const term = numberOf(fields, "term", before.term);
      host.etcd = { ...before, running: true, role, term, lead: textOf(fields, "lead"), since };
      if (role === "leader" || before.role === "leader") relead(draft, at);
      return true;
    }
    case "etcd.member-added":
    case "etcd.member-removed":
    case "etcd.snapshot":
      return true;
    default:
      return false;
  }
}

function roleOf(fields: Fields): EtcdRole {
  const role = textOf(fields, "role");
  return ROLES.includes(role) ? (role as EtcdRole) : "follower";
}

/** Finds who leads now: among the members that run and call themselves leader, the highest term. */
function relead(draft: Draft, at: Micros): void {
  let best: HostView | null = null;
  let bestTerm = -1;
  for (const host of draft.hosts) {
    const etcd = host.etcd;
    if (host.power !== "up" || etcd === null || !etcd.running || etcd.role !== "leader") continue;
    if (etcd.term > bestTerm) {
      best = host;
      bestTerm = etcd.term;
    }
  }
  const now = draft.cluster.leader;
  if (best === null) {
    if (now !== null) draft.cluster.leader = null;
    return;
  }
  if (now !== null && now.host === best.name && now.term === bestTerm) return;
  draft.cluster.leader = { host: best.name, term: bestTerm, since: at };
  draft.cluster.elections++;
}

/** A fact of the host's update engine. Returns false for a kind it does not know. */
export function updateFact(
  draft: Draft,
  index: number,
  kind: string,
  fields: Fields,
  at: Micros,
): boolean {
  switch (kind) {
    case "update.status": {
      const host = draft.edit(index);
      host.updateStatus = textOf(fields, "status");
      host.updateVersion = textOf(fields, "version");
      host.updateSince = at;
      host.updateError = "";
      return true;
    }
    case "update.slots": {
      const host = draft.edit(index);
      host.slots = listOf(fields, "slots").filter(isFields).map(slotOf);
      host.slot = textOf(fields, "running") || host.slot;
      return true;
    }
    case "update.marked-good": {
      const host = draft.edit(index);
      const name = textOf(fields, "slot");
      host.slots = host.slots.map((slot) =>
        slot.name === name ? { ...slot, successful: true } : slot,
      );
      return true;
    }
    case "update.failed":
      draft.edit(index).updateError = textOf(fields, "code") || "failed";
      return true;
    default:
      return false;
  }
}

function slotOf(fields: Fields): SlotView {
  return {
    name: textOf(fields, "name"),
    version: textOf(fields, "version"),
    priority: numberOf(fields, "priority"),
    tries: numberOf(fields, "tries"),
    successful: flagOf(fields, "successful"),
    complete: fields.complete !== false,
  };
}

/** `systemd.unit`: a unit changed state. */
export function systemdUnit(draft: Draft, index: number, fields: Fields, at: Micros): void {
  const name = textOf(fields, "unit");
  if (name === "") return;
  const load = textOf(fields, "load");
  setInstance(draft, index, name, {
    active: textOf(fields, "active"),
    sub: load === "not-found" ? "not-found" : textOf(fields, "sub"),
    result: textOf(fields, "result"),
    since: at,
  });
}

/** One host of a checkpoint: the indexes facts do not carry, and what the log began without. */
export function hostCheckpoint(draft: Draft, fields: Fields, at: Micros): void {
  const name = textOf(fields, "name");
  if (name === "") return;
  const index = draft.hostIndex(name);
  const before = draft.host(index);
  if (fields.up === true && before.power === "down" && before.boots === 0) {
    hostUp(draft, index, {}, at);
  }
  const etcd = fields.etcd;
  if (!isFields(etcd) || draft.host(index).power !== "up") return;
  const known = before.etcd ?? { ...NO_ETCD, running: true, since: at };
  const role = textOf(etcd, "role") === "" ? known.role : roleOf(etcd);
  const term = numberOf(etcd, "term", known.term);
  const commit = numberOf(etcd, "commit");
  const applied = numberOf(etcd, "applied");
  if (known === before.etcd && known.role === role && known.term === term) {
    if (known.commit === commit && known.applied === applied) return;
    draft.edit(index).etcd = { ...known, commit, applied };
    return;
  }
  const since = known.role === role ? known.since : at;
  draft.edit(index).etcd = { ...known, running: true, role, term, commit, applied, since };
  relead(draft, at);
}

/** `fault` of a `fault.begin`, in a few words. */
export function faultFields(fields: Fields): Fields {
  return fieldsOf(fields.fault);
}
